"""Loading into variables: all values match and are assigned, or nothing is changed."""

import h5py
import numpy as np
import pytest

from gazelle._core.errors import DataError, ModelFileError
from gazelle._core.variable import Variable
from gazelle._formats.h5 import open_weights, write_weights
from gazelle.models._loading import load_from

KERNEL = np.arange(12, dtype="float32").reshape(4, 3)
BIAS = np.array([1.5, -2.5, 3.0], "float32")


def load_variables(path, variables, **options):
    with open_weights(path) as file:
        return load_from(file, variables, **options)


def variables(extra=()):
    return {
        "": [],
        "layers/dense": [
            Variable(np.zeros((4, 3), "float32"), name="kernel"),
            Variable(np.zeros(3, "float32"), name="bias"),
        ],
        "layers/dense_1": [Variable(np.zeros((3, 1), "float32"), name="kernel")],
        **dict(extra),
    }


def saved(path, **changes):
    content = {"layers/dense": [KERNEL, BIAS], "layers/dense_1": [np.ones((3, 1), "float32")]}
    content.update(changes)
    write_weights(path, {name: arrays for name, arrays in content.items() if arrays is not None})
    return path


def all_zero(targets):
    return all(not v.numpy().any() for group in targets.values() for v in group)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.weights.h5"


def test_values_are_assigned_to_the_variables(path):
    targets = variables()
    assert load_variables(saved(path), targets) == []
    np.testing.assert_array_equal(targets["layers/dense"][0], KERNEL)
    np.testing.assert_array_equal(targets["layers/dense"][1], BIAS)
    np.testing.assert_array_equal(targets["layers/dense_1"][0], np.ones((3, 1)))


def test_nan_is_loaded_as_it_is_on_request(path):
    targets = variables()
    bias = np.array([np.nan, np.inf, 0], "float32")
    file = saved(path, **{"layers/dense": [KERNEL, bias]})
    with pytest.raises(ModelFileError, match="h5-nonfinite"):
        load_variables(file, targets)
    assert all_zero(targets)
    load_variables(file, targets, allow_nonfinite=True)
    np.testing.assert_array_equal(targets["layers/dense"][1], [np.nan, np.inf, 0])


MISFITS = {
    "transposed": (
        {"layers/dense": [KERNEL.T, BIAS]},
        r"kernel has shape \(3, 4\) in the file, \(4, 3\) in the model",
    ),
    "broadcastable": ({"layers/dense": [KERNEL, BIAS[None]]}, r"bias has shape \(1, 3\)"),
    "scalar": ({"layers/dense": [KERNEL, np.float32(1)]}, r"bias has shape \(\)"),
    "bias missing": ({"layers/dense": [KERNEL]}, "1 arrays in the file, 2 in the model"),
    "array too many": (
        {"layers/dense": [KERNEL, BIAS, BIAS]},
        "3 arrays in the file, 2 in the model",
    ),
    "layer missing": ({"layers/dense_1": None}, "layers/dense_1: not in the file"),
    "layer too many": (
        {"layers/dense_2": [BIAS]},
        "layers/dense_2: 1 arrays in the file, none in the model",
    ),
    "model's own too many": ({"": [BIAS]}, "the model itself: 1 arrays in the file, none"),
    "bool": (
        {"layers/dense": [KERNEL, BIAS > 0]},
        "bias is bool in the file, float32 in the model",
    ),
    "overflow": (
        {"layers/dense": [KERNEL, np.array([0, 1e300, 0])]},
        r"bias holds 1e\+300, which float32 cannot hold",
    ),
    "odd integer": ({"layers/dense": [KERNEL, np.array([0, 2**24 + 1, 0])]}, "bias holds 16777217"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_mismatch_is_refused_and_changes_nothing(path, name):
    changes, text = MISFITS[name]
    targets = variables()
    with pytest.raises(DataError, match=text) as caught:
        load_variables(saved(path, **changes), targets)
    assert "A total of 1 objects could not be loaded" in str(caught.value)
    assert "m.weights.h5" in str(caught.value)
    assert "skip_mismatch=True" in str(caught.value)
    assert all_zero(targets)


@pytest.mark.parametrize(
    "values", [BIAS.astype("float64"), BIAS.astype("float16"), np.array([1, 2, 3])]
)
def test_values_that_the_variable_can_hold_are_converted(path, values):
    targets = variables()
    load_variables(saved(path, **{"layers/dense": [KERNEL, values]}), targets)
    np.testing.assert_array_equal(targets["layers/dense"][1], values)
    assert targets["layers/dense"][1].dtype == "float32"


@pytest.mark.parametrize(("value", "fits"), [(2**31 - 1, True), (2**31, False), (-5.0, False)])
def test_integer_variables_take_integers_in_their_range_only(path, value, fits):
    counter = Variable(np.int32(0), name="counter")
    write_weights(path, {"": [np.asarray(value)]})
    if fits:
        load_variables(path, {"": [counter]})
        assert int(counter) == value
    else:
        with pytest.raises(DataError, match="counter"):
            load_variables(path, {"": [counter]})
        assert int(counter) == 0


def test_with_skip_mismatch_the_rest_is_loaded_and_a_warning_names_the_skipped_groups(path):
    targets = variables()
    with pytest.warns(UserWarning, match="layers/dense: kernel has shape"):
        left_out = load_variables(
            saved(path, **{"layers/dense": [KERNEL.T, BIAS]}), targets, skip_mismatch=True
        )
    assert left_out == ["layers/dense"]
    assert not targets["layers/dense"][1].numpy().any()
    np.testing.assert_array_equal(targets["layers/dense_1"][0], np.ones((3, 1)))


def test_a_model_without_optimizer_ignores_the_state_in_the_file(path):
    targets = variables()
    assert load_variables(saved(path, optimizer=[np.int32(3)]), targets) == []
    assert targets["layers/dense_1"][0].numpy().all()


def test_a_file_without_optimizer_state_keeps_that_of_the_model(path):
    counter = Variable(np.int32(5))
    assert load_variables(saved(path), variables({"optimizer": [counter]})) == []
    assert int(counter) == 5


def test_the_state_of_another_optimizer_is_skipped_with_a_warning(path):
    counter = Variable(np.int32(5))
    targets = variables({"optimizer": [counter]})
    with pytest.warns(UserWarning, match="optimizer: 2 arrays in the file, 1 in the model"):
        assert load_variables(saved(path, optimizer=[np.int32(3), BIAS]), targets) == ["optimizer"]
    assert int(counter) == 5
    assert targets["layers/dense_1"][0].numpy().all()


def test_damaged_values_change_nothing_even_with_skip_mismatch(path):
    saved(path)
    with h5py.File(path, "r+") as file:
        file["layers/dense_1/vars/0"][0, 0] = 9.0
    targets = variables()
    with pytest.raises(DataError, match="layers/dense_1/vars/0"):
        load_variables(path, targets, skip_mismatch=True)
    assert all_zero(targets)


def test_a_huge_array_is_refused_by_its_shape_before_it_is_read(path):
    saved(path)
    with h5py.File(path, "r+") as file:
        del file["layers/dense/vars/1"], file["gazelle_sha256"]
        big = np.zeros(30_000_000, "float32")
        file.create_dataset(
            "layers/dense/vars/1", data=big, chunks=(1_000_000,), compression="gzip"
        )
    with pytest.raises(DataError, match=r"shape \(30000000,\) in the file"):
        load_variables(path, variables())
