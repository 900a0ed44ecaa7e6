"""Operations between symbolic tensors (`a + b`, `a[:, 0]`, `ops.exp(a)`) as ONNX nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError
from gazelle._core.operation import KnownOperation, Operation
from gazelle._core.symbolic import KerasTensor, map_structure
from gazelle._core.types import Shape
from gazelle._export.emitter import Emitter, Value

_KINDS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "true_divide": "Div",
    "power": "Pow",
    "matmul": "MatMul",
    "maximum": "Max",
    "minimum": "Min",
    "negative": "Neg",
    "absolute": "Abs",
    "exp": "Exp",
    "log": "Log",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
}
_COMPUTED = ("float32", "float64", "int32", "int64")  # the types that ONNX's arithmetic has
_LAST = np.iinfo(np.int64).max


def operator(e: Emitter, operation: Operation, *args: Any, **kwargs: Any) -> Value:
    """An operation on its arguments, Values among them.

    Raises:
        ArgumentError: It has no ONNX form for these arguments.
    """

    def as_symbolic(leaf: Any) -> Any:
        return KerasTensor(leaf.shape, leaf.dtype) if isinstance(leaf, Value) else leaf

    key = operation.operation if isinstance(operation, KnownOperation) else ""
    if key not in (*_KINDS, "get_item") or kwargs:
        raise ArgumentError(
            f"The operation {operation.name!r} has no ONNX form.",
            expected=f"an index, or one of {', '.join(_KINDS)}",
            received=key or type(operation).__name__,
        )
    result = operation.compute_output_spec(*map_structure(as_symbolic, args))
    with e.within(operation.name):
        if key == "get_item":
            return _get_item(e, operation, *args, shape=result.shape)
        check_computed(f"The operator {operation.name!r}", result.dtype)
        operands = [
            e.cast(arg, result.dtype)
            if isinstance(arg, Value)
            else e.constant(np.asarray(arg, result.dtype))
            for arg in args
        ]
        return e.op(_KINDS[key], *operands, shape=result.shape)


def check_computed(what: str, dtype: str) -> None:
    """Refuse arithmetic in a type that ONNX has none for.

    Args:
        what: What computes: the sentence's subject.
        dtype: The type of its result.

    Raises:
        ArgumentError: It is such a type.
    """
    if dtype not in _COMPUTED:
        raise ArgumentError(
            f"{what} computes in {dtype}, for which ONNX has no arithmetic.",
            expected=f"one of {', '.join(_COMPUTED)}",
            received=dtype,
            fix="give the Input another dtype, or convert it with Rescaling(1.0) first",
        )


def _get_item(e: Emitter, operation: Operation, x: Any, index: Any, *, shape: Shape) -> Value:
    given = tuple(index) if isinstance(index, list | tuple) else (index,)
    if not isinstance(x, Value) or not all(_is_simple(item) for item in given):
        raise _refused(operation, index, "ints, slices of ints, ... and None")
    given = _without_ellipsis(given, len(x.shape))
    if given and not (isinstance(given[0], slice) and given[0] == slice(None)):
        raise _refused(operation, index, "the whole batch axis: x[:, ...]")
    starts, ends, axes, steps = [], [], [], []
    dropped, added = [], []
    axis = place = 0  # of the input, of the output
    for item in given:
        if item is None:
            added.append(place)
        elif isinstance(item, slice):
            bounds = _bounds(item)
            if bounds is not None:
                for part, number in zip((starts, ends, steps), bounds, strict=True):
                    part.append(number)
                axes.append(axis)
        else:
            at = int(item)
            for part, number in zip((starts, ends, steps), (at, at + 1 or _LAST, 1), strict=True):
                part.append(number)
            axes.append(axis)
            dropped.append(axis)
        axis += item is not None
        place += item is None or isinstance(item, slice)
    if axes:
        x = e.op("Slice", x, *(np.array(part, np.int64) for part in (starts, ends, axes, steps)))
    if dropped:
        x = e.op("Squeeze", x, np.array(dropped))
    if added:
        x = e.op("Unsqueeze", x, np.array(added))
    return Value(x.name, shape, x.dtype)


def _is_simple(item: Any) -> bool:
    """Whether an index is an int, a slice of ints, ... or None."""
    if isinstance(item, slice):
        parts = (item.start, item.stop, item.step)
        return all(part is None or _is_int(part) for part in parts)
    return item is None or item is Ellipsis or _is_int(item)


def _is_int(item: Any) -> bool:
    return isinstance(item, int | np.integer) and not isinstance(item, bool)


def _without_ellipsis(given: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    if Ellipsis not in given:
        return given
    place = given.index(Ellipsis)
    others = sum(item is not None and item is not Ellipsis for item in given)
    return (*given[:place], *[slice(None)] * (ndim - others), *given[place + 1 :])


def _bounds(item: slice) -> tuple[int, int, int] | None:
    """Start, end and step as ONNX has them; None for all of the axis."""
    if item == slice(None):
        return None
    step = 1 if item.step is None else int(item.step)
    first, last = (0, _LAST) if step > 0 else (_LAST, -_LAST)
    start = first if item.start is None else int(item.start)
    return start, last if item.stop is None else int(item.stop), step


def _refused(operation: Operation, index: Any, expected: str) -> ArgumentError:
    return ArgumentError(
        f"The index of {operation.name!r} has no ONNX form.",
        expected=expected,
        received=repr(index)[:80],
    )
