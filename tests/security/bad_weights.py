"""Bad weights (H), in a `.keras` file and alone, and weights in several files (S)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from bad_kit import BIAS, KERNEL, Case, Kit, Make, content

Edit = Callable[[Any, Kit], Any]


def replaced(path: str, **options: Any) -> Edit:
    def edit(file: Any, kit: Kit) -> None:
        del file[path]
        file.create_dataset(path, **options)

    return edit


def removed(path: str) -> Edit:
    return lambda file, kit: file.__delitem__(path)


def linked(path: str, link: Any) -> Edit:
    def edit(file: Any, kit: Kit) -> None:
        del file[path]
        file[path] = link(kit) if callable(link) else link

    return edit


def to_other_file(place: str) -> Callable[[Kit], h5py.ExternalLink]:
    return lambda kit: h5py.ExternalLink(str(kit.trap / "other.h5"), place)


def external(file: Any, kit: Kit) -> None:
    del file[BIAS]
    stored = [(str(kit.secret_file), 0, 12)]
    file.create_dataset(BIAS, (3,), "f4", external=stored)


def virtual(file: Any, kit: Kit) -> None:
    del file[BIAS]
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(str(kit.trap / "other.h5"), "x", (3,))
    file.create_virtual_dataset(BIAS, layout)


def cycle(file: Any, kit: Kit) -> None:
    file["layers/dense/vars/again"] = file["layers"]


def unknown_filter(file: Any, kit: Kit) -> None:
    """A filter that is not built in, so that the HDF5 library would look for a plugin."""
    del file[BIAS]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((3,))
    plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple((3,))
    h5py.h5d.create(file["layers/dense/vars"].id, b"1", h5py.h5t.IEEE_F32LE, space, plan)


def group_there(file: Any, kit: Kit) -> None:
    del file[BIAS]
    file.create_group(BIAS)


def array_there(file: Any, kit: Kit) -> None:
    del file["layers/dense/vars"]
    file["layers/dense/vars"] = np.zeros(3, "f4")


def swapped_names(file: Any, kit: Kit) -> None:
    file["layers/dense/vars"].attrs["name"] = "another layer"


def with_attribute(value: Any) -> Edit:
    return lambda file, kit: file[BIAS].attrs.__setitem__("dtype", value)


GOOD_BIAS = np.array([1, 2, 3], "f4")
AS_FLOATS = replaced(BIAS, data=GOOD_BIAS)
_COMPOUND = np.zeros(3, [("a", "f4"), ("b", "i4")])

ROWS: list[tuple[str, str, Edit, str, Edit | None]] = [
    ("H01", "values stored in another file", external, "h5-external", None),
    ("H02", "layers are a link to another file", linked("layers", to_other_file("/layers")),
     "h5-link", None),
    ("H03", "array is a link to another file", linked(BIAS, to_other_file("/x")), "h5-link", None),
    ("H04", "vars are a link to another file",
     linked("layers/dense/vars", to_other_file("/layers/dense/vars")), "h5-link", None),
    ("H05", "array is a soft link", linked(BIAS, h5py.SoftLink(f"/{KERNEL}")), "h5-link", None),
    ("H06", "group is a soft link", linked("layers/dense", h5py.SoftLink("/optimizer")),
     "h5-link", None),
    ("H07", "virtual dataset", virtual, "h5-virtual", None),
    ("H08", "2^50 numbers, none stored",
     replaced(BIAS, shape=(2**50,), dtype="f8", chunks=(1024,), compression="gzip"), "h5-shape",
     replaced(BIAS, data=GOOD_BIAS, chunks=(3,), compression="gzip")),
    ("H09", "2^29 numbers, packed, none stored",
     replaced(BIAS, shape=(2**29,), dtype="f4", chunks=(1024,), compression="gzip"), "h5-shape",
     AS_FLOATS),
    ("H10", "2^29 numbers, none stored", replaced(BIAS, shape=(2**29,), dtype="f4"), "h5-shape",
     AS_FLOATS),
    ("H11", "transposed", replaced(KERNEL, data=np.zeros((3, 4), "f4")), "h5-mismatch",
     replaced(KERNEL, data=np.zeros((4, 3), "f4"))),
    ("H12", "shape (1, 3)", replaced(BIAS, data=np.zeros((1, 3), "f4")), "h5-mismatch", AS_FLOATS),
    ("H13", "one number", replaced(BIAS, data=np.float32(1)), "h5-mismatch", AS_FLOATS),
    ("H14", "whole numbers that float32 cannot hold",
     replaced(BIAS, data=np.array([1, 2, 2**60 + 1])), "h5-mismatch",
     replaced(BIAS, data=np.array([1, 2, 3]))),
    ("H15", "1e300 for float32", replaced(BIAS, data=np.array([1, 2, 1e300])), "h5-mismatch",
     replaced(BIAS, data=np.array([1.0, 2.0, 3.0]))),
    ("H16", "complex numbers", replaced(BIAS, data=np.zeros(3, "c8")), "h5-dtype", AS_FLOATS),
    ("H17", "true and false", replaced(BIAS, data=np.zeros(3, "?")), "h5-mismatch", AS_FLOATS),
    ("H18", "numbers as text", replaced(BIAS, data=np.array([b"1.5", b"2", b"3"])), "h5-dtype",
     AS_FLOATS),
    ("H19", "numbers as text of any length", replaced(BIAS, data=["1.5", "2", "3"]), "h5-dtype",
     AS_FLOATS),
    ("H20", "records", replaced(BIAS, data=_COMPOUND), "h5-dtype", AS_FLOATS),
    ("H21", "references to objects", replaced(BIAS, shape=(3,), dtype=h5py.ref_dtype), "h5-dtype",
     AS_FLOATS),
    ("H22", "NaN", replaced(BIAS, data=np.array([1, np.nan, 2], "f4")), "h5-nonfinite", AS_FLOATS),
    ("H23", "infinity", replaced(BIAS, data=np.array([1, np.inf, 2], "f4")), "h5-nonfinite",
     AS_FLOATS),
    ("H24", "array missing", removed(BIAS), "h5-mismatch", AS_FLOATS),
    ("H25", "layer missing", removed("layers/dense"), "h5-", AS_FLOATS),
    ("H26", "all layers missing", removed("layers"), "h5-", AS_FLOATS),
    ("H27", "one array more", lambda f, kit: f.create_dataset(f"{BIAS[:-1]}2", data=[1.0]),
     "h5-mismatch", AS_FLOATS),
    ("H28", "one layer more",
     lambda f, kit: f.create_dataset("layers/dense_1/vars/0", data=[1.0]), "h5-mismatch",
     AS_FLOATS),
    ("H29", "group within itself", cycle, "h5-", AS_FLOATS),
    ("H30", "group for an array", group_there, "h5-", AS_FLOATS),
    ("H31", "array for a group", array_there, "h5-", AS_FLOATS),
    ("H52", "name of 2,000 characters",
     lambda f, kit: f["layers/dense/vars"].create_dataset("n" * 2000, data=[1.0]), "h5-object",
     AS_FLOATS),
    ("H53", "type with a name", lambda f, kit: f.__setitem__("layers/dense/t", np.dtype("f4")),
     "h5-object", AS_FLOATS),
    ("H34", "array without a shape", replaced(BIAS, data=h5py.Empty("f4")), "h5-shape", AS_FLOATS),
    ("H35", "filter that needs a plugin", unknown_filter, "h5-filter",
     replaced(BIAS, data=GOOD_BIAS, chunks=(3,), shuffle=True)),
]  # fmt: skip
LEGAL = [
    ("H36", "big-endian", replaced(BIAS, data=np.array([1, 2, 3], ">f4")), "the same numbers"),
    ("H37", "float16", replaced(BIAS, data=np.array([1, 2, 3], "f2")), "the same numbers"),
    ("H38", "packed", replaced(BIAS, data=GOOD_BIAS, chunks=(3,), compression="gzip"),
     "the same numbers"),
    ("H32", "attribute that claims bfloat16", with_attribute("bfloat16"),
     "attributes are not read"),
    ("H33", "attribute that is an array", with_attribute(np.zeros(3)), "attributes are not read"),
    ("M9", "name of another layer in an attribute", swapped_names,
     "refused only if the model has a layer of that name in another place"),
]  # fmt: skip


def in_archive(edit: Edit | None) -> Make:
    return content(lambda kit: kit.archive(weights=edited(kit, edit)))


def alone(edit: Edit | None) -> Make:
    return content(lambda kit: edited(kit, edit), "m.weights.h5")


def edited(kit: Kit, edit: Edit | None) -> bytes:
    return kit.weights(None if edit is None else lambda file: edit(file, kit))


def cut(share: float | int) -> Callable[[bytes], bytes]:
    return lambda data: data[: share if isinstance(share, int) else int(share * len(data))]


BYTES: list[tuple[str, str, Callable[[bytes], bytes], str]] = [
    ("H40", "cut after 512 bytes", cut(512), "h5-truncated"),
    ("H40-0", "empty", cut(0), "h5-"),
    ("H40-1", "one byte", cut(1), "h5-"),
    ("H40-8", "8 bytes", cut(8), "h5-truncated"),
    ("H40-64", "64 bytes", cut(64), "h5-truncated"),
    ("H40-1024", "1,024 bytes", cut(1024), "h5-truncated"),
    ("H40-half", "half", cut(0.5), "h5-truncated"),
    ("H40-all", "one byte missing", lambda data: data[:-1], "h5-truncated"),
    ("H41", "random bytes", lambda data: bytes(range(7, 256)) * 8, "h5-kind"),
    ("H42", "web page", lambda data: b"<!doctype html><html>" + b" " * 500, "h5-kind"),
    (
        "H54",
        "structure of a group broken",
        lambda data: data.replace(b"TREE", b"TRxE"),
        "h5-damaged",
    ),
    ("H55", "names broken", lambda data: data.replace(b"HEAP", b"HExP"), "h5-damaged"),
    ("H43", "512 bytes in front", lambda data: bytes(512) + data, "h5-kind"),
]


# ---- Weights in several files ----


def sharded(change: Callable[[dict[str, Any], Path, Kit], Any] | None = None) -> Make:
    """An index and a file of weights, and a change of the index or of the folder."""

    def make(kit: Kit, folder: Path) -> Path:
        (folder / "m_00000.weights.h5").write_bytes(kit.weights())
        places = ("/layers/dense/vars", "/optimizer/vars")
        index = {"weight_map": dict.fromkeys(places, "m_00000.weights.h5")}
        changed = change(index, folder, kit) if change else None
        path = folder / "m.weights.json"
        path.write_text(json.dumps(index if changed is None else changed))
        return path

    return make


def mapped(value: Any) -> Callable[..., None]:
    def change(index: dict[str, Any], folder: Path, kit: Kit) -> None:
        found = value(kit) if callable(value) else value
        index["weight_map"]["/layers/dense/vars"] = found

    return change


def as_link(index: dict[str, Any], folder: Path, kit: Kit) -> None:
    shard = folder / "m_00000.weights.h5"
    shard.unlink()
    shard.symlink_to(kit.trap / "other.h5")


def gone(index: dict[str, Any], folder: Path, kit: Kit) -> None:
    os.remove(folder / "m_00000.weights.h5")


def second(index: dict[str, Any], folder: Path, kit: Kit) -> None:
    """A second file with the same arrays."""
    (folder / "m_00001.weights.h5").write_bytes(kit.weights())
    for where in index["weight_map"]:
        index["weight_map"][where] = ["m_00000.weights.h5", "m_00001.weights.h5"]


def index_folder(kit: Kit, folder: Path) -> Path:
    (folder / "m.weights.json").mkdir()
    return folder / "m.weights.json"


# ---- safetensors ----


def tensors(change: Callable[[dict[str, Any], bytes], tuple[Any, bytes]]) -> Make:
    """A `.safetensors` file with a changed header, or other data."""

    def make(kit: Kit) -> bytes:
        size = int.from_bytes(kit.tensors[:8], "little")
        header, data = json.loads(kit.tensors[8 : 8 + size]), kit.tensors[8 + size :]
        header, data = change(header, data)
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + data

    return content(make, "m.safetensors")


def entry(**changed: Any) -> Make:
    """The entry of the bias changed."""
    return tensors(
        lambda header, data: ({**header, "d/bias": {**header["d/bias"], **changed}}, data)
    )


def raw(change: Callable[[bytes], bytes]) -> Make:
    return content(lambda kit: change(kit.tensors), "m.safetensors")


def tensors_folder(kit: Kit, folder: Path) -> Path:
    (folder / "m.safetensors").mkdir()
    return folder / "m.safetensors"


GOOD_TENSORS = raw(lambda data: data)
TENSORS: list[tuple[str, str, Make, str]] = [
    ("F01", "header of 2^60 bytes", raw(lambda data: (1 << 60).to_bytes(8, "little") + data[8:]),
     "safetensors-"),
    ("F02", "header that is not JSON", tensors(lambda header, data: (b"{nothing", data)),
     "safetensors-"),
    ("F03", "numbers behind the end", entry(data_offsets=[1 << 40, (1 << 40) + 12]),
     "safetensors-"),
    ("F04", "arrays that share bytes", entry(data_offsets=[4, 16]), "safetensors-"),
    ("F05", "bytes of no array", tensors(lambda header, data: (header, data + bytes(8))),
     "safetensors-"),
    ("F06", "shape that does not fit", entry(shape=[7]), "safetensors-"),
    ("F07", "type that is not known", entry(dtype="F80"), "safetensors-"),
    ("F08", "shape of 2^60 x 2^60", entry(shape=[1 << 60, 1 << 60]), "safetensors-"),
    ("F09", "cut", raw(lambda data: data[:-5]), "safetensors-"),
    ("F10", "empty", raw(lambda data: b""), "safetensors-"),
    ("F11", "web page", raw(lambda data: b"<html>" + b" " * 100), "safetensors-"),
    ("F12", "array missing",
     tensors(lambda header, data: ({"d/bias": {**header["d/bias"], "data_offsets": [0, 12]}},
                                   bytes(12))), ""),
    ("F13", "NaN", tensors(lambda header, data: (header, b"\xff" * len(data))), "h5-nonfinite"),
    ("F15", "folder", tensors_folder, "file-unreadable"),
    ("F16", "numbers of 8 bits", entry(dtype="F8_E4M3", shape=[12]), "safetensors-"),
    ("F14", "complex numbers", entry(dtype="C64"), "safetensors-"),
]  # fmt: skip
SHARDS = [
    ("S01", "file in another folder", mapped("../m_00000.weights.h5"), "shard-name"),
    ("S02", "absolute path", mapped(lambda kit: str(kit.trap / "other.h5")), "shard-name"),
    ("S03", "file missing", gone, "file-unreadable"),
    ("S04", "list instead of an object", lambda index, folder, kit: [index], "shard-index"),
    ("S05", "no weight_map", lambda index, folder, kit: {"metadata": {}}, "shard-index"),
    ("S06", "number as file", mapped(3), "shard-name"),
    ("S07", "file named 100,000 times", mapped(["m_00000.weights.h5"] * 100_000), "shard-"),
    ("S08", "file is a link", as_link, "shard-link"),
    ("S09", "layer that the file does not have",
     lambda index, folder, kit: index["weight_map"].update({"/x/vars": "m_00000.weights.h5"}),
     "shard-index"),
    ("S11", "arrays in two files", second, "shard-twice"),
    ("S10", "web page", lambda index, folder, kit: "<html>", "shard-index"),
]  # fmt: skip


def _code_alone(code: str) -> str:
    """`load_weights` tells what does not match in Keras's words, without a code."""
    return "" if code in ("h5-mismatch", "h5-") else code


CASES = [
    *(
        Case(id, what, in_archive(edit), code, twin=in_archive(twin))
        for id, what, edit, code, twin in ROWS
    ),
    *(
        Case(
            f"{id}w",
            f"{what}, in .weights.h5",
            alone(edit),
            _code_alone(code),
            "weights",
            twin=alone(twin),
        )
        for id, what, edit, code, twin in ROWS
    ),
    Case(
        "M13",
        "state of another optimizer",
        in_archive(removed("optimizer/vars/1")),
        "h5-mismatch",
        twin=in_archive(AS_FLOATS),
    ),
    Case(
        "M13w",
        "state of another optimizer, in .weights.h5",
        alone(removed("optimizer/vars/1")),
        kind="weights",
        loads="a warning says that the state of the optimizer is skipped",
    ),
    *(
        Case(
            f"{id}{end}",
            what,
            make(edit),
            kind=kind,
            loads=why,
            expects="[1.0, 2.0, 3.0]" if "numbers" in why else "",
        )
        for id, what, edit, why in LEGAL
        for end, make, kind in (("", in_archive, "model"), ("w", alone, "weights"))
    ),
    *(
        Case(
            f"{id}{end}",
            what if not end else f"{what}, in .weights.h5",
            content(lambda kit, change=change, wrap=wrap: wrap(kit, change(kit.weights())), name),
            code,
            kind,
            twin=content(lambda kit, wrap=wrap: wrap(kit, kit.weights()), name),
        )
        for id, what, change, code in BYTES
        for end, name, kind, wrap in (
            ("", "m.keras", "model", lambda kit, data: kit.archive(weights=data or b"")),
            ("w", "m.weights.h5", "weights", lambda kit, data: data),
        )
        if not (id == "H40-0" and not end)  # an empty member is left out: Z03
    ),
    *(
        Case(id, f"shards: {what}", sharded(change), code, "weights", twin=sharded())
        for id, what, change, code in SHARDS
    ),
    Case(
        "S12",
        "shards: folder instead of the index",
        index_folder,
        "file-unreadable",
        "weights",
        twin=sharded(),
    ),
    *(
        Case(id, f"safetensors: {what}", make, code, "tensors", twin=GOOD_TENSORS)
        for id, what, make, code in TENSORS
    ),
]
