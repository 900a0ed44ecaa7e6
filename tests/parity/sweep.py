"""Settings of every constructor argument of Keras's public classes, and what each class computes.

A setting is one or two arguments that differ from the defaults. The values to try follow from the
argument's name and default; the last ones are wrong on purpose.
"""

import inspect
import itertools
import random
import warnings
from typing import Any

import numpy as np

from gazelle.errors import GazelleError

RANDOM = np.random.default_rng(7)
MATRIX = RANDOM.normal(size=(6, 4)).astype("float32")
STEPS = RANDOM.normal(size=(3, 5, 4)).astype("float32")
NUMBERS = np.array([[1, 2, 0], [3, 1, 4]], "int32")
GRADIENTS = RANDOM.normal(size=(5, 3, 4)).astype("float32")


class Doubtful:
    """A value that Keras may take and Gazelle may refuse: out of range, or of a wrong type."""

    def __init__(self, value: Any):
        self.value = value

    def __repr__(self) -> str:
        return f"{self.value!r} (doubtful)"


_NONSENSE = Doubtful("nonsense")
_FLOATS = [0.25, 0.75, *map(Doubtful, (0.0, 1.5, -0.5))]
_INTS = [1, 2, 3, *map(Doubtful, (-1, 0, 2.5))]
_CLIPS = [0.1, Doubtful(-1.0)]
_BY_NAME: dict[str, list[Any]] = {
    "activation": ["tanh", None, _NONSENSE],
    "activity_regularizer": [None, "l2", _NONSENSE],
    "autocast": [False],
    "average": [None, "micro", "macro", "weighted", _NONSENSE],
    "axis": [-1, 1, *map(Doubtful, (0, (0, 1), None, 9, "a"))],
    "axes": [1, (1, 1), -1, Doubtful(7)],
    "beta": [0.5, Doubtful(1), Doubtful(-1.0)],
    "beta_2_decay": [-0.5, Doubtful(0.25)],
    "bias_axes": ["c", "ac", Doubtful("z")],
    "class_aggregation": [None],
    "class_id": [0, 1, Doubtful(9)],
    "clipnorm": _CLIPS,
    "clipvalue": _CLIPS,
    "curve": ["ROC", "PR", _NONSENSE],
    "data_format": ["channels_last", "channels_first", _NONSENSE],
    "dims": [(1,), Doubtful((0, 1)), Doubtful((3,))],
    "distribution": ["uniform", "truncated_normal", "untruncated_normal", _NONSENSE],
    "dtype": ["float32", "float16", "bfloat16", "mixed_bfloat16", "float64", _NONSENSE],
    "ema_momentum": [0.5, Doubtful(2.0)],
    "ema_overwrite_frequency": [2, Doubtful(0)],
    "global_clipnorm": _CLIPS,
    "gradient_accumulation_steps": [2, Doubtful(0), Doubtful(1)],
    "groups": [1, 2, 4, -1, Doubtful(3)],
    "label_smoothing": [0.0, 0.1, Doubtful(1.5)],
    "loss_scale_factor": [2.0],
    "maxval": [0.2, Doubtful(-0.2)],
    "minval": [-0.2, Doubtful(0.2)],
    "mode": ["fan_in", "fan_out", "fan_avg", "rows", "columns", _NONSENSE],
    "muon_a": [3.0],
    "muon_b": [-4.0],
    "muon_c": [2.1],
    "name": ["a_name", Doubtful(3)],
    "noise_shape": [None, (6, 1), *map(Doubtful, ((0, 1), (6,)))],
    "num_classes": [3, Doubtful(2)],
    "num_labels": [3, Doubtful(2)],
    "num_thresholds": [5, 200, Doubtful(1)],
    "reduction": ["sum", "mean", "none", None, "mean_with_sample_weight", _NONSENSE],
    "seed": [3, Doubtful("a")],
    "summation_method": ["interpolation", "minoring", "majoring", _NONSENSE],
    "target_shape": [(2, 2), (4, 1), (-1,), Doubtful((3, 3))],
    "threshold": [0.5, 0.1, None, Doubtful(1), Doubtful(2.0)],
    "thresholds": [0.5, [0.2, 0.8], None, Doubtful(2.0)],
    "top_k": [1, 2, Doubtful(9)],
    "trainable": [False, Doubtful("yes")],
    "units": [2, *map(Doubtful, (0, -1, 2.5))],
    "weight_decay": [0.01, None],
}
# The batch axis 0 is refused by some and computed by others, and nobody means it.
_BY_CLASS: dict[str, dict[str, list[Any]]] = {
    "GroupNormalization": {"axis": [-1, 1, Doubtful(9)]},
    "RMSNormalization": {"axis": [-1, 1, Doubtful(9)]},
    "MeanAbsolutePercentageError": {"dtype": ["float32", "float64"]},  # epsilon is 0 in float16
    "BatchNormalization": {
        "synchronized": []
    },  # of one device; Keras refuses it without TensorFlow
}


def candidates(owner: str, name: str, default: Any) -> list[Any]:
    """The values to try for an argument."""
    for table, key in ((_BY_CLASS.get(owner, {}), name), (_BY_NAME, name)):
        if key in table:
            return table[key]
    if name.endswith("_initializer"):
        return ["ones", _NONSENSE]
    if name.endswith("_regularizer"):
        return [None, "l2", _NONSENSE]
    if name.endswith("_constraint"):
        return [None, "non_neg", _NONSENSE]
    if isinstance(default, bool):
        return [True, False]
    if isinstance(default, int):
        return _INTS
    if isinstance(default, float):
        return _FLOATS
    return []


def settings(function: Any, owner: str, most_pairs: int) -> list[dict[str, Any]]:
    """The keyword arguments of the settings: none, every one, and pairs of two that differ.

    Args:
        function: A class or function of Keras.
        owner: Its name.
        most_pairs: How many pairs, drawn by the name if there are more.
    """
    parameters = dict(inspect.signature(function).parameters)
    if inspect.isclass(function):
        for base in function.__mro__[1:]:
            more = inspect.signature(base.__init__).parameters
            takes_more = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
            if takes_more and "keras" in base.__module__:
                parameters = {**dict(more), **parameters}
    tried = {
        name: candidates(owner, name, one.default)
        for name, one in parameters.items()
        if name != "self" and one.kind is not one.VAR_KEYWORD
    }
    single = [{name: value} for name, values in tried.items() for value in values]
    pairs = [
        first | second
        for first, second in itertools.combinations(single, 2)
        if first.keys() != second.keys()
    ]
    if len(pairs) > most_pairs:
        pairs = random.Random(owner).sample(pairs, most_pairs)
    return [{}, *single, *pairs]


def outcome(action: Any) -> tuple[str, Any]:
    """What an action gives: `("value", arrays)`, or `("error", the error)`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "value", [np.asarray(part, np.float64) for part in action()]
    except Exception as error:
        return "error", error


def disagreement(
    theirs: tuple[str, Any], ours: tuple[str, Any], tolerance: float, *, may_refuse: bool
) -> str:
    """How Gazelle's outcome differs from Keras's; empty where it does not.

    Args:
        theirs: Keras's outcome.
        ours: Gazelle's.
        tolerance: Absolute and relative, of numbers.
        may_refuse: Whether Gazelle may refuse what Keras computes, with an error of its own.
    """
    if theirs[0] == "error":
        return "" if ours[0] == "error" else f"Keras refuses: {str(theirs[1]).splitlines()[0][:90]}"
    if ours[0] == "error" and may_refuse and isinstance(ours[1], GazelleError):
        return ""
    if ours[0] == "error":
        return f"Gazelle refuses: {str(ours[1]).splitlines()[0][:90]}"
    if [part.shape for part in theirs[1]] != [part.shape for part in ours[1]]:
        return f"shapes {[part.shape for part in ours[1]]}, {[part.shape for part in theirs[1]]}"
    for wanted, found in zip(theirs[1], ours[1], strict=True):
        if not np.allclose(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
            return f"numbers off by {np.nanmax(np.abs(found - wanted)):.2g}"
    return ""


# ---- What each kind of object computes ----


def values_of_loss(library: Any, make: Any) -> list[Any]:
    """A loss of probabilities and of classes, also weighted."""
    loss = make()
    name = type(loss).__name__
    targets, outputs = loss_data(name)
    weight = np.linspace(0.0, 2.0, len(outputs)).astype("float32")
    return [loss(targets, outputs), loss(targets, outputs, sample_weight=weight)]


def loss_data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and outputs that fit a loss or metric of this name."""
    scores = np.exp(MATRIX[:, :3])
    probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype("float32")
    labels = np.array([0, 1, 2, 1, 0, 2], "int32")
    if "Sparse" in name or name == "Circle":
        return labels, probabilities
    one_hot = np.eye(3, dtype="float32")[labels]
    if "Hinge" in name and "Categorical" not in name:
        return 2 * one_hot - 1, MATRIX[:, :3]
    return one_hot, probabilities


def values_of_metric(library: Any, make: Any) -> list[Any]:
    """A metric's result after one, and after two updates, the second weighted."""
    metric = make()
    name = type(metric).__name__
    if name in ("Mean", "Sum"):
        updates: list[tuple[Any, ...]] = [(MATRIX[:, 0],), (MATRIX[:, 1],)]
    elif name in ("Accuracy",):
        updates = [(NUMBERS[0], NUMBERS[1]), (NUMBERS[1], NUMBERS[1])]
    elif name in _ONE_COLUMN:
        truth = np.array([0, 1, 1, 0, 1, 0], "float32")
        chance = (1 / (1 + np.exp(-MATRIX[:, 0] - 0.1))).astype("float32")  # none near a threshold
        updates = [(truth, chance), (truth[::-1], chance)]
    else:
        updates = [loss_data(name)] * 2
    weight = np.linspace(0.0, 2.0, len(updates[0][0])).astype("float32")
    metric.update_state(*updates[0])
    first = np.array(metric.result())
    metric.update_state(*updates[1], sample_weight=weight)
    return [first, np.array(metric.result())]


_ONE_COLUMN = frozenset(
    [
        "AUC",
        "BinaryAccuracy",
        "FalseNegatives",
        "FalsePositives",
        "TrueNegatives",
        "TruePositives",
        "Precision",
        "Recall",
        "PrecisionAtRecall",
        "RecallAtPrecision",
        "SensitivityAtSpecificity",
        "SpecificityAtSensitivity",
    ]
)


def values_of_optimizer(library: Any, make: Any) -> list[Any]:
    """Two variables after five steps; what `finalize_variable_values` makes of them."""
    optimizer = make()
    first = library.Variable(np.ones((3, 4), "float32"))
    second = library.Variable(np.linspace(-1, 1, 4).astype("float32"))
    for gradient in GRADIENTS:
        optimizer.apply_gradients([(gradient, first), (gradient[0], second)])
    found = [np.array(first), np.array(second)]
    optimizer.finalize_variable_values([first, second])
    return [*found, np.array(first), np.array(second)]


def values_of_schedule(library: Any, make: Any) -> list[Any]:
    """The rates of a schedule at some steps."""
    schedule = make()
    return [schedule(step) for step in (0, 1, 2, 5, 10, 100)]


def values_of_function(library: Any, make: Any) -> list[Any]:
    """A regularizer or a constraint of a matrix."""
    return [make()(library.ops.convert_to_tensor(MATRIX))]


def values_of_initializer(library: Any, make: Any) -> list[Any]:
    """The mean and spread of an initializer's values: the values that are drawn differ."""
    values = np.array(make()((300, 200)), np.float64)
    return [values.mean(), values.std()]


def values_of_layer(library: Any, make: Any, inputs: Any) -> list[Any]:
    """A layer's outputs, of weights that follow from their shapes; also in training."""
    layer = make()
    layer(inputs)
    weights = [
        np.linspace(0.1, 1.0, int(np.prod(weight.shape)) or 1)[: int(np.prod(weight.shape))]
        .reshape(weight.shape)
        .astype(weight.dtype)
        for weight in layer.weights
    ]
    layer.set_weights(weights)
    found = [layer(inputs)]
    if type(layer).__name__ == "BatchNormalization":  # the only one that learns in training
        found += [layer(inputs, training=True), *map(np.asarray, layer.weights)]
    found += [np.asarray(sum(map(np.asarray, layer.losses), 0.0))]
    return [np.asarray(library.ops.cast(part, "float32")) for part in found]
