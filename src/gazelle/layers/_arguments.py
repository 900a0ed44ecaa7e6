"""What layers share about their arguments: names, shapes, and what a config can hold."""

from __future__ import annotations

from typing import Any, TypedDict

import jax

from gazelle._core import checks
from gazelle._core.masks import mask_of, set_mask
from gazelle._core.names import snake_case, unique_name
from gazelle._core.symbolic import KerasTensor, map_structure


class InputArguments(TypedDict, total=False):
    """The shape of the input of a `Sequential` that starts with this layer."""

    input_shape: Any
    input_dim: int
    batch_input_shape: Any


class LayerArguments(InputArguments, total=False):
    """What every layer's constructor takes besides its own arguments."""

    trainable: bool
    dtype: Any
    autocast: bool
    name: str | None


class PenalizedArguments(LayerArguments, total=False):
    """The same, where the layer does not list the penalty on its output itself."""

    activity_regularizer: Any


def checked_name(name: str | None, class_name: str) -> str:
    """A layer's name: the given one, or an automatic one.

    Raises:
        ArgumentError: It is not text, or holds a `/`.
    """
    if name is None:
        return unique_name(snake_case(class_name))
    return checks.checked_name(name, "A layer")


def first_input_shape(kwargs: InputArguments) -> tuple[int | None, ...] | None:
    """Take `input_shape`, `input_dim` or `batch_input_shape` out of `kwargs`; None if absent."""
    shape = kwargs.pop("input_shape", None)
    dimension = kwargs.pop("input_dim", None)
    if (batch_shape := kwargs.pop("batch_input_shape", None)) is not None:
        return tuple(batch_shape[1:])
    if shape is None and dimension is None:
        return None
    if shape is None:
        shape = (dimension,)
    return (shape,) if isinstance(shape, int) else tuple(shape)


def symbolic_inputs(shape: Any, dtype: str) -> Any:
    """Symbolic tensors for a shape, or for a list or dict of shapes."""
    if isinstance(shape, dict):
        return {key: symbolic_inputs(inner, dtype) for key, inner in shape.items()}
    if isinstance(shape, list | tuple) and shape and isinstance(shape[0], list | tuple | dict):
        return [symbolic_inputs(inner, dtype) for inner in shape]
    return KerasTensor(tuple(shape), dtype)


def shapes_of(value: Any) -> Any:
    """The shapes of the arrays in a structure; None for other values."""
    return map_structure(lambda leaf: tuple(leaf.shape) if hasattr(leaf, "shape") else None, value)


def input_shapes(value: Any) -> Any:
    """The shapes of the arrays in a structure, for any batch size."""
    return map_structure(lambda leaf: None if leaf is None else (None, *leaf.shape[1:]), value)


def as_shapes(value: Any) -> Any:
    """Shapes from JSON, where a tuple has become a list."""
    if isinstance(value, dict):
        return {key: as_shapes(inner) for key, inner in value.items()}
    if any(isinstance(inner, list | tuple | dict) for inner in value):
        return [as_shapes(inner) for inner in value]
    return tuple(value)


def as_symbolic(value: Any) -> Any:
    """A symbolic tensor like an array, its mask included; anything else as it is."""
    if not isinstance(value, jax.Array):
        return value
    tensor = KerasTensor(value.shape, value.dtype)
    set_mask(tensor, as_symbolic(mask_of(value)))
    return tensor
