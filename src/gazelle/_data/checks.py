"""Checks before training: they catch data that would train without an error but not learn.

Each check looks at NumPy arrays once, before the first compiled step. Data that cannot work raises
an error; data that is allowed but nearly always a mistake gets a `CheckWarning`.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from gazelle._core.errors import ArgumentError, ArgumentTypeError, CheckWarning, ShapeError
from gazelle._data.numeric import as_numeric, check_finite, column_names
from gazelle._data.targets import check_output_matches, check_targets

__all__ = [
    "as_numeric",
    "check_class_weight",
    "check_finite",
    "check_lengths",
    "check_output_matches",
    "check_sample_weight",
    "check_targets",
    "class_weights_to_sample_weights",
    "column_names",
]


def check_lengths(arrays: Mapping[str, np.ndarray | jax.Array | None]) -> None:
    """Refuse arrays with different numbers of samples.

    Args:
        arrays: Name -> array with the samples along its first axis; None is ignored.

    Raises:
        ShapeError: The first dimensions differ.
    """
    sizes = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(sizes.values())) <= 1:
        return
    names = list(sizes)
    first, last = names[0], names[-1]
    other = next(name for name in names if sizes[name] != sizes[first])
    shown = list(dict.fromkeys([*names[:3], other, last]))
    received = ", ".join(f"{name}: {sizes[name]}" for name in shown)
    if len(names) > len(shown):
        received += ", ..."
    fix = "pass one row of each per sample; did one of them lose rows in cleaning or splitting?"
    # A list of rows counts as that many inputs; the targets then have as many rows as it has items.
    if len(names) > 4 and len(names) - 1 == sizes[last]:
        fix = "turn a list of rows into one array with np.stack(rows)"
    raise ShapeError(
        f"Data cardinality is ambiguous: {first} and {other} have different numbers of samples.",
        expected="the same first dimension",
        received=received,
        fix=fix,
    )


def check_class_weight(
    class_weight: Any, y: npt.ArrayLike, num_classes: int | None = None
) -> dict[int, float]:
    """Check class weights and convert them to a dict of plain ints and floats.

    Args:
        class_weight: Label -> weight, or `"balanced"` for `samples / (classes * samples of the
            class)`.
        y: Labels `(samples,)` or `(samples, 1)`, or one-hot `(samples, classes)`.
        num_classes: Number of classes of the model; None to infer it from `y`.

    Returns:
        Label -> weight. Classes that are missing weigh 1.

    Raises:
        ArgumentTypeError: `class_weight` is not a dict.
        ArgumentError: A key is not a label, or a weight is not a finite number >= 0.
    """
    targets = np.asarray(y)
    _check_are_classes(targets)
    labels = _labels(targets)
    if isinstance(class_weight, str) and class_weight == "balanced":
        return _balanced_weights(labels)
    if not isinstance(class_weight, Mapping):
        raise ArgumentTypeError(
            "class_weight must be a dict.",
            expected='a dict {label: weight} or "balanced"',
            received=repr(class_weight)[:60],
            fix="write {0: 1.0, 1: 5.0}",
        )
    classes = num_classes
    if classes is None:
        is_one_hot = targets.ndim > 1 and targets.shape[-1] > 1
        classes = targets.shape[-1] if is_one_hot else int(labels.max()) + 1
    present = set(np.unique(labels).tolist())
    result = {}
    for key, weight in class_weight.items():
        is_whole = isinstance(key, numbers.Real) and float(key).is_integer()
        label = int(float(key)) if is_whole else None
        if label is None or not (0 <= label < classes or label in present):
            raise ArgumentError(
                f"class_weight names a class that does not exist: {key!r}.",
                expected=f"labels, whole numbers from {min(0, *present)} to {classes - 1}",
                received=f"keys {list(class_weight)[:8]}",
                fix=(
                    "use the class numbers as keys, not the class names"
                    if label is None
                    else "use the labels that occur in y"
                ),
            )
        if not isinstance(weight, numbers.Real) or not 0 <= float(weight) < np.inf:
            raise ArgumentError(
                f"class_weight has an invalid weight for class {key!r}.",
                expected="a finite number >= 0",
                received=repr(weight),
                fix="use a positive weight; 0 leaves the class out",
            )
        result[label] = float(weight)
    return result


def class_weights_to_sample_weights(
    class_weight: Any, y: npt.ArrayLike, num_classes: int | None = None
) -> np.ndarray:
    """The weight of each sample's class.

    Args:
        class_weight: Label -> weight, or `"balanced"`; see `check_class_weight`.
        y: Labels `(samples,)` or `(samples, 1)`, or one-hot `(samples, classes)`.
        num_classes: Number of classes of the model; None to infer it from `y`.

    Returns:
        float32 `(samples,)`. Classes that are missing in `class_weight` weigh 1.

    Raises:
        ArgumentTypeError: `class_weight` is not a dict.
        ArgumentError: A key is not a label, or a weight is not a finite number >= 0.
    """
    weight_of = check_class_weight(class_weight, y, num_classes)
    found, inverse = np.unique(_labels(np.asarray(y)), return_inverse=True)
    weights = np.array([weight_of.get(int(label), 1.0) for label in found], np.float32)
    return weights[inverse.reshape(-1)]


def check_sample_weight(
    sample_weight: Any, samples: int, name: str = "sample_weight"
) -> np.ndarray:
    """Check sample weights and convert them to an array.

    Warns if a weight is negative or all of them are 0.

    Args:
        sample_weight: Numbers, `(samples,)` or with more axes.
        samples: Number of samples.
        name: Name of the weights in messages.

    Raises:
        DataError: The weights are not numeric or not finite.
        ShapeError: The number of weights is not the number of samples.
    """
    array = np.asarray(as_numeric(name, sample_weight))
    if array.ndim == 0 or len(array) != samples:
        raise ShapeError(
            f"{name} does not have the length of the data.",
            expected=f"{samples} weights",
            received=f"shape {array.shape}",
            fix="pass one weight per sample; use class_weight for weights per class",
        )
    check_finite(name, array)
    low = array.min()
    if low < 0:
        row = int(np.unravel_index(int(array.argmin()), array.shape)[0])
        _warn(
            f"{name} holds negative weights ({low} at row {row}): training increases the loss of"
            " those samples."
        )
    elif array.max() == 0:
        _warn(f"{name} is 0 for every sample: nothing will be learned.")
    return array


def _balanced_weights(labels: np.ndarray) -> dict[int, float]:
    found, counts = np.unique(labels, return_counts=True)
    return {
        int(label): len(labels) / (len(found) * int(count))
        for label, count in zip(found, counts, strict=True)
    }


def _check_are_classes(y: np.ndarray) -> None:
    """Refuse targets that do not name one class per sample."""
    problem = fix = None
    if y.ndim > 2 or (y.ndim == 2 and y.shape[1] > 1):
        problem, fix = _problem_of_one_hot(y)
    elif not (y == np.round(y)).all():
        problem = f"{y[y != np.round(y)][0]}, which is not a class"
        fix = "class_weight is for labels; for a quantity use sample_weight"
    if problem is not None:
        raise ArgumentError(
            "class_weight needs targets that are classes.",
            expected="labels (samples,) or one-hot rows (samples, classes)",
            received=f"y of shape {y.shape} with {problem}",
            fix=fix,
        )


def _problem_of_one_hot(y: np.ndarray) -> tuple[str | None, str | None]:
    """Why rows do not name one class each, and a fix; (None, None) if they do."""
    if y.ndim > 2 or not np.allclose(y.sum(axis=-1, dtype=np.float64), 1, atol=1e-3):
        return (
            "rows that do not add up to 1: several classes per sample, or none, or quantities",
            "use sample_weight: for several labels per sample, for example"
            " (weights * y).sum(axis=-1)",
        )
    if y.min() < 0:
        return "negative values", "use one-hot rows, or sample_weight"
    largest = y == y.max(axis=-1, keepdims=True)
    if (largest.sum(axis=-1) > 1).any():
        return "rows with two equally likely classes", "use one-hot rows, or sample_weight"
    return None, None


def _labels(y: np.ndarray) -> np.ndarray:
    """Class numbers `(samples,)`, found as Keras does.

    One-hot rows become the index of the largest column; other labels are flattened and rounded.
    """
    if y.ndim > 1:
        y = y.argmax(axis=-1) if y.shape[-1] > 1 else y[..., 0]
    return np.round(y).astype(np.int64).reshape(len(y), -1)[:, 0]


def _warn(text: str) -> None:
    warnings.warn(text, CheckWarning, stacklevel=3)
