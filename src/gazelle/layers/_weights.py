"""The checks of a layer's weights: shapes to make them with, arrays to set them to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from gazelle._core.errors import ArgumentError, ArgumentTypeError, ShapeError, short
from gazelle._core.variable import Variable, plain


def positional(args: tuple[Any, ...], *given: Any) -> list[Any]:
    """The arguments of `add_weight` that may be positional, some of which are given by name.

    Raises:
        ArgumentError: One is given in both ways, or the first is a name.
        ArgumentTypeError: There are more than three.
    """
    names = ("shape", "initializer", "dtype")
    if len(args) > len(names):
        raise ArgumentTypeError(
            "add_weight takes at most three positional arguments.",
            expected=", ".join(names),
            received=f"{len(args)} of them",
        )
    if args and isinstance(args[0], str):
        _refuse_name(args[0])
    found = list(given)
    for place, (name, value) in enumerate(zip(names, args, strict=False)):
        if given[place] is not None:
            raise ArgumentError(
                f"add_weight: `{name}` was passed both positionally and as a keyword argument.",
                received=f"{short(value)} and {short(given[place])}",
            )
        found[place] = value
    return found


def _refuse_name(name: str) -> None:
    raise ArgumentError(
        "add_weight: the first argument is the shape; the name is a keyword argument.",
        received=repr(name),
        fix=f"write name={name!r}, shape=(...)",
    )


def checked_shape(shape: Any, name: str | None, owner: str) -> tuple[int, ...]:
    """The shape of a new weight as a tuple of ints; `()` for None.

    Raises:
        ArgumentError: It is text, or holds something that is not an int.
    """
    if isinstance(shape, str):
        _refuse_name(shape)
    if shape is None:
        return ()
    sizes = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    if not all(hasattr(size, "__index__") for size in sizes):
        raise ArgumentError(
            f"add_weight: the shape of weight {name!r} of layer {owner!r} has unknown sizes.",
            expected="ints",
            received=repr(shape),
            fix="give the input's sizes in Input(shape=...)",
        )
    return tuple(int(size) for size in sizes)


def checked_arrays(
    owner: str, variables: Sequence[Variable], weights: Sequence[Any], *, built: bool
) -> list[np.ndarray]:
    """Arrays for `set_weights`, in the dtypes of the variables.

    Args:
        owner: The layer's name.
        variables: The layer's weights.
        weights: What the user gave, one entry per weight.
        built: Whether the layer is built.

    Raises:
        ShapeError: The number of arrays or a shape does not match.
        ArgumentTypeError: Something is not an array of numbers.
    """
    if len(weights) != len(variables):
        raise ShapeError(
            f"You called `set_weights(weights)` on layer {owner!r} with a weight list of length"
            f" {len(weights)}, but the layer was expecting {len(variables)} weights.",
            expected=f"{len(variables)} arrays: {[v.shape for v in variables]}",
            received=f"{len(weights)} arrays",
            fix=(
                "pass one array per weight, in the order of `weights`"
                if built
                else "build the layer first"
            ),
        )
    pairs = zip(variables, weights, strict=True)
    return [_checked_array(owner, variable, weight) for variable, weight in pairs]


def _checked_array(owner: str, variable: Variable, weight: Any) -> np.ndarray:
    try:
        array = np.asarray(weight).astype(variable.dtype)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"set_weights: the value for {variable.path!r} is not an array of numbers.",
            received=repr(weight)[:80],
        ) from None
    if array.shape != variable.shape:
        raise ShapeError(
            f"set_weights: layer {owner!r} weight shape {variable.shape} is not compatible with"
            f" provided weight shape {array.shape} (weight {variable.path!r}).",
            expected=variable.shape,
            received=array.shape,
        )
    return array


def checked_terms(loss: Any) -> Iterator[jax.Array]:
    """The arrays that `add_loss` was given, one by one.

    Raises:
        ArgumentTypeError: One of them is not an array.
    """
    if isinstance(loss, list | tuple):
        for inner in loss:
            yield from checked_terms(inner)
        return
    term = plain(loss)
    if not isinstance(term, jax.Array):
        raise ArgumentTypeError(
            "add_loss needs a scalar array.",
            expected="what jax.numpy computes from the inputs or the weights",
            received=f"{term!r} of type {type(term).__name__}",
        )
    yield term
