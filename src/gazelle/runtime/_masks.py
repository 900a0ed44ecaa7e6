"""Masks: which steps of a sequence count. A program computes them only where a layer needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Function = Callable[..., np.ndarray]
Slots = Sequence[Any]  # of inputs or of their masks; None for an input without a mask

# The layers whose output has the mask of the input, and those that use it in predictions.
PASSING = {
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "ELU",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "Identity",
    "LayerNormalization",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Softmax",
    "SpatialDropout1D",
    "TimeDistributed",
    "UnitNormalization",
}
USING = {"GlobalAveragePooling1D", "Maximum", "Minimum", "Multiply", "Softmax"}
# The layers that may be called with a mask.
TAKING = {*PASSING, *USING}

_ANY_OF = {"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"}


def output_mask(
    kind: str, config: Mapping[str, Any], inputs: Slots, masks: Slots
) -> tuple[Function, list[Any]] | Any:
    """How to get the mask of a layer's output.

    Args:
        kind: The layer's class.
        config: Its config.
        inputs: The slots of its inputs.
        masks: The slots of their masks.

    Returns:
        A slot; or a function and the slots of its arguments; or None where there is no mask.
    """
    if kind == "Masking":
        value = config.get("mask_value", 0.0)
        return lambda x: np.any(x != value, axis=-1), list(inputs)
    if kind in ("Embedding", "ReversibleEmbedding"):
        return (
            (lambda x: x.astype(np.int64) != 0, list(inputs)) if config.get("mask_zero") else None
        )
    if kind in PASSING:
        return masks[0]
    if kind in _ANY_OF:
        is_whole = None not in masks
        return (lambda *masks: _any_of(masks), list(masks)) if is_whole else None
    if kind == "Concatenate" and any(mask is not None for mask in masks):
        return _joined(config.get("axis", -1), masks), [*inputs, *_given(masks)]
    return None


def _given(masks: Slots) -> list[Any]:
    return [mask for mask in masks if mask is not None]


def _any_of(masks: Sequence[np.ndarray]) -> np.ndarray:
    found = masks[0]
    for mask in masks[1:]:
        found = np.logical_or(found, mask)
    return found


def _joined(axis: int, masks: Slots) -> Function:
    """The mask of a Concatenate layer, as a function of its inputs and of the masks there are."""
    given = [mask is not None for mask in masks]

    def joined(*arrays: np.ndarray) -> np.ndarray:
        rest = iter(arrays[len(given) :])
        whole = []
        for x, has_mask in zip(arrays, given, strict=False):
            mask = next(rest) if has_mask else np.ones(x.shape, bool)
            if mask.ndim < x.ndim:
                mask = np.broadcast_to(mask[..., None], x.shape)
            whole.append(mask.astype(bool))
        return np.any(np.concatenate(whole, axis), axis=-1)

    return joined


def masked_merging(kind: str, function: Function, masks: Slots) -> Function:
    """A merging layer that leaves masked entries out: a function of inputs and masks.

    Args:
        kind: `"Maximum"`, `"Minimum"` or `"Multiply"`.
        function: The layer without masks.
        masks: The slots of the masks.
    """
    given = [mask is not None for mask in masks]

    def merged(*arrays: np.ndarray) -> np.ndarray:
        inputs, rest = list(arrays[: len(given)]), iter(arrays[len(given) :])
        if len({x.ndim for x in inputs}) > 1:  # the masks get lost with the new axes
            return function(*inputs)
        whole = [
            np.broadcast_to(next(rest).astype(bool)[..., None], x.shape) if has_mask else None
            for x, has_mask in zip(inputs, given, strict=True)
        ]
        if kind == "Multiply":
            return _product(function, inputs, whole)
        return _reduced(function, inputs, whole)

    return merged


def _product(function: Function, inputs: list[np.ndarray], masks: list[Any]) -> np.ndarray:
    factors = [
        x if mask is None else np.where(mask, x, x.dtype.type(1))
        for x, mask in zip(inputs, masks, strict=True)
    ]
    product = function(*factors)
    is_whole = all(mask is not None for mask in masks)
    return np.where(_any_of(masks), product, product.dtype.type(0)) if is_whole else product


def _reduced(function: Function, inputs: list[np.ndarray], masks: list[Any]) -> np.ndarray:
    """The inputs combined two by two; a masked entry gives way to that of the other input."""
    result, counts = inputs[0], masks[0]
    for x, mask in zip(inputs[1:], masks[1:], strict=True):
        if mask is not None:
            x = np.where(mask, x, result)
        if counts is not None:
            result = np.where(counts, result, x)
        counts = None if mask is None or counts is None else np.logical_or(counts, mask)
        result = function(result, x)
    return result
