"""Weights files: atomic writing, bit-exact reading, refusal of damaged and malicious files."""

import io
import os

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from gazelle._core.errors import ArgumentError, DataError
from gazelle._core.variable import Variable
from gazelle._formats.h5 import open_weights, read_weights, write_weights

KERNEL = "layers/dense/vars/0"
BIAS = "layers/dense/vars/1"
LITTLE = np.array([1.5, -2.5, 3.0], "float32")


def tree():
    rng = np.random.default_rng(0)
    return {
        "": [],
        "layers/dense": [rng.normal(size=(4, 3)).astype("float32"), LITTLE],
        "layers/dropout": [],
        "optimizer": [np.int32(7), np.float32(0.1)],
    }


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.weights.h5"
    write_weights(path, tree())
    with h5py.File(path, "a") as file:
        del file["gazelle_sha256"]  # so that single arrays can be replaced
    return path


def replaced(path, where, **arguments):
    with h5py.File(path, "a") as file:
        del file[where]
        return file.create_dataset(where, **arguments)


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_weights(path)
    text = str(caught.value)
    assert os.path.basename(path) in text
    assert "expected" in text
    assert len(text) <= 300
    assert "\n" not in text
    return text


def same(found, expected):
    assert {path: len(arrays) for path, arrays in found.items()} == {
        path: len(arrays) for path, arrays in expected.items() if arrays
    }
    for path, arrays in found.items():
        for ours, theirs in zip(arrays, expected[path], strict=True):
            assert ours.dtype == np.asarray(theirs).dtype
            np.testing.assert_array_equal(ours, theirs)
    return True


# Writing and reading
# ---------------------------------------------------------------------------


def test_arrays_come_back_bit_for_bit_with_their_types(tmp_path):
    values = {
        "a": [np.array([1.0, np.nan, -np.inf]), np.float32(3), np.zeros((0, 2), "float32")],
        "a/b": [jnp.arange(3), Variable(np.array([True, False])), np.array([1.5], jnp.bfloat16)],
        "": [np.arange(6, dtype="uint8").reshape(2, 3).T],
    }
    write_weights(tmp_path / "w.weights.h5", values)
    same(read_weights(tmp_path / "w.weights.h5"), values)


def test_the_same_values_give_the_same_bytes(tmp_path):
    for name in "ab":
        write_weights(tmp_path / name, tree())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_object_is_accepted_as_a_path():
    file = io.BytesIO()
    write_weights(file, tree())
    assert same(read_weights(file), tree())


def test_a_failed_write_keeps_the_old_file_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_weights(path, tree())
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_weights(path, {"a": [np.ones(3), np.array([object()])]})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.weights.h5"]


def test_an_existing_file_is_kept_unless_overwrite_is_true(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_weights(path, tree())
    with pytest.raises(ArgumentError, match="overwrite=True"):
        write_weights(path, {}, overwrite=False)
    assert same(read_weights(path), tree())


def test_a_missing_folder_is_named_when_writing(tmp_path):
    with pytest.raises(ArgumentError, match="nowhere"):
        write_weights(tmp_path / "nowhere" / "w.weights.h5", tree())


def test_single_groups_can_be_read_and_specs_have_shapes_and_types(path):
    with open_weights(path) as file:
        assert [(spec.shape, str(spec.dtype)) for spec in file.specs["layers/dense"]] == [
            ((4, 3), "float32"),
            ((3,), "float32"),
        ]
        np.testing.assert_array_equal(file.read("optimizer")[0], 7)
        assert not file.has_digests


# Valid variants
# ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"data": LITTLE.astype(">f4")},
        {"data": LITTLE.astype("float16")},
        {"data": LITTLE.astype("float64")},
        {
            "data": LITTLE,
            "chunks": (2,),
            "compression": "gzip",
            "shuffle": True,
            "fletcher32": True,
        },
        {"data": LITTLE, "chunks": True, "maxshape": (None,)},
    ],
    ids=["big-endian", "float16", "float64", "gzip", "chunks"],
)
def test_other_ways_to_store_the_same_numbers_are_read(path, arguments):
    replaced(path, BIAS, **arguments)
    np.testing.assert_array_equal(read_weights(path)["layers/dense"][1], LITTLE)


def test_the_newest_hdf5_format_is_read(tmp_path, path):
    newest = tmp_path / "newest.weights.h5"
    with h5py.File(path) as source, h5py.File(newest, "w", libver="latest") as target:
        for name in source:
            source.copy(name, target)
    assert same(read_weights(newest), tree())


def test_attributes_added_by_users_are_ignored(path):
    with h5py.File(path, "a") as file:
        file.attrs["note"] = "my best run"
    assert same(read_weights(path), tree())


# Refused files
# ---------------------------------------------------------------------------


def test_a_missing_file_is_named_in_the_error(tmp_path):
    with pytest.raises(DataError, match=r"gone\.weights\.h5"):
        read_weights(tmp_path / "gone.weights.h5")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be opened"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"", "empty"),
        (b"\x89HDF", "truncated"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04" + bytes(100), "load_model"),
        (bytes(range(200)), "bytes"),
    ],
    ids=["empty", "truncated", "html", "zip", "random"],
)
def test_a_file_of_another_format_is_recognised(tmp_path, content, seen):
    path = tmp_path / "x.weights.h5"
    path.write_bytes(content)
    assert seen in refusal(path)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_truncated_file_is_refused_at_every_length(tmp_path, libver):
    path = tmp_path / "x.weights.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["layers/dense/vars/0"] = np.ones((40, 30), "float32")
    whole = path.read_bytes()
    for length in [*range(0, 120, 7), *range(120, len(whole), 211), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert "truncated" in refusal(path) or length == 0


def test_a_block_before_the_signature_is_refused(path):
    path.write_bytes(bytes(512) + path.read_bytes())
    refusal(path)


@pytest.mark.parametrize("where", [BIAS, "layers/dense/vars", "layers"])
@pytest.mark.parametrize(
    "link", [h5py.ExternalLink("secret.h5", "/x"), h5py.SoftLink("/optimizer/vars/1")]
)
def test_links_are_refused(path, where, link):
    with h5py.File(path.parent / "secret.h5", "w") as file:
        file["x"] = LITTLE
    with h5py.File(path, "a") as file:
        del file[where]
        file[where] = link
    assert "a link" in refusal(path)


def test_values_in_another_file_are_refused(path):
    secret = path.parent / "secret"
    secret.write_bytes(bytes(12))
    replaced(path, BIAS, shape=(3,), dtype="float32", external=[(str(secret), 0, 12)])
    assert "external" in refusal(path)


def test_virtual_datasets_are_refused(path):
    with h5py.File(path.parent / "secret.h5", "w") as file:
        file["x"] = LITTLE
    layout = h5py.VirtualLayout(shape=(3,), dtype="float32")
    layout[:] = h5py.VirtualSource(path.parent / "secret.h5", "x", shape=(3,))
    with h5py.File(path, "a") as file:
        del file[BIAS]
        file.create_virtual_dataset(BIAS, layout)
    assert "virtual" in refusal(path)


@pytest.mark.parametrize(
    "arguments",
    [
        {"shape": (2**50,), "dtype": "float64", "chunks": (1024,), "compression": "gzip"},
        {"shape": (2**29,), "dtype": "float32", "chunks": (1024,), "compression": "gzip"},
        {"shape": (2**29,), "dtype": "float32"},
        {"shape": (2**20, 2**20, 2**20, 2**20), "dtype": "float32", "chunks": (1, 1, 1, 1)},
        {"data": LITTLE, "chunks": (2**23,), "maxshape": (None,), "compression": "gzip"},
    ],
    ids=["gzip-2^50", "gzip-2^29", "unwritten", "overflow", "chunk"],
)
def test_arrays_that_declare_more_than_is_stored_are_refused_before_memory_is_taken(
    path, arguments
):
    replaced(path, BIAS, **arguments)
    assert "bytes are stored" in refusal(path)


def test_a_compressed_file_that_unpacks_to_too_much_needs_max_bytes(path):
    replaced(
        path, BIAS, data=np.zeros(20_000_000, "float32"), chunks=(1_000_000,), compression="gzip"
    )
    assert "max_bytes" in refusal(path)
    assert read_weights(path, max_bytes=10**8)["layers/dense"][1].shape == (20_000_000,)


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ({"data": np.array([b"1.5", b"2"])}, "text"),
        ({"data": ["1.5", "2"]}, "text"),
        ({"data": LITTLE.astype("complex64")}, "records"),
        ({"data": np.zeros(3, [("a", "f4"), ("b", "i4")])}, "records"),
        ({"shape": (3,), "dtype": h5py.vlen_dtype(np.float32)}, "ragged"),
        ({"shape": (3,), "dtype": h5py.ref_dtype}, "references"),
        ({"data": np.zeros(3, "V4")}, "class"),
        ({"data": np.zeros(3, np.longdouble)}, "class"),
        ({"data": h5py.Empty("f4")}, "without a shape"),
        ({"shape": (3,), "dtype": h5py.enum_dtype({"a": 0, "b": 1})}, "class"),
    ],
    ids=[
        "bytes",
        "strings",
        "complex",
        "records",
        "ragged",
        "references",
        "opaque",
        "longdouble",
        "null",
        "enum",
    ],
)
def test_other_objects_than_arrays_of_real_numbers_are_refused(path, arguments, seen):
    replaced(path, BIAS, **arguments)
    assert seen in refusal(path)


def test_a_filter_that_needs_a_plugin_is_refused(path):
    with h5py.File(path, "a") as file:
        del file[BIAS]
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((3,))
        plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((3,))
        h5py.h5d.create(file["layers/dense/vars"].id, b"1", h5py.h5t.IEEE_F32LE, space, plan)
    assert "filter 32015" in refusal(path)


def test_circular_groups_are_refused(path):
    with h5py.File(path, "a") as file:
        file["layers/dense/again"] = file["layers"]
    assert "circular" in refusal(path)
    with h5py.File(path, "a") as file:
        del file["layers/dense/again"]
        file["layers/root"] = file["/"]
    assert "circular" in refusal(path)


def test_very_deep_groups_are_refused(path):
    with h5py.File(path, "a") as file:
        file.create_group("/".join("g" * 60))
    assert "deep" in refusal(path)


@pytest.mark.parametrize(
    "where", ["stray", "layers/dense/kernel", "layers/dense/vars/00", "layers/vars/dense/0"]
)
def test_arrays_in_other_places_are_refused(path, where):
    with h5py.File(path, "a") as file:
        file[where] = LITTLE
    assert "vars/0" in refusal(path)


def test_a_gap_in_the_numbers_is_named(path):
    with h5py.File(path, "a") as file:
        file.move(BIAS, "layers/dense/vars/5")
    assert "number 1" in refusal(path)


def test_a_whole_model_in_the_old_format_is_recognised(tmp_path):
    path = tmp_path / "old.weights.h5"
    with h5py.File(path, "w") as file:
        file["model_weights/dense/dense/kernel"] = LITTLE
    assert "old .h5" in refusal(path)


def test_a_file_without_objects_is_refused(tmp_path):
    h5py.File(tmp_path / "bare.weights.h5", "w").close()
    assert "empty" in refusal(tmp_path / "bare.weights.h5")


def test_control_characters_in_names_are_escaped(path):
    with h5py.File(path, "a") as file:
        file["\x1b[31mred\n"] = LITTLE
    assert "\x1b" not in refusal(path)


# Digests
# ---------------------------------------------------------------------------


def test_every_flipped_bit_of_the_values_is_detected(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_weights(path, tree())
    with h5py.File(path) as file:
        start, size = file[KERNEL].id.get_offset(), file[KERNEL].id.get_storage_size()
    whole = path.read_bytes()
    for bit in range(0, size * 8, 5):
        damaged = bytearray(whole)
        damaged[start + bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert KERNEL in refusal(path)


def test_swapped_arrays_are_detected(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_weights(path, {"a": [np.ones(3), np.zeros(3)]})
    with h5py.File(path, "a") as file:
        file.move("a/vars/0", "kept")
        file.move("a/vars/1", "a/vars/0")
        file.move("kept", "a/vars/1")
    assert "a/vars/0" in refusal(path)


def test_an_added_or_removed_array_is_detected_with_a_fix(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_weights(path, tree())
    with h5py.File(path, "a") as file:
        file["layers/dense/vars/2"] = LITTLE
    assert "gazelle_sha256" in refusal(path)
    with h5py.File(path, "a") as file:
        del file["gazelle_sha256"]
    assert len(read_weights(path)["layers/dense"]) == 3


def test_an_array_that_a_layer_saves_itself_needs_a_plain_name(path):
    with pytest.raises(ArgumentError, match="a name that a file cannot have"):
        write_weights(path, {"layers/own": {"a/b": LITTLE}})
    assert read_weights(path).keys() == {"layers/dense", "optimizer"}
