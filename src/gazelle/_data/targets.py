"""Checks that targets, the loss and the last layer match."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import jax
import numpy as np

from gazelle._core.dtypes import is_float
from gazelle._core.errors import CheckWarning, DataError, ShapeError
from gazelle._core.names import snake_case
from gazelle._core.types import Shape
from gazelle._data.numeric import pieces, place

Array = np.ndarray | jax.Array

_SPARSE = "sparse_categorical_crossentropy"
_CATEGORICAL = ("categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge")
_BINARY = ("binary_crossentropy", "binary_focal_crossentropy")
_HINGE = ("hinge", "squared_hinge")
_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "logcosh": "log_cosh",
}
_REGRESSION = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "log_cosh",
    "poisson",
    "cosine_similarity",
    "kl_divergence",
)
_NOT_PROBABILITIES = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "swish",
    "mish",
    "tanh",
    "softplus",
    "softsign",
    "exponential",
    "log_softmax",
)


def check_targets(
    loss_name: str,
    y: Array,
    output_shape: Sequence[int | None],
    name: str = "y",
    from_logits: bool = False,
    *,
    ignore_class: int | None = None,
) -> None:
    """Refuse targets that do not suit the loss.

    Args:
        loss_name: Name of a loss function or class; an unknown one is not checked.
        y: Numeric targets `(samples, ...)`.
        output_shape: Shape of the model's output, including the batch axis; None for an unknown
            size.
        name: Name of the targets in messages: `y`, `validation y`, `y['age']`.
        from_logits: Whether the loss takes logits.
        ignore_class: The label that `sparse_categorical_crossentropy` ignores, or None.

    Raises:
        ShapeError: The shape of the targets does not match the output.
        DataError: Values or labels that the loss is not defined for.
    """
    loss = _canonical(loss_name)
    known = loss == _SPARSE or loss in (*_CATEGORICAL, *_BINARY, *_HINGE, *_REGRESSION)
    if not known or len(output_shape) < 1:
        return
    inner, output = tuple(y.shape[1:]), tuple(output_shape[1:])
    if loss == _SPARSE:
        _check_sparse(name, y, inner, output, ignore_class)
    elif loss in _CATEGORICAL:
        _check_categorical(name, loss, y, inner, output, from_logits)
    elif loss in _BINARY:
        _check_binary(name, loss, y, inner, output)
    elif loss in _HINGE:
        _check_same(name, loss, inner, output)
        _check_hinge(name, loss, y)
    else:
        _check_same(name, loss, inner, output)
        _check_regression(name, loss, y)


def check_output_matches(
    loss_name: str,
    activation_name: str | None,
    output_shape: Sequence[int | None],
    from_logits: bool = False,
) -> None:
    """Warn (`CheckWarning`) if the last layer does not suit the loss.

    Args:
        loss_name: Name of a loss function or class; an unknown one is not checked.
        activation_name: Last activation before the output: `"softmax"`, `"linear"` ...; None if it
            is unknown.
        output_shape: Shape of the model's output, including the batch axis.
        from_logits: Whether the loss takes logits.
    """
    units = output_shape[-1] if len(output_shape) > 1 else None
    problem = _output_problem(_canonical(loss_name), activation_name, units, from_logits)
    if problem:
        warnings.warn(f"loss: {problem}", CheckWarning, stacklevel=2)


def _output_problem(
    loss: str, activation: str | None, units: int | None, from_logits: bool
) -> str | None:
    """Why an output does not suit the loss, with a fix; None if it does."""
    classes = loss == _SPARSE or loss in _CATEGORICAL
    crossentropy = loss == _SPARSE or loss in _BINARY or loss in _CATEGORICAL[:2]
    wanted = "sigmoid" if loss in _BINARY else "softmax"
    if activation == "softmax" and units == 1:
        return (
            "softmax over 1 unit is always 1. Use activation='sigmoid' for yes or no, or one unit"
            " per class."
        )
    if classes and units == 1:
        return (
            f"{loss} over 1 unit has only one class. Use one unit per class, or"
            " binary_crossentropy."
        )
    if activation is None:
        return None
    if loss in _HINGE and activation in ("sigmoid", "hard_sigmoid", "softmax", "relu"):
        return (
            f"{loss} needs outputs on both sides of 0, which {activation} does not give. Use"
            " 'linear' or 'tanh'."
        )
    if loss == "poisson" and activation in ("linear", "tanh"):
        return (
            f"poisson takes the logarithm of the output, and {activation} gives negative values."
            " Use 'exponential'."
        )
    if not crossentropy:
        return None
    if from_logits:
        if activation in ("softmax", "sigmoid"):
            return (
                f"{loss}(from_logits=True) applies {wanted} to an output that has already gone"
                f" through {activation}. Leave out one of them."
            )
        return None
    if activation == "linear":
        return (
            f"{loss} takes probabilities; the last layer is linear. Use activation='{wanted}' or"
            " from_logits=True."
        )
    if activation in _NOT_PROBABILITIES:
        return (
            f"{loss} takes probabilities, which {activation} does not give. Use"
            f" activation='{wanted}' in the last layer."
        )
    if classes and activation in ("sigmoid", "hard_sigmoid"):
        return (
            f"{loss} takes probabilities that add up to 1, which {activation} does not give. Use"
            " activation='softmax', or binary_crossentropy if several classes can be true at once."
        )
    return None


def _canonical(loss_name: str) -> str:
    name = snake_case(loss_name)
    return _ALIASES.get(name, name)


def _trimmed(shape: Shape) -> Shape:
    return shape[:-1] if shape and shape[-1] == 1 else shape


def _same(inner: Shape, output: Shape) -> bool:
    """Whether two shapes without the batch axis match.

    A last axis of 1 is ignored, and None matches every size.
    """
    inner, output = _trimmed(inner), _trimmed(output)
    return len(inner) == len(output) and all(
        m is None or n is None or m == n for m, n in zip(inner, output, strict=True)
    )


def _shown(shape: Shape) -> str:
    return f"(samples, {', '.join(map(str, shape))})" if shape else "(samples,)"


def _check_same(name: str, loss: str, inner: Shape, output: Shape) -> None:
    if _same(inner, output):
        return
    fix = "pass targets in the shape of the output, or change the last layer"
    if len(output) == 1 and len(inner) <= 1:
        columns = inner[0] if inner else 1
        fix = f"give the last layer {columns} unit(s), or pass {output[0]} target(s) per row"
    raise _wrong_shape(name, loss, inner, output, fix)


def _wrong_shape(name: str, loss: str, inner: Shape, output: Shape, fix: str) -> ShapeError:
    return ShapeError(
        f"{name} does not have the shape of the model's output ({loss}).",
        expected=_shown(output),
        received=_shown(inner),
        fix=fix,
    )


def _summary(
    y: Array, allowed: tuple[float, float], ignore: int | None = None
) -> tuple[float, float, bool, str | None]:
    """Summarize the values of `y`.

    Args:
        y: Numbers.
        allowed: Smallest and largest allowed value.
        ignore: A value to leave out, or None.

    Returns:
        Smallest value, largest value, whether all are whole numbers, and the first value that is
        not allowed with its place (None if there is none).
    """
    low, high, whole, first = math.inf, -math.inf, True, None
    for start, piece in pieces(y):
        values = piece if ignore is None else piece[piece != ignore]
        if values.size == 0:
            continue
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        whole = whole and (not is_float(values.dtype) or bool((values == np.rint(values)).all()))
        if first is None and not (allowed[0] <= low and high <= allowed[1]):
            is_nan = piece != piece
            bad = (piece < allowed[0]) | (piece > allowed[1]) | is_nan
            if ignore is not None:
                bad &= piece != ignore
            first = _first(piece, bad, start)
    return low, high, whole, first


def _first(piece: np.ndarray, bad: np.ndarray, start: int) -> str:
    """The first bad value of a piece that begins at row `start`, and its place."""
    index = np.unravel_index(int(bad.argmax()), bad.shape)
    return f"{piece[index]} at {place((int(index[0]) + start, *index[1:]))}"


def _consists_of(y: Array, values: Sequence[float]) -> bool:
    return all(bool(np.isin(piece, values).all()) for _, piece in pieces(y))


def _check_sparse(
    name: str, y: Array, inner: Shape, output: Shape, ignore_class: int | None
) -> None:
    classes = output[-1] if output else None
    if not _same(inner, output[:-1]):
        one_hot = _same(inner, output) and _consists_of(y[:1000], (0, 1))
        problem = "is one-hot" if one_hot else "has the wrong shape"
        raise ShapeError(
            f"{name} {problem}: {_SPARSE} takes a class number per sample.",
            expected=_shown(output[:-1]),
            received=_shown(inner),
            fix=(
                "use categorical_crossentropy, or pass y.argmax(axis=-1)"
                if one_hot
                else "pass one label per sample; a table of scores is not a label"
            ),
        )
    if classes is None:
        return
    low, high, whole, first = _summary(y, (0, classes - 1), ignore_class)
    if not whole:
        raise DataError(
            f"{name} holds labels that are not whole numbers.",
            expected=f"labels 0 to {classes - 1}",
            received=_find(y, lambda piece: piece != np.rint(piece)),
            fix="for a quantity use a regression loss (mse); for classes number them from 0",
        )
    if first is None:
        return
    raise DataError(
        f"{name} holds labels outside 0 to {classes - 1}, the classes of the {classes} output"
        " units.",
        expected=f"labels 0 to {classes - 1}",
        received=f"{first}; labels from {low:g} to {high:g}",
        fix=_fix_of_labels(low, high, classes),
    )


def _fix_of_labels(low: float, high: float, classes: int) -> str:
    """A fix for labels from `low` to `high` that are not classes from 0."""
    if classes == 1:
        return "use binary_crossentropy for yes or no, or give the last layer one unit per class"
    if low == 1 and high == classes:
        return "the labels count from 1: subtract 1 (y - 1)"
    if low >= 0:
        return (
            f"give the last layer {int(high) + 1} units, or number the labels: np.unique(y,"
            " return_inverse=True)"
        )
    if low == -1 and high < classes:
        return (
            "drop the rows labelled -1, pass ignore_class=-1 to the loss, or number the labels"
            " from 0"
        )
    return "number the labels from 0: classes, y = np.unique(y, return_inverse=True)"


def _find(y: Array, is_bad: Callable[[np.ndarray], np.ndarray]) -> str | None:
    """The first value of `y` for which `is_bad` is true, and its place; None if there is none."""
    for start, piece in pieces(y):
        bad = is_bad(piece)
        if bad.any():
            return _first(piece, bad, start)
    return None


def _check_categorical(
    name: str, loss: str, y: Array, inner: Shape, output: Shape, from_logits: bool
) -> None:
    classes = output[-1] if output else None
    if not _same(inner, output):
        if _same(inner, output[:-1]):
            sparse = "" if loss == "categorical_hinge" else f"use {_SPARSE}, or "
            raise ShapeError(
                f"{name} holds one label per sample: {loss} takes one column per class.",
                expected=_shown(output),
                received=_shown(inner),
                fix=f"{sparse}pass gazelle.utils.to_categorical(y, {classes})",
            )
        columns = inner[-1] if inner else 1
        raise ShapeError(
            f"{name} must have one column for each of the model's {classes} outputs ({loss}).",
            expected=_shown(output),
            received=_shown(inner),
            fix=f"give the last layer {columns} units, or encode with to_categorical(y, {classes})",
        )
    if loss == "categorical_hinge":
        return
    low, high, _, first = _summary(y, (0, math.inf))
    if low < 0:
        raise DataError(
            f"{name} holds negative values: {loss} takes probabilities.",
            expected="values from 0 to 1, each row adding up to 1",
            received=first,
            fix="pass one-hot rows: gazelle.utils.to_categorical(labels)",
        )
    if high > 0:
        _warn_of_large_sums(name, loss, y, from_logits)


def _warn_of_large_sums(name: str, loss: str, y: Array, from_logits: bool) -> None:
    """Warn if a row of probabilities adds up to more than 1."""
    for start, piece in pieces(y):
        sums = piece.sum(axis=-1, dtype=np.float32).reshape(len(piece), -1).max(axis=1)
        large = sums > 1.01
        if not large.any():
            continue
        row = int(large.argmax())
        other = "(from_logits=True)" if from_logits else " and sigmoid"
        warnings.warn(
            f"{name}: row {row + start} adds up to {sums[row]:g}, but {loss} takes"
            f" probabilities that add up to 1. Use binary_crossentropy{other} if several classes"
            " can be true at once, or divide each row by its sum.",
            CheckWarning,
            stacklevel=5,
        )
        return


def _check_binary(name: str, loss: str, y: Array, inner: Shape, output: Shape) -> None:
    if not _same(inner, output):
        if _same(inner, output[:-1]):
            fix = f"pass to_categorical(y, {output[-1]}), or use {_SPARSE} with softmax"
        elif inner[-1:] == (2,) and _same(inner[:-1], output):
            fix = "pass y.argmax(axis=-1), or use categorical_crossentropy with 2 units and softmax"
        else:
            columns = inner[-1] if inner else 1
            fix = (
                f"give the last layer {columns} unit(s), or pass targets in the shape of the output"
            )
        raise _wrong_shape(name, loss, inner, output, fix)
    low, high, whole, first = _summary(y, (0, 1))
    if first is None:
        return
    if _consists_of(y, (-1, 1)):
        fix = "the labels are -1 and 1: pass (y + 1) / 2, or use the hinge loss"
    elif _consists_of(y, (1, 2)):
        fix = "the labels count from 1: subtract 1 (y - 1)"
    elif whole and low >= 0 and _trimmed(output) == ():
        fix = f"for {int(high) + 1} classes use {_SPARSE} with {int(high) + 1} units and softmax"
    elif low >= 0 and high <= 255:
        fix = "scale the values to 0 to 1 (bytes: y / 255)"
    else:
        fix = "scale the values to 0 to 1, or use a regression loss such as mse"
    raise DataError(
        f"{name} holds values outside 0 to 1, which {loss} is not defined for.",
        expected="0 and 1, or probabilities between them",
        received=f"{first}; values from {low:g} to {high:g}",
        fix=fix,
    )


def _check_hinge(name: str, loss: str, y: Array) -> None:
    if _consists_of(y, (-1, 1)) or _consists_of(y, (0, 1)):
        return
    raise DataError(
        f"{name} holds labels that {loss} is not defined for.",
        expected="-1 and 1, or 0 and 1",
        received=_find(y, lambda piece: ~np.isin(piece, (-1, 1))),
        fix="pass np.where(y == the_class, 1, -1)",
    )


def _check_regression(name: str, loss: str, y: Array) -> None:
    if loss in ("poisson", "mean_squared_logarithmic_error", "kl_divergence"):
        _, _, _, first = _summary(y, (0, math.inf))
        if first is not None:
            warnings.warn(
                f"{name} holds a negative value ({first}), for which {loss} is not defined. Use"
                " mse, or targets >= 0.",
                CheckWarning,
                stacklevel=4,
            )
    elif loss == "mean_absolute_percentage_error":
        first = _find(y, lambda piece: piece == 0)
        if first is not None:
            warnings.warn(
                f"{name} holds a target of 0 ({first}), and {loss} divides by the target. Use mae,"
                " or drop these rows.",
                CheckWarning,
                stacklevel=4,
            )
