"""The layers that merge several inputs into one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Function = Callable[..., np.ndarray]


def unit(x: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """`x`, scaled to Euclidean length 1 along one or several axes."""
    square = np.sum(np.square(x), axis, keepdims=True)
    return x * (1 / np.sqrt(np.maximum(square, 1e-12)))


def _elementwise(combine: Callable[[Any, Any], Any]) -> Callable[[Mapping[str, Any]], Function]:
    """The maker of a layer that combines its inputs one after the other."""

    def merge(*inputs: np.ndarray) -> np.ndarray:
        ndim = max(x.ndim for x in inputs)
        return functools.reduce(combine, [_aligned(x, ndim) for x in inputs])

    return lambda config: merge


def _aligned(x: np.ndarray, ndim: int) -> np.ndarray:
    """An input with `ndim` axes: those that it lacks come after the batch axis, with size 1."""
    if x.ndim == ndim:
        return x
    return x.reshape((len(x), *[1] * (ndim - x.ndim), *x.shape[1:]))


def _average(config: Mapping[str, Any]) -> Function:
    add = _elementwise(np.add)(config)
    return lambda *inputs: add(*inputs) / len(inputs)


def _subtract(config: Mapping[str, Any]) -> Function:
    subtract = _elementwise(np.subtract)(config)
    return lambda a, b: subtract(a, b)


def _concatenate(config: Mapping[str, Any]) -> Function:
    axis = config.get("axis", -1)
    return lambda *inputs: np.concatenate(inputs, axis)


def _dot(config: Mapping[str, Any]) -> Function:
    axes, normalize = config["axes"], config.get("normalize", False)
    pair = (axes, axes) if isinstance(axes, int) else tuple(axes)

    def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        first, second = pair[0] % a.ndim, pair[1] % b.ndim
        if normalize:
            a, b = unit(a, first), unit(b, second)
        a, b = np.moveaxis(a, first, -1), np.moveaxis(b, second, 1)
        kept = *a.shape[1:-1], *b.shape[2:]
        rows = a.reshape((len(a), math.prod(a.shape[1:-1]), a.shape[-1]))
        columns = b.reshape((len(b), b.shape[1], math.prod(b.shape[2:])))
        return (rows @ columns).reshape((len(a), *(kept or [1])))

    return dot


MERGING: dict[str, Callable[[Mapping[str, Any]], Function]] = {
    "Add": _elementwise(np.add),
    "Average": _average,
    "Concatenate": _concatenate,
    "Dot": _dot,
    "Maximum": _elementwise(np.maximum),
    "Minimum": _elementwise(np.minimum),
    "Multiply": _elementwise(np.multiply),
    "Subtract": _subtract,
}
