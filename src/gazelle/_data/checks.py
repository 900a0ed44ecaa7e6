"""The refusals before training: what would train without an error and come to nothing.

Everything here looks at NumPy arrays once, before the first compiled step. Errors stop; a
`CheckWarning` marks what is legal and nearly always a mistake.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

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


def check_lengths(arrays: Mapping[str, Any]) -> None:
    """Refuse arrays with different numbers of samples.

    Args:
        arrays: Name -> array with the samples along its first axis; None is left out.

    Raises:
        ShapeError: The first dimensions differ.
    """
    sizes = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(sizes.values())) > 1:
        first = next(iter(sizes))
        other = next(name for name in sizes if sizes[name] != sizes[first])
        shown = dict.fromkeys([*list(sizes)[:3], other, list(sizes)[-1]])
        fix = (
            "give one row of each for every sample; did one of them lose rows in cleaning or"
            " splitting?"
        )
        if len(sizes) > 4 and len(sizes) - 1 == sizes[list(sizes)[-1]]:
            fix = "a list of rows becomes one array with np.stack(rows)"
        raise ShapeError(
            f"Data cardinality is ambiguous: {first} and {other} have different numbers of"
            " samples.",
            expected="the same first dimension",
            received=", ".join(f"{name}: {sizes[name]}" for name in shown)
            + (", ..." if len(sizes) > len(shown) else ""),
            fix=fix,
        )


def check_class_weight(
    class_weight: Any, y: Any, num_classes: int | None = None
) -> dict[int, float]:
    """Class weights as a dict of plain ints and floats; classes that it does not name weigh 1.

    Args:
        class_weight: Label -> weight, or `"balanced"` for `samples / (classes * samples of the
            class)`.
        y: Labels `(samples,)` or `(samples, 1)`, or one-hot `(samples, classes)`.
        num_classes: How many classes the model tells apart; from `y` when None.

    Raises:
        ArgumentTypeError: `class_weight` is no dict.
        ArgumentError: A key that is no label, or a weight that is no finite number >= 0.
    """
    y = np.asarray(y)
    _check_are_classes(y)
    labels = _labels(y)
    if isinstance(class_weight, str) and class_weight == "balanced":
        found, counts = np.unique(labels, return_counts=True)
        return {
            int(k): len(labels) / (len(found) * int(n)) for k, n in zip(found, counts, strict=True)
        }
    if not isinstance(class_weight, Mapping):
        raise ArgumentTypeError(
            "class_weight must be a dict.",
            expected='a dict {label: weight} or "balanced"',
            received=repr(class_weight)[:60],
            fix="write {0: 1.0, 1: 5.0}",
        )
    classes = num_classes
    if classes is None:
        classes = y.shape[-1] if y.ndim > 1 and y.shape[-1] > 1 else int(labels.max()) + 1
    present = set(np.unique(labels).tolist())
    result = {}
    for key, weight in class_weight.items():
        label = (
            int(float(key)) if isinstance(key, numbers.Real) and float(key).is_integer() else None
        )
        if label is None or not (0 <= label < classes or label in present):
            raise ArgumentError(
                f"class_weight names a class that does not exist: {key!r}.",
                expected=f"labels, whole numbers from {min(0, *present)} to {classes - 1}",
                received=f"keys {list(class_weight)[:8]}",
                fix=(
                    "use the labels as they stand in y"
                    if label is not None
                    else "use the labels' numbers, not their names, as keys"
                ),
            )
        if not isinstance(weight, numbers.Real) or not 0 <= float(weight) < np.inf:
            raise ArgumentError(
                f"class_weight has a weight that cannot be used for class {key!r}.",
                expected="a finite number >= 0",
                received=repr(weight),
                fix="give a positive weight; 0 leaves the class out",
            )
        result[label] = float(weight)
    return result


def class_weights_to_sample_weights(
    class_weight: Any, y: Any, num_classes: int | None = None
) -> np.ndarray:
    """The weight of each sample's class.

    Args:
        class_weight: Label -> weight, or `"balanced"`; checked as by `check_class_weight`.
        y: Labels `(samples,)` or `(samples, 1)`, or one-hot `(samples, classes)`.
        num_classes: How many classes the model tells apart; from `y` when None.

    Returns:
        float32 `(samples,)`; a class that is not named weighs 1.

    Raises:
        ArgumentTypeError: `class_weight` is no dict.
        ArgumentError: A key that is no label, or a weight that is no finite number >= 0.
    """
    weight_of = check_class_weight(class_weight, y, num_classes)
    found, inverse = np.unique(_labels(np.asarray(y)), return_inverse=True)
    weights = np.array([weight_of.get(int(label), 1.0) for label in found], np.float32)
    return weights[inverse.reshape(-1)]


def check_sample_weight(
    sample_weight: Any, samples: int, name: str = "sample_weight"
) -> np.ndarray:
    """Sample weights as an array; negative ones and ones that are all zero are warned of.

    Args:
        sample_weight: Numbers, `(samples,)` or with more axes.
        samples: How many samples there are.
        name: What they are called in messages.

    Raises:
        DataError: Not numeric or not finite.
        ShapeError: Another number of weights than samples.
    """
    array = np.asarray(as_numeric(name, sample_weight))
    if array.ndim == 0 or len(array) != samples:
        raise ShapeError(
            f"{name} has another length than the data.",
            expected=f"{samples} weights",
            received=f"shape {array.shape}",
            fix="give one weight a sample; weights by class go into class_weight",
        )
    check_finite(name, array)
    low = array.min()
    if low < 0:
        row = int(np.unravel_index(int(array.argmin()), array.shape)[0])
        _warn(
            f"{name} holds negative weights ({low} at row {row}): training drives those samples'"
            " loss up, not down."
        )
    elif array.max() == 0:
        _warn(f"{name} is 0 for every sample: nothing will be learned.")
    return array


def _check_are_classes(y: np.ndarray) -> None:
    """Refuse targets that name no class per sample, which no weight of a class could be found for."""
    columns = y.shape[-1] if y.ndim > 1 else 1
    problem = fix = None
    if y.ndim > 2 or (
        y.ndim == 2
        and columns > 1
        and not np.allclose(y.sum(axis=-1, dtype=np.float64), 1, atol=1e-3)
    ):
        problem = "rows that do not add up to 1: several classes per sample, or none, or quantities"
        fix = (
            "give sample_weight: for several labels per sample, (weights * y).sum(axis=-1) for"
            " example"
        )
    elif columns > 1 and y.min() < 0:
        problem, fix = "negative values", "give one-hot rows, or sample_weight"
    elif columns > 1 and ((y == y.max(axis=-1, keepdims=True)).sum(axis=-1) > 1).any():
        problem, fix = (
            "rows with two classes that are equally likely",
            "give one-hot rows, or sample_weight",
        )
    elif columns == 1 and not (y == np.round(y)).all():
        problem = f"{y[y != np.round(y)][0]}, which is not a class"
        fix = "class_weight is for labels; for a quantity give sample_weight"
    if problem is not None:
        raise ArgumentError(
            "class_weight needs targets that are classes.",
            expected="labels (samples,) or one-hot rows (samples, classes)",
            received=f"y of shape {y.shape} with {problem}",
            fix=fix,
        )


def _labels(y: np.ndarray) -> np.ndarray:
    """Class numbers `(samples,)` by Keras's rules: one-hot by the largest column, `(samples, 1)` flat, rounded."""
    if y.ndim > 1:
        y = y.argmax(axis=-1) if y.shape[-1] > 1 else y[..., 0]
    return np.round(y).astype(np.int64).reshape(len(y), -1)[:, 0]


def _warn(text: str) -> None:
    warnings.warn(text, CheckWarning, stacklevel=3)
