"""The layers of sequences: embeddings, masking, pooling, products of tensors, layers in layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, ShapeError, short
from gazelle.runtime._weights import Weights

Config = Mapping[str, Any]
Function = Callable[..., np.ndarray]


def embedding(config: Config, weights: Weights) -> Function:
    """Rows of a table."""
    shape = (config["input_dim"], config["output_dim"])
    (table,) = weights.take(embeddings=shape)
    return _rows_of(table)


def reversible_embedding(config: Config, weights: Weights, *, reverse: bool) -> Function:
    """Rows of a table, or with `reverse` a score per row."""
    rows, length = config["input_dim"], config["output_dim"]
    if config.get("tie_weights", True):
        (table,) = weights.take(embeddings=(rows, length))
        kernel = table.T
    else:
        table, kernel = weights.take(embeddings=(rows, length), reverse_embeddings=(length, rows))
    if not reverse:
        return _rows_of(table)
    cap = config.get("logit_soft_cap")

    def scores(x: np.ndarray) -> np.ndarray:
        found = np.matmul(x, kernel)
        return found if cap is None else np.tanh(found / found.dtype.type(cap)) * cap

    return scores


def _rows_of(table: np.ndarray) -> Function:
    rows = len(table)

    def rows_of(x: np.ndarray) -> np.ndarray:
        numbers = x if x.dtype.kind in "iu" else x.astype(np.int32)
        fits = (numbers >= -rows) & (numbers < rows)
        if fits.all():
            return table[numbers]
        found = table[np.where(fits, numbers, 0)]
        found[~fits] = np.nan
        return found

    return rows_of


def masking(config: Config, weights: Weights) -> Function:
    """The input, 0 where all its numbers are `mask_value`."""
    value = config.get("mask_value", 0.0)
    return lambda x: np.where(np.any(x != value, axis=-1, keepdims=True), x, x.dtype.type(0))


def _steps_axis(config: Config) -> int:
    return 2 if config.get("data_format") == "channels_first" else 1


def global_average_pooling(config: Config, weights: Weights) -> Function:
    """The mean over the steps, of those that the mask has if there is one."""
    axis, keepdims = _steps_axis(config), config.get("keepdims", False)

    def average(x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        _check_steps(weights, x)
        if mask is None:
            return x.mean(axis, keepdims=keepdims)
        counts = np.expand_dims(mask.astype(bool), 3 - axis)
        total = np.where(counts, x, x.dtype.type(0)).sum(axis, keepdims=keepdims)
        number = counts.astype(x.dtype).sum(axis, keepdims=keepdims)
        return total / np.maximum(number, 1)

    return average


def global_max_pooling(config: Config, weights: Weights) -> Function:
    """The maximum over the steps."""
    axis, keepdims = _steps_axis(config), config.get("keepdims", False)

    def maximum(x: np.ndarray) -> np.ndarray:
        _check_steps(weights, x)
        return x.max(axis, keepdims=keepdims)

    return maximum


def _check_steps(weights: Weights, x: np.ndarray) -> None:
    if x.ndim != 3:
        raise ShapeError(
            f"{weights.label} takes sequences.", expected="3 axes", received=f"shape {x.shape}"
        )


def einsum_dense(config: Config, weights: Weights, activation: Function) -> Function:
    """A product with the kernel, as the equation says."""
    equation, has_bias = config["equation"], config.get("bias_axes") is not None
    if not isinstance(equation, str) or len(equation) > 200:
        raise DataError(f"{weights.label}: the equation is damaged.", received=short(equation))
    kernel, *rest = weights.take(kernel=None, **({"bias": None} if has_bias else {}))

    def product(x: np.ndarray) -> np.ndarray:
        outputs = np.einsum(equation, x, kernel, optimize=True)
        for bias in rest:
            outputs = outputs + bias
        return activation(outputs)

    return product


def time_distributed(function: Function) -> Function:
    """A layer's function for each step: steps become rows."""

    def distributed(x: np.ndarray) -> np.ndarray:
        rows = function(x.reshape((x.shape[0] * x.shape[1], *x.shape[2:])))
        return rows.reshape((*x.shape[:2], *rows.shape[1:]))

    return distributed


def group_normalization(config: Config, weights: Weights) -> Function:
    """Each sample normalized within groups of features."""
    axis, groups, epsilon = config.get("axis", -1), config.get("groups", 32), config["epsilon"]
    if not isinstance(groups, int) or (groups < 1 and groups != -1):
        raise DataError(f"{weights.label}: groups is damaged.", received=short(groups))
    size = weights.size(axis)
    names = ["gamma"] * config.get("scale", True) + ["beta"] * config.get("center", True)
    taken = dict(zip(names, weights.take(**dict.fromkeys(names, (size,))), strict=True))
    gamma, beta = taken.get("gamma"), taken.get("beta")

    def normalized(x: np.ndarray) -> np.ndarray:
        place = axis % x.ndim
        number = x.shape[place] if groups == -1 else groups
        split = (number, x.shape[place] // number)
        grouped = x.reshape((*x.shape[:place], *split, *x.shape[place + 1 :]))
        axes = tuple(i for i in range(1, grouped.ndim) if i != place)
        shape = (*[1] * place, *split, *[1] * (x.ndim - place - 1))
        outputs = grouped - grouped.mean(axes, keepdims=True)
        factor = 1 / np.sqrt(np.square(outputs).mean(axes, keepdims=True) + epsilon)
        outputs = outputs * (factor if gamma is None else factor * gamma.reshape(shape))
        if beta is not None:
            outputs = outputs + beta.reshape(shape)
        return outputs.reshape(x.shape).astype(x.dtype, copy=False)

    return normalized


def rms_normalization(config: Config, weights: Weights) -> Function:
    """Each sample divided by its root mean square along some axes."""
    given = config.get("axis", -1)
    given = [given] if isinstance(given, int) else list(given)
    (scale,) = weights.take(scale=weights.sizes(given))
    epsilon = config.get("epsilon", 1e-6)

    def normalized(x: np.ndarray) -> np.ndarray:
        axes = tuple(sorted(axis % x.ndim for axis in given))
        shape = [n if i in axes else 1 for i, n in enumerate(x.shape)]
        factor = 1 / np.sqrt(np.square(x).mean(axes, keepdims=True) + epsilon)
        return (x * factor * scale.reshape(shape)).astype(x.dtype, copy=False)

    return normalized
