"""`tf.nn`, as far as dense networks go."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from gazelle import ops
from gazelle._core.errors import ArgumentError
from gazelle.compat._tensorflow._math import axes
from gazelle.compat._tensorflow._random import dropped
from gazelle.compat._tensorflow._table import ANSWERS, answers, enter, out_of_scope
from gazelle.compat._tensorflow._values import cast, convert_to_tensor


@answers("nn.softmax", "math.softmax")
def _softmax(logits: Any, axis: int | None = None) -> Any:
    return ops.softmax(convert_to_tensor(logits), axis=-1 if axis is None else axis)


@answers("nn.log_softmax", "math.log_softmax")
def _log_softmax(logits: Any, axis: int | None = None) -> Any:
    return ops.log_softmax(convert_to_tensor(logits), axis=-1 if axis is None else axis)


@answers("nn.leaky_relu")
def _leaky_relu(features: Any, alpha: float = 0.2) -> Any:
    return ops.leaky_relu(convert_to_tensor(features), negative_slope=alpha)


@answers("nn.gelu")
def _gelu(features: Any, approximate: bool = False) -> Any:
    return ops.gelu(convert_to_tensor(features), approximate=approximate)


@answers("nn.silu", "nn.swish")
def _silu(features: Any, beta: float = 1.0) -> Any:
    features = convert_to_tensor(features)
    return ops.silu(features) if beta == 1.0 else features * ops.sigmoid(features * beta)


@answers("nn.crelu")
def _crelu(features: Any, axis: int = -1) -> Any:
    features = convert_to_tensor(features)
    return ops.concatenate([ops.relu(features), ops.relu(-features)], axis=axis)


for _name in ("relu", "relu6", "elu", "selu", "sigmoid", "tanh", "softplus", "softsign"):

    def _enter_activation(name: str = _name) -> None:
        function = getattr(ops, name)

        def call(features: Any) -> Any:
            return function(convert_to_tensor(features))

        answers(f"nn.{name}")(call)

    _enter_activation()
enter("nn.log_sigmoid", ANSWERS["math.log_sigmoid"])


# ---- Losses ----


@answers("nn.softmax_cross_entropy_with_logits", "nn.softmax_cross_entropy_with_logits_v2")
def _softmax_cross_entropy(labels: Any = None, logits: Any = None, axis: int = -1) -> Any:
    logits = convert_to_tensor(logits)
    labels = cast(labels, logits.dtype)
    return -ops.sum(labels * ops.log_softmax(logits, axis=axis), axis=axis)


@answers("nn.sparse_softmax_cross_entropy_with_logits")
def _sparse_cross_entropy(labels: Any = None, logits: Any = None) -> Any:
    logits = convert_to_tensor(logits)
    hot = ops.one_hot(cast(labels, "int32"), logits.shape[-1], dtype=str(logits.dtype))
    return -ops.sum(hot * ops.log_softmax(logits, axis=-1), axis=-1)


@answers("nn.sigmoid_cross_entropy_with_logits")
def _sigmoid_cross_entropy(labels: Any = None, logits: Any = None) -> Any:
    logits = convert_to_tensor(logits)
    labels = cast(labels, logits.dtype)
    return ops.relu(logits) - logits * labels + ops.log1p(ops.exp(-ops.abs(logits)))


@answers("nn.weighted_cross_entropy_with_logits")
def _weighted_cross_entropy(labels: Any, logits: Any, pos_weight: Any) -> Any:
    logits = convert_to_tensor(logits)
    labels = cast(labels, logits.dtype)
    weight = 1 + (pos_weight - 1) * labels
    rest = ops.log1p(ops.exp(-ops.abs(logits))) + ops.relu(-logits)
    return (1 - labels) * logits + weight * rest


@answers("nn.log_poisson_loss")
def _log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False) -> Any:
    log_input = convert_to_tensor(log_input)
    targets = cast(targets, log_input.dtype)
    loss = ops.exp(log_input) - log_input * targets
    if compute_full_loss:
        stirling = targets * jnp.log(targets) - targets + 0.5 * jnp.log(2 * jnp.pi * targets)
        loss = loss + jnp.where(targets > 1, stirling, 0.0)
    return loss


@answers("nn.l2_loss")
def _l2_loss(t: Any) -> Any:
    return ops.sum(ops.square(convert_to_tensor(t))) / 2


@answers("nn.compute_average_loss")
def _average_loss(
    per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None
) -> Any:
    loss = convert_to_tensor(per_example_loss)
    if sample_weight is not None:
        loss = loss * convert_to_tensor(sample_weight)
    return ops.sum(loss) / (loss.shape[0] if global_batch_size is None else global_batch_size)


@answers("nn.scale_regularization_loss")
def _regularization_loss(regularization_loss: Any) -> Any:
    return ops.sum(convert_to_tensor(regularization_loss))


# ---- Layers' parts ----


@answers("nn.dropout")
def _dropout(
    x: Any,
    rate: Any = None,
    noise_shape: Any = None,
    seed: Any = None,
    keep_prob: Any = None,
) -> Any:
    if keep_prob is not None:
        rate = 1 - keep_prob
    if rate is None or not 0 <= float(rate) < 1:
        raise ArgumentError(
            "tf.nn.dropout: rate must be a number from 0 to below 1.", received=repr(rate)
        )
    return dropped(convert_to_tensor(x), float(rate), noise_shape, seed)


@answers("nn.moments")
def _moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False) -> Any:
    return ops.moments(convert_to_tensor(x), _axes_list(axes), keepdims=keepdims)


def _axes_list(found: Any) -> Any:
    found = axes(found)
    return [found] if isinstance(found, int) else list(found)


@answers("nn.batch_normalization")
def _batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float
) -> Any:
    factor = ops.rsqrt(variance + variance_epsilon)
    factor = factor if scale is None else factor * scale
    found = convert_to_tensor(x) * factor
    return found - mean * factor + (0 if offset is None else offset)


@answers("nn.embedding_lookup")
def _embedding_lookup(params: Any, ids: Any, *_: Any, **__: Any) -> Any:
    return ops.take(convert_to_tensor(params), cast(ids, "int32"), axis=0)


@answers("nn.bias_add")
def _bias_add(value: Any, bias: Any, data_format: Any = None) -> Any:
    return convert_to_tensor(value) + convert_to_tensor(bias)


@answers("nn.xw_plus_b")
def _xw_plus_b(x: Any, weights: Any, biases: Any) -> Any:
    return ops.matmul(convert_to_tensor(x), weights) + biases


@answers("nn.relu_layer")
def _relu_layer(x: Any, weights: Any, biases: Any) -> Any:
    return ops.relu(_xw_plus_b(x, weights, biases))


@answers("math.zero_fraction", "nn.zero_fraction")
def _zero_fraction(value: Any) -> Any:
    return ops.mean(cast(ops.equal(convert_to_tensor(value), 0), "float32"))


for _name in (
    *("conv1d", "conv2d", "conv3d", "conv2d_transpose", "depthwise_conv2d", "atrous_conv2d"),
    *("separable_conv2d", "convolution", "max_pool", "max_pool2d", "avg_pool", "avg_pool2d"),
    *("pool", "local_response_normalization", "lrn", "ctc_loss", "static_rnn", "dynamic_rnn"),
    *("sampled_softmax_loss", "nce_loss"),
):
    enter(f"nn.{_name}", out_of_scope(f"tf.nn.{_name}"))
for _name in ("nn.rnn_cell.LSTMCell", "nn.rnn_cell.GRUCell", "nn.rnn_cell.BasicLSTMCell"):
    enter(_name, out_of_scope(f"tf.{_name}"))
