"""Checks before training: mistakes are found with their place and a fix, clean tasks pass."""

import tracemalloc
import warnings
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from jax.experimental import sparse
from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

from gazelle._core.errors import (
    ArgumentError,
    ArgumentTypeError,
    CheckWarning,
    DataError,
    ShapeError,
)
from gazelle._data.checks import (
    as_numeric,
    check_class_weight,
    check_finite,
    check_lengths,
    check_output_matches,
    check_sample_weight,
    check_targets,
    class_weights_to_sample_weights,
    column_names,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype("float32")
LABELS = np.arange(40) % 3
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
FRAME = pd.DataFrame({"age": [30.0, 41.0, 25.0], "city": ["Rome", "Oslo", "Oslo"]})


class Tensor:
    """A tensor of another library, as NumPy sees it."""

    def __init__(self, values, error=None):
        self.values, self.error = values, error

    def __array__(self, dtype=None, copy=None):
        if self.error:
            raise self.error
        return np.asarray(self.values, dtype)


def changed(array, index, value, dtype=None):
    array = np.array(array, dtype=dtype)
    array[index] = value
    return array


def targets(loss, y, output_shape, **arguments):
    return lambda: check_targets(loss, y, output_shape, **arguments)


def output(*arguments):
    return lambda: check_output_matches(*arguments)


def finite(name, array, columns=None):
    return lambda: check_finite(name, array, columns)


def numeric(name, value):
    return lambda: as_numeric(name, value)


SPARSE, CATEGORICAL, BINARY = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)

# Mistake: (action, error, parts of the message: argument, offending value, place, fix).
MISTAKES = {
    "text column": (
        numeric("x", FRAME),
        DataError,
        ["x holds text", "'Rome'", "row 0, column 'city'", "encode"],
    ),
    "numbers as text": (
        numeric("x", np.array([["1.5", "2"]])),
        DataError,
        ["x", "'1.5'", "row 0", ".astype("],
    ),
    "text labels": (
        numeric("y", np.array(["cat", "dog"])),
        DataError,
        ["y", "'cat'", "row 0", "return_inverse"],
    ),
    "text in objects": (
        numeric("x[0]", np.array([[1, 2.5], [3, "n/a"]], object)),
        DataError,
        ["x[0]", "'n/a'", "row 1, column 1", "encode"],
    ),
    "dates": (
        numeric("x", pd.DataFrame({"t": pd.to_datetime(["2020-01-02"])})),
        DataError,
        ["x", "2020-01-02", "column 't'", "days"],
    ),
    "dates among numbers": (
        numeric("x", pd.DataFrame({"n": [1], "t": pd.to_datetime(["2020-01-02"])})),
        DataError,
        ["x", "2020-01-02", "column 't'", "days"],
    ),
    "missing value": (
        numeric("validation x", pd.DataFrame({"a": [1, None]}, dtype="Int64").astype(object)),
        DataError,
        ["validation x", "<NA>", "row 1, column 'a'", "fillna"],
    ),
    "none": (numeric("x", [[1.0], [None]]), DataError, ["x", "None", "row 1, column 0", "dropna"]),
    "masked": (
        numeric("x", np.ma.masked_equal([1, 2], 2)),
        DataError,
        ["x", "masked", "row 1", "filled"],
    ),
    "complex": (
        numeric("x", np.array([1 + 2j])),
        DataError,
        ["x", "(1+2j)", "row 0", "real and imaginary"],
    ),
    "records": (
        numeric("x", np.zeros(3, [("a", "f4")])),
        DataError,
        ["x", "dtype [('a'", "structured_to_un"],
    ),
    "ragged rows": (numeric("x", [[1, 2], [3]]), DataError, ["x", "the same length"]),
    "arrays in objects": (
        numeric("x", pd.Series([np.ones(2), np.ones(2)])),
        DataError,
        ["x", "ndarray at row 0", "np.stack"],
    ),
    "some object": (
        numeric("x", np.array([1, {1}, 2], object)),
        DataError,
        ["x", "{1}", "row 1", "fix"],
    ),
    "empty": (numeric("x", np.zeros((0, 3))), DataError, ["x is empty", "(0, 3)", "split"]),
    "sparse": (
        numeric("x", scipy.sparse.eye(3)),
        ArgumentTypeError,
        ["x", "(3, 3)", "x.toarray()"],
    ),
    "jax sparse": (
        numeric("x", sparse.BCOO.fromdense(jnp.eye(2))),
        ArgumentTypeError,
        ["x", "BCOO", "x.todense()"],
    ),
    "no data": (
        numeric("x", "data.csv"),
        ArgumentTypeError,
        ["Unrecognized data type", "'data.csv'", "NumPy array"],
    ),
    "tensor with gradient": (
        numeric("x", Tensor([1], RuntimeError("requires grad"))),
        DataError,
        ["x", "requires grad", ".detach().cpu().numpy()"],
    ),
    "integer past 32 bits": (
        numeric("x", changed(np.ones((5, 2), "int64"), (3, 1), 2**40 + 5)),
        DataError,
        ["x", str(2**40 + 5), "row 3, column 1", "np.unique"],
    ),
    "unsigned past 32 bits": (
        numeric("x", np.array([1, 2**63], "uint64")),
        DataError,
        ["x", str(2**63), "row 1", "float32"],
    ),
    "float past float32": (
        numeric("x", pd.DataFrame({"a": [1.0, 2.0], "b": [-1e300, 0.0]})),
        DataError,
        ["x", "-1e+300", "row 0, column 'b'", "scale"],
    ),
    "nan": (
        finite("x", changed(X, (7, 2), np.nan), ["a", "b", "c"]),
        DataError,
        ["x holds 1 value", "1 NaN, 0 infinite", "nan at row 7, column 'c'", "replace"],
    ),
    "inf": (
        finite("x[1]", changed(X, (0, 0), -np.inf)),
        DataError,
        ["x[1]", "-inf at row 0, column 0", "replace"],
    ),
    "nan target": (
        finite("y", changed(X[:, 0], 5, np.nan)),
        DataError,
        ["y", "nan at row 5", "x[keep], y[keep]"],
    ),
    "lengths": (
        lambda: check_lengths({"x": X, "y": LABELS[:30], "sample_weight": None}),
        ShapeError,
        ["Data cardinality is ambiguous", "x: 40, y: 30", "fix"],
    ),
    "labels from 1": (
        targets(SPARSE, LABELS + 1, (None, 3)),
        DataError,
        ["y holds labels outside 0 to 2", "3 at row 2", "subtract 1"],
    ),
    "label too large": (
        targets(SPARSE, changed(LABELS, 9, 7), (None, 3)),
        DataError,
        ["y", "7 at row 9", "8 units"],
    ),
    "label -1": (
        targets(
            "SparseCategoricalCrossentropy", changed(LABELS, 4, -1), (None, 3), name="validation y"
        ),
        DataError,
        ["validation y", "-1 at row 4", "ignore_class=-1"],
    ),
    "label 0.5": (
        targets(SPARSE, changed(LABELS, (3,), 0.5, float), (None, 3), name="y['kind']"),
        DataError,
        ["y['kind'] holds labels", "0.5 at row 3", "regression"],
    ),
    "sparse over one unit": (
        targets(SPARSE, LABELS % 2, (None, 1)),
        DataError,
        ["y", "1 at row 1", "binary_crossentropy"],
    ),
    "one-hot for sparse": (
        targets(SPARSE, ONE_HOT, (None, 3)),
        ShapeError,
        ["y is one-hot", "(samples, 3)", "use categorical_crossentropy", "argmax"],
    ),
    "scores for sparse": (
        targets(SPARSE, X, (None, 3)),
        ShapeError,
        ["y", "(samples, 3)", "one label per sample"],
    ),
    "labels for categorical": (
        targets(CATEGORICAL, LABELS, (None, 3)),
        ShapeError,
        ["y", "(samples,)", "use sparse_categorical_crossentropy", "to_categorical(y, 3)"],
    ),
    "column labels for categorical hinge": (
        targets("categorical_hinge", LABELS[:, None], (None, 3)),
        ShapeError,
        ["y", "(samples, 1)", "to_categorical(y, 3)"],
    ),
    "classes too many": (
        targets(CATEGORICAL, np.eye(4)[LABELS], (None, 3)),
        ShapeError,
        ["y", "(samples, 4)", "4 units"],
    ),
    "negative one-hot": (
        targets(CATEGORICAL, 2 * ONE_HOT - 1, (None, 3)),
        DataError,
        ["y", "-1", "to_categorical"],
    ),
    "binary -1/1": (
        targets(BINARY, 2 * (LABELS % 2) - 1, (None, 1)),
        DataError,
        ["y", "-1 at row 0", "(y + 1) / 2"],
    ),
    "binary 1/2": (
        targets(BINARY, LABELS % 2 + 1, (None, 1)),
        DataError,
        ["y", "2 at row 1", "subtract 1"],
    ),
    "binary three classes": (
        targets("BinaryCrossentropy", LABELS, (None, 1)),
        DataError,
        ["y", "2 at row 2", SPARSE, "3 units"],
    ),
    "binary bytes": (
        targets(BINARY, np.full((40, 3), 200, "uint8"), (None, 3)),
        DataError,
        ["y", "200 at row 0", "y / 255"],
    ),
    "binary one-hot": (
        targets(BINARY, ONE_HOT[:, :2], (None, 1)),
        ShapeError,
        ["y", "(samples, 2)", "argmax"],
    ),
    "binary labels for many units": (
        targets("bce", LABELS, (None, 3)),
        ShapeError,
        ["y", "(samples,)", "to_categorical(y, 3)"],
    ),
    "hinge classes": (
        targets("hinge", LABELS, (None, 1)),
        DataError,
        ["y", "0 at row 0", "np.where"],
    ),
    "mse broadcast": (
        targets("mse", X, (None, 1)),
        ShapeError,
        ["y", "(samples, 3)", "expected: (samples, 1)", "3 unit(s)"],
    ),
    "mse units": (
        targets("MeanSquaredError", X[:, 0], (None, 3)),
        ShapeError,
        ["y", "(samples,)", "1 unit(s)"],
    ),
    "weight for no class": (
        lambda: check_class_weight({0: 1.0, 5: 2.0}, LABELS),
        ArgumentError,
        ["class_weight", "5", "from 0 to 2", "that occur in y"],
    ),
    "weight by name": (
        lambda: check_class_weight({"x": 5.0}, LABELS),
        ArgumentError,
        ["class_weight", "'x'", "not the class names"],
    ),
    "negative class weight": (
        lambda: check_class_weight({1: -2.0}, LABELS),
        ArgumentError,
        ["class_weight", "class 1", "-2.0", "fix"],
    ),
    "nan class weight": (
        lambda: check_class_weight({1: np.nan}, LABELS),
        ArgumentError,
        ["class_weight", "nan", "fix"],
    ),
    "class weight list": (
        lambda: check_class_weight([1, 2], LABELS),
        ArgumentTypeError,
        ["class_weight", "[1, 2]", "balanced"],
    ),
    "weights too few": (
        lambda: check_sample_weight(np.ones(39), 40),
        ShapeError,
        ["sample_weight", "(39,)", "40", "class_weight"],
    ),
    "nan weight": (
        lambda: check_sample_weight(
            changed(np.ones(40), 3, np.nan), 40, "validation sample_weight"
        ),
        DataError,
        ["validation sample_weight", "nan at row 3", "fix"],
    ),
    "text weight": (
        lambda: check_sample_weight(["a"] * 40, 40),
        DataError,
        ["sample_weight", "'a'", "row 0", "fix"],
    ),
}

# What is allowed but nearly always a mistake: (action, parts of the warning).
SUSPICIONS = {
    "softmax of one": (output("mse", "softmax", (None, 1)), ["softmax over 1 unit", "sigmoid"]),
    "classes of one": (
        output(SPARSE, "sigmoid", (None, 1)),
        [SPARSE, "1 unit", "binary_crossentropy"],
    ),
    "linear": (
        output(SPARSE, "linear", (None, 3)),
        [SPARSE, "linear", "softmax", "from_logits=True"],
    ),
    "linear binary": (
        output("BinaryCrossentropy", "linear", (None, 1)),
        ["linear", "sigmoid", "from_logits=True"],
    ),
    "relu": (output(CATEGORICAL, "relu", (None, 3)), [CATEGORICAL, "relu", "softmax"]),
    "tanh binary": (output(BINARY, "tanh", (None, 1)), [BINARY, "tanh", "sigmoid"]),
    "sigmoid classes": (
        output(CATEGORICAL, "sigmoid", (None, 3)),
        [CATEGORICAL, "sigmoid", "softmax"],
    ),
    "logits twice": (
        output(SPARSE, "softmax", (None, 3), True),
        ["from_logits=True", "softmax", "Leave out"],
    ),
    "hinge sigmoid": (output("hinge", "sigmoid", (None, 1)), ["hinge", "sigmoid", "tanh"]),
    "poisson linear": (
        output("poisson", "linear", (None, 1)),
        ["poisson", "linear", "exponential"],
    ),
    "several classes at once": (
        targets(CATEGORICAL, changed(ONE_HOT, (6, slice(None)), 1), (None, 3)),
        ["y", "row 6", "adds up to 3", "binary_crossentropy and sigmoid"],
    ),
    "several classes at once, logits": (
        targets(CATEGORICAL, changed(ONE_HOT, (6, slice(None)), 1), (None, 3), from_logits=True),
        ["row 6", "binary_crossentropy(from_logits=True)"],
    ),
    "negative counts": (
        targets("poisson", changed(LABELS, 8, -2), (None, 1)),
        ["y", "-2 at row 8", "poisson", "mse"],
    ),
    "negative msle": (
        targets("msle", X[:, 0], (None, 1)),
        ["y", "mean_squared_logarithmic_error", "targets >= 0"],
    ),
    "mape of zero": (targets("mape", LABELS, (None, 1)), ["y", "0 at row 0", "divides", "mae"]),
    "negative weights": (
        lambda: check_sample_weight(changed(np.ones(40), 4, -1), 40),
        ["sample_weight", "-1.0 at row 4", "negative"],
    ),
    "no weights": (
        lambda: check_sample_weight(np.zeros(40), 40),
        ["sample_weight", "0 for every sample"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_argument_value_and_fix(mistake):
    act, error, named = MISTAKES[mistake]
    with pytest.raises(error) as caught:
        act()
    text = str(caught.value)
    for part in named:
        assert part in text
    assert "fix: " in text
    assert len(text) < 500


@pytest.mark.parametrize("suspicion", SUSPICIONS)
def test_a_likely_mistake_is_warned_of_with_a_way_out(suspicion):
    act, named = SUSPICIONS[suspicion]
    with pytest.warns(CheckWarning) as caught:
        act()
    assert len(caught) == 1
    for part in named:
        assert part in str(caught[0].message)


def test_the_tables_of_mistakes_are_large_enough():
    assert len(MISTAKES) >= 25
    assert len(SUSPICIONS) >= 10


# Clean tasks: (x, y, loss, output shape, activation, from_logits, further arguments).
IMAGES = RNG.integers(0, 256, (40, 4, 4), dtype="uint8")
CLEAN = {
    "digits": (IMAGES, LABELS.astype("uint8"), SPARSE, (None, 3), "softmax", False),
    "labels in a column": (X, LABELS[:, None], SPARSE, (None, 3), "softmax", False),
    "labels as floats": (
        X,
        LABELS.astype("float32"),
        "SparseCategoricalCrossentropy",
        (None, 3),
        "softmax",
        False,
    ),
    "classes that do not occur": (X, LABELS, SPARSE, (None, 10), "softmax", False),
    "logits": (X, LABELS, SPARSE, (None, 3), "linear", True),
    "labels in time": (X, np.zeros((40, 5), int), SPARSE, (None, 5, 3), "softmax", False),
    "one-hot": (X, ONE_HOT, CATEGORICAL, (None, 3), "softmax", False),
    "smoothed labels": (X, ONE_HOT * 0.9 + 0.1 / 3, CATEGORICAL, (None, 3), "softmax", False),
    "one-hot bytes": (
        X,
        ONE_HOT.astype("uint8"),
        "CategoricalCrossentropy",
        (None, 3),
        "linear",
        True,
    ),
    "yes or no": (X, LABELS % 2, BINARY, (None, 1), "sigmoid", False),
    "yes or no as bool": (X, LABELS[:, None] == 1, BINARY, (None, 1), "sigmoid", False),
    "two units, one-hot": (X, ONE_HOT[:, :2], BINARY, (None, 2), "softmax", False),
    "several at once": (X, (X > 0).astype("float32"), BINARY, (None, 3), "sigmoid", False),
    "autoencoder": (
        IMAGES / 255,
        IMAGES.reshape(40, 16) / 255,
        BINARY,
        (None, 16),
        "sigmoid",
        False,
    ),
    "hinge": (X, np.where(LABELS == 1, 1, -1), "hinge", (None, 1), "tanh", False),
    "squared hinge of 0 and 1": (X, LABELS % 2, "SquaredHinge", (None, 1), "linear", False),
    "regression": (X, X[:, 0], "mse", (None, 1), "linear", False),
    "regression of a table": (
        pd.DataFrame(X),
        pd.Series(X[:, 0]),
        "mae",
        (None, 1),
        "linear",
        False,
    ),
    "several targets": (X, X * 1e6, "huber", (None, 3), "linear", False),
    "counts": (X, LABELS, "poisson", (None, 1), "exponential", False),
    "positive target": (X, np.abs(X[:, :1]) + 1, "mape", (None, 1), "relu", False),
    "a loss of the user's own": (X, np.full(40, -7), "my_loss", (None, 5), "my_activation", False),
    "an activation of the user's own": (X, LABELS, SPARSE, (None, 3), "sharp_softmax", False),
    "unknown last step": (X, LABELS, SPARSE, (None, 3), None, False),
    "sizes not known": (X, X, "mse", (None, None), "linear", False),
    "a layer of shape (samples,)": (X, X[:, :1], "mse", (None,), "linear", False),
}


@pytest.mark.parametrize("task", CLEAN)
def test_a_clean_task_raises_no_alarm(task):
    x, y, loss, shape, activation, from_logits = CLEAN[task]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x_array, y_array = as_numeric("x", x), as_numeric("y", y)
        check_finite("x", x_array, column_names(x))
        check_finite("y", y_array)
        check_lengths({"x": x_array, "y": y_array})
        check_targets(loss, y_array, shape, from_logits=from_logits)
        check_output_matches(loss, activation, shape, from_logits)
        check_sample_weight(np.linspace(0, 1, 40), 40)


def test_at_least_twenty_clean_tasks_are_tried():
    assert len(CLEAN) >= 20


# Conversion
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
        ((1.5, 2), np.array([1.5, 2])),
        ([np.float32(1), 2], np.array([1.0, 2.0])),
        (Tensor([[1.0]]), np.array([[1.0]])),
        (pd.DataFrame({"a": [1, 2], "b": [True, False]}), np.array([[1, 1], [2, 0]])),
        (pd.DataFrame({"a": [1, 2], "b": [0.5, 1]}), np.array([[1, 0.5], [2, 1]])),
        (pd.Series([1, 2], dtype="Int64").astype(object), np.array([1, 2])),
        (np.array([1, 2.5, Fraction(1, 2)], object), np.array([1, 2.5, 0.5])),
        (np.array([True, np.int8(2)], object), np.array([1, 2])),
        (np.array([10**30, 1], object), np.array([1e30, 1])),
        (np.array([1, 2], ">f4"), np.array([1, 2], "f4")),
        (np.array([1, 2], np.longdouble), np.array([1.0, 2.0])),
        (np.ma.array([1, 2], mask=False), np.array([1, 2])),
    ],
)
def test_numbers_in_any_wrapping_become_an_array(value, expected):
    array = as_numeric("x", value)
    assert type(array) is np.ndarray
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    "array",
    [
        X,
        LABELS,
        IMAGES,
        X.astype("float64"),
        X > 0,
        jnp.ones(3),
        jnp.ones(3, "bfloat16"),
        np.ones(3, jnp.bfloat16),
    ],
    ids=lambda array: f"{type(array).__name__}-{array.dtype}",
)
def test_a_good_array_is_returned_as_it_is(array):
    assert as_numeric("x", array) is array


@pytest.mark.parametrize("value", [2**31 - 1, -(2**31)])
def test_the_largest_integers_that_fit_pass(value):
    assert as_numeric("x", np.array([value]))[0] == value


def test_the_largest_float_passes_and_so_do_nan_and_inf():
    array = np.array([3.4e38, -3.4e38, np.nan, np.inf])
    assert as_numeric("x", array) is array


def test_a_number_that_is_too_large_is_found_beside_nan():
    with pytest.raises(DataError, match=r"1e\+39 at row 2"):
        as_numeric("x", np.array([np.nan, np.inf, 1e39]))


def test_column_names_are_those_of_the_table():
    assert column_names(FRAME) == ["age", "city"]
    assert column_names(X) is None


# Finite numbers
# -------------------------------------------------------------------------------------------------


def test_all_gaps_are_counted_and_their_columns_named():
    array = np.zeros((200_000, 4), "float32")
    array[150_000, 3] = np.inf
    array[199_999, 1] = array[160_000, 3] = np.nan
    with pytest.raises(DataError) as caught:
        check_finite("x", array, ["a", "b", "c", "d"])
    assert "3 values" in str(caught.value)
    assert "2 NaN, 1 infinite" in str(caught.value)
    assert "inf at row 150000, column 'd', in columns 'b', 'd'" in str(caught.value)


def test_finite_numbers_whose_sum_is_not_pass():
    check_finite("x", np.full((10, 10), 3e38, "float32"))
    check_finite("x", np.array([3e38, -3e38] * 10, "float32"))


def test_infinities_that_cancel_are_found():
    with pytest.raises(DataError, match="2 infinite"):
        check_finite("x", np.array([np.inf, -np.inf]))


@pytest.mark.parametrize(
    "array", [jnp.array([1.0, jnp.nan]), np.array([1, np.nan], jnp.bfloat16), np.float32("nan")]
)
def test_gaps_are_found_in_other_arrays_too(array):
    with pytest.raises(DataError, match="1 NaN"):
        check_finite("x", array)


def test_deep_places_are_given_as_positions():
    with pytest.raises(DataError, match=r"row 2, position \(1, 0\)"):
        check_finite("x", changed(np.zeros((3, 2, 2)), (2, 1, 0), np.nan))


def test_large_arrays_are_checked_without_a_copy_of_them():
    array = np.ones((2_000_000, 2), "float64")
    array[-1, -1] = np.nan
    tracemalloc.start()
    try:
        as_numeric("x", array)
        with pytest.raises(DataError, match="row 1999999"):
            check_finite("x", array)
        check_targets("mse", array, (None, 2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < array.nbytes / 4


# Class weights
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 1, 2, 5]),
        np.array([[0.0], [1.0], [2.0], [2.0]]),
        np.eye(3)[[0, 2, 1]],
        np.array([True, False]),
    ],
)
def test_sample_weights_from_class_weights_are_keras(y):
    weights = {0: 0.5, 1: 2.0}
    ours = class_weights_to_sample_weights(weights, y)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, class_weight_to_sample_weights(y, weights))


def test_sample_weights_are_refused_for_classes_that_do_not_exist_unless_the_model_has_them():
    with pytest.raises(ArgumentError, match="class_weight"):
        class_weights_to_sample_weights({7: 2.0}, LABELS)
    np.testing.assert_array_equal(
        class_weights_to_sample_weights({7: 2.0}, LABELS, num_classes=8), np.ones(40)
    )


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    y = np.array([0, 0, 0, 0, 3, 1, 1])
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=y)
    assert check_class_weight("balanced", y) == pytest.approx(
        dict(zip([0, 1, 3], expected, strict=True))
    )
    by_class = [
        class_weights_to_sample_weights("balanced", y)[y == label].sum() for label in (0, 1, 3)
    ]
    np.testing.assert_allclose(by_class, 7 / 3, rtol=1e-6)


def test_keys_of_any_number_type_are_accepted_and_classes_may_be_left_out():
    assert check_class_weight({np.int64(0): 2, 2.0: np.float32(0.5)}, LABELS) == {0: 2.0, 2: 0.5}
    assert check_class_weight({4: 1}, LABELS, num_classes=5) == {4: 1.0}
    assert check_class_weight({2: 1}, ONE_HOT[:2]) == {2: 1.0}
    assert check_class_weight({-1: 3}, np.array([-1, 1])) == {-1: 3.0}


# Targets
# -------------------------------------------------------------------------------------------------


def test_a_label_that_the_loss_ignores_may_lie_outside():
    y = changed(LABELS, slice(0, 5), 255)
    check_targets(SPARSE, y, (None, 3), ignore_class=255)
    with pytest.raises(DataError, match="7 at row 6"):
        check_targets(SPARSE, changed(y, 6, 7), (None, 3), ignore_class=255)


def test_the_place_of_a_bad_label_is_right_deep_in_a_long_array():
    y = np.zeros(1_000_000, "int32")
    y[777_777] = 9
    with pytest.raises(DataError, match="9 at row 777777"):
        check_targets(SPARSE, y, (None, 3))


def test_labels_on_the_device_are_checked_too():
    with pytest.raises(DataError, match="subtract 1"):
        check_targets(SPARSE, jnp.array([1, 2, 3]), (None, 3))


def test_the_first_text_that_is_not_a_number_is_shown_with_a_fix():
    column = np.array(["5.1", "4.9", "?", "4.6"])
    for x in (column, column.astype(object), np.array([[1.0, "5.1"], [2.0, "?"]], object)):
        with pytest.raises(DataError, match=r"'\?' at row") as raised:
            as_numeric("x", x)
        assert "pandas.to_numeric(column, errors='coerce')" in str(raised.value)
        assert "astype" not in str(raised.value)
    with pytest.raises(DataError, match="astype"):
        as_numeric("x", np.array(["5.1", "4.9"]))
