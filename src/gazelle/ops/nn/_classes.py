"""One-hot vectors, and cross-entropies with targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import epsilon, standardize_dtype
from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.operation import specs
from gazelle.ops._table import float_array, nn_op


def _hot_spec(function: Callable[..., Any]) -> Callable[..., Any]:
    """The symbolic outputs of a function whose `sparse` result has the shape of the dense one."""

    def spec(x: Any, *args: Any, sparse: bool = False, **kwargs: Any) -> Any:
        found = specs(lambda inputs: function(inputs, *args, **kwargs), (x,), {})
        found.sparse = sparse
        return found

    return spec


def _one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None) -> jax.Array:
    x = jnp.asarray(x).astype("int32")
    return jax.nn.one_hot(x, num_classes, dtype=standardize_dtype(dtype), axis=axis)


@nn_op(spec=_hot_spec(_one_hot))
def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """1 at the place of each class, else 0."""
    hot = _one_hot(x, num_classes, axis, dtype)
    return _sparse(hot, jnp.size(x)) if sparse else hot


def _multi_hot(inputs: Any, num_classes: int, axis: int = -1, dtype: Any = None) -> jax.Array:
    inputs = jnp.asarray(inputs)
    return jnp.max(_one_hot(inputs, num_classes, axis, dtype), axis=1 if inputs.ndim > 1 else 0)


def _multi_hot_spec(
    inputs: Any, num_classes: int | None = None, num_tokens: int | None = None, **options: Any
) -> Any:
    return _hot_spec(_multi_hot)(inputs, num_classes or num_tokens, **options)


@nn_op(tensors=("inputs",), spec=_multi_hot_spec)
def multi_hot(
    inputs: Any,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
    **kwargs: Any,
) -> Any:
    """1 at the places of all classes of a row, else 0."""
    num_classes = kwargs.pop("num_tokens", num_classes)
    if num_classes is None:
        raise ArgumentError("multi_hot: argument `num_classes` must be specified.")
    hot = _multi_hot(inputs, num_classes, axis, dtype)
    return _sparse(hot, jnp.size(inputs)) if sparse else hot


def _sparse(dense: jax.Array, count: int) -> Any:
    """A sparse array with room for `count` values."""
    from jax.experimental.sparse import BCOO

    hot = BCOO.fromdense(dense, nse=count)
    return BCOO((hot.data.astype(dense.dtype), hot.indices), shape=hot.shape)  # bools too


@nn_op(tensors=2)
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> jax.Array:
    """The cross-entropy of two classes, element by element."""
    output = float_array(output)
    target = jnp.asarray(target).astype(output.dtype)
    _check_same("binary_crossentropy", target.shape, output.shape)
    if from_logits:
        log_p, log_q = jax.nn.log_sigmoid(output), jax.nn.log_sigmoid(-output)
    else:
        output = jnp.clip(output, epsilon(), 1.0 - epsilon())
        log_p, log_q = jnp.log(output), jnp.log1p(-output)
    return -(target * log_p + (1.0 - target) * log_q)


@nn_op(tensors=2)
def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """The cross-entropy of one-hot targets."""
    output = float_array(output)
    target = jnp.asarray(target).astype(output.dtype)
    _check_same("categorical_crossentropy", target.shape, output.shape)
    if output.ndim < 1:
        raise ShapeError("categorical_crossentropy: `target` and `output` need an axis of classes.")
    return -jnp.sum(target * _log_probabilities(output, from_logits, axis), axis)


@nn_op(tensors=2)
def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """The cross-entropy of targets that are numbers of classes."""
    target, output = jnp.asarray(target), float_array(output)
    if output.ndim < 1:
        raise ShapeError("sparse_categorical_crossentropy: `output` needs an axis of classes.")
    if not -output.ndim <= axis < output.ndim:
        raise ArgumentError(
            f"sparse_categorical_crossentropy: axis {axis} is out of bounds.",
            received=f"`output` with {output.ndim} axes",
        )
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = jnp.squeeze(target, -1)
    place = axis % output.ndim
    _check_same(
        "sparse_categorical_crossentropy",
        target.shape,
        output.shape[:place] + output.shape[place + 1 :],
    )
    hot = jax.nn.one_hot(target.astype("int32"), output.shape[axis], axis=axis)
    return -jnp.sum(hot.astype(output.dtype) * _log_probabilities(output, from_logits, axis), axis)


def _log_probabilities(output: jax.Array, from_logits: bool, axis: int) -> jax.Array:
    if from_logits:
        return jax.nn.log_softmax(output, axis)
    output = output / jnp.sum(output, axis, keepdims=True)
    return jnp.log(jnp.clip(output, epsilon(), 1.0 - epsilon()))


def _check_same(name: str, target: tuple[int, ...], output: tuple[int, ...]) -> None:
    if tuple(target) != tuple(output):
        raise ShapeError(
            f"{name}: Arguments `target` and `output` must have the same shape, but for the axis of"
            " the classes where targets are numbers.",
            received=(target, output),
        )
