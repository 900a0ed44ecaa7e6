"""Whether the outputs for a row depend on that row alone.

Predictions are computed in large blocks, which are padded. That gives what batches of Keras's size
would give only where no row has a part in the outputs of another. A program is followed operation
by operation: each value has a batch axis, or none. What is not known counts as mixing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

# Operations of elements with those at the same place.
_ELEMENTWISE = frozenset(
    {
        "abs", "acos", "acosh", "add", "and", "asin", "asinh", "atan", "atan2", "atanh", "cbrt",
        "ceil", "clamp", "convert_element_type", "copy", "copy_p", "cos", "cosh", "div", "eq",
        "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "ge", "gt", "integer_pow",
        "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg",
        "nextafter", "not", "optimization_barrier", "or", "pow", "reduce_precision", "rem",
        "round", "rsqrt", "select_n", "sign", "sin", "sinh", "sqrt", "square", "stop_gradient",
        "sub", "tan", "tanh", "xor",
    }
)  # fmt: skip
_REDUCTIONS = frozenset(
    {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "argmax",
     "argmin"}
)  # fmt: skip
_ALONG = {"cumsum": "axis", "cumprod": "axis", "cummax": "axis", "cummin": "axis",
          "cumlogsumexp": "axis", "sort": "dimension", "split": "axis"}  # fmt: skip

Axis = int | None  # where the rows of a value are; None for a value that no row has a part in


class _MixedError(Exception):
    """A row has, or may have, a part in what is computed for another."""


def rows_are_apart(function: Callable[[Any, Any], Any], values: Any, x: Any) -> bool:
    """Whether each row of a function's outputs comes from the same row of its inputs alone.

    Args:
        function: A function of `values` and of arrays `(rows, ...)` that gives such arrays.
        values: Arrays that have no rows, such as weights.
        x: The inputs, as arrays or `ShapeDtypeStruct`s.

    Returns:
        False also where that is not known.
    """

    def of_size(rows: int) -> ClosedJaxpr:
        def spec(leaf: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), leaf.dtype)

        return jax.make_jaxpr(function)(values, jax.tree.map(spec, x))

    try:
        one, other = of_size(7), of_size(11)
        _compare(one.jaxpr, other.jaxpr)
        inputs = len(jax.tree.leaves(x))
        before = len(one.jaxpr.invars) - inputs
        axes = _follow(one.jaxpr, [None] * before + [0] * inputs)
    except _MixedError:
        return False
    return all(axis in (0, None) for axis in axes)


def _compare(one: Jaxpr, other: Jaxpr) -> None:
    """Refuse programs that compute with the number of rows, such as a division by it."""
    _refuse(len(one.eqns) != len(other.eqns))
    for a, b in zip(one.eqns, other.eqns, strict=True):
        _refuse(a.primitive is not b.primitive or len(a.invars) != len(b.invars))
        for left, right in zip(a.invars, b.invars, strict=True):
            _refuse(not _same_constant(left, right))
        _refuse(_sizes_used(a) != _sizes_used(b))
        for inner, inner_other in zip(_inner(a), _inner(b), strict=True):
            _compare(inner, inner_other)


def _same_constant(one: Any, other: Any) -> bool:
    """Whether two arguments are no constants, or the same one."""
    if not isinstance(one, Literal) or not isinstance(other, Literal):
        return isinstance(one, Literal) == isinstance(other, Literal)
    return np.array_equal(one.val, other.val, equal_nan=True)


def _sizes_used(equation: Any) -> list[int]:
    """The sizes of the axes that an operation sums over, or numbers."""
    name, params = equation.primitive.name, equation.params
    if name == "iota":
        return [params["shape"][params["dimension"]]]
    if name in _REDUCTIONS:
        return [_shape(equation)[axis] for axis in params["axes"]]
    if name in _ALONG:
        return [_shape(equation)[params[_ALONG[name]]]]
    if name == "dot_general":
        return [_shape(equation)[axis] for axis in params["dimension_numbers"][0][0]]
    return []


def _inner(equation: Any) -> list[Jaxpr]:
    """The programs within an operation."""
    found = []
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, ClosedJaxpr):
                found.append(item.jaxpr)
            elif isinstance(item, Jaxpr):
                found.append(item)
    return found


def _follow(jaxpr: Jaxpr, given: Sequence[Axis]) -> list[Axis]:
    """The batch axes of a program's results, from those of its arguments."""
    known: dict[Any, Axis] = dict(zip(jaxpr.invars, given, strict=True))

    def axis_of(variable: Any) -> Axis:
        return None if isinstance(variable, Literal) else known.get(variable)

    for equation in jaxpr.eqns:
        axes = [axis_of(variable) for variable in equation.invars]
        if all(axis is None for axis in axes):
            found: list[Axis] = [None] * len(equation.outvars)
        else:
            found = _results(equation, axes)
        known.update(zip(equation.outvars, found, strict=True))
    return [axis_of(variable) for variable in jaxpr.outvars]


def _results(equation: Any, axes: list[Axis]) -> list[Axis]:
    """The batch axes of the results of one operation."""
    name, params = equation.primitive.name, equation.params
    inner = _inner(equation)
    if len(inner) == 1 and name not in ("while", "scan", "cond"):
        program = inner[0]
        _refuse(len(program.invars) != len(axes))
        return _follow(program, axes)
    if name in _ELEMENTWISE:
        axis = _same(axes)
        return [axis] * len(equation.outvars)
    if name in _REDUCTIONS:
        return [_without(_same(axes), params["axes"])] * len(equation.outvars)
    if name in _ALONG:
        axis = _same(axes)
        _refuse(params[_ALONG[name]] == axis)
        return [axis] * len(equation.outvars)
    rule = _RULES.get(name)
    if rule is None:
        raise _MixedError
    return [rule(equation, axes)] * len(equation.outvars)


def _same(axes: list[Axis]) -> int:
    """The one axis of values that are computed with each other."""
    found = {axis for axis in axes if axis is not None}
    _refuse(len(found) != 1)
    return found.pop()


def _refuse(mixed: bool) -> None:
    if mixed:
        raise _MixedError


def _without(axis: int, gone: Sequence[int]) -> int:
    """The place of an axis after others are gone."""
    _refuse(axis in gone)
    return axis - sum(other < axis for other in gone)


def _shape(equation: Any, place: int = 0) -> tuple[int, ...]:
    return equation.invars[place].aval.shape


def _broadcast(equation: Any, axes: list[Axis]) -> int:
    return equation.params["broadcast_dimensions"][_same(axes)]


def _reshape(equation: Any, axes: list[Axis]) -> int:
    axis, before, after = _same(axes), _shape(equation), equation.outvars[0].aval.shape
    for place, size in enumerate(after):
        if size == before[axis] and prod(after[:place]) == prod(before[:axis]):
            return place
    raise _MixedError


def _transpose(equation: Any, axes: list[Axis]) -> int:
    return tuple(equation.params["permutation"]).index(_same(axes))


def _squeeze(equation: Any, axes: list[Axis]) -> int:
    return _without(_same(axes), equation.params["dimensions"])


def _dot_general(equation: Any, axes: list[Axis]) -> int:
    (of_left, of_right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    left, right = axes
    if left is not None and right is not None:
        _refuse(left not in left_batch)
        place = tuple(left_batch).index(left)
        _refuse(right_batch[place] != right)
        return place
    if left is not None:
        _refuse(left in of_left or left in left_batch)
        return len(left_batch) + _without(left, (*of_left, *left_batch))
    _refuse(right is None or right in of_right or right in right_batch)
    free_left = len(_shape(equation, 0)) - len(of_left) - len(left_batch)
    return len(left_batch) + free_left + _without(right or 0, (*of_right, *right_batch))


def _concatenate(equation: Any, axes: list[Axis]) -> int:
    axis = _same(axes)
    _refuse(equation.params["dimension"] == axis)
    return axis


def _slice(equation: Any, axes: list[Axis]) -> int:
    axis, params = _same(axes), equation.params
    steps = params["strides"] or (1,) * len(_shape(equation))
    whole = (0, _shape(equation)[axis], 1)
    _refuse((params["start_indices"][axis], params["limit_indices"][axis], steps[axis]) != whole)
    return axis


def _pad(equation: Any, axes: list[Axis]) -> int:
    axis = _same(axes)
    _refuse(tuple(equation.params["padding_config"][axis]) != (0, 0, 0))
    return axis


def _reverse(equation: Any, axes: list[Axis]) -> int:
    axis = _same(axes)
    _refuse(axis in equation.params["dimensions"])
    return axis


def _gather(equation: Any, axes: list[Axis]) -> int:
    """Rows of a table by indices that each row of the data has."""
    operand, indices = axes
    numbers = equation.params["dimension_numbers"]
    _refuse(operand is not None or indices is None)
    rank = len(equation.outvars[0].aval.shape)
    batch = [place for place in range(rank) if place not in numbers.offset_dims]
    return batch[indices or 0]


def _top_k(equation: Any, axes: list[Axis]) -> int:
    axis = _same(axes)
    _refuse(axis == len(_shape(equation)) - 1)
    return axis


_RULES: dict[str, Callable[[Any, list[Axis]], int]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": _concatenate,
    "dot_general": _dot_general,
    "gather": _gather,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _reverse,
    "slice": _slice,
    "squeeze": _squeeze,
    "top_k": _top_k,
    "transpose": _transpose,
}
