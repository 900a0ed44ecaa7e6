"""The models that the kernel knows: a chain of scaling, flattening and Dense layers, a loss, Adam.

Behind a Dense layer that is not the last there may be activations, batch normalization and dropout,
in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from gazelle import activations, losses
from gazelle._core.identity import is_among
from gazelle._core.symbolic import KerasTensor, leaves
from gazelle._core.variable import Variable
from gazelle.layers import (
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    InputLayer,
    Rescaling,
    Reshape,
)
from gazelle.layers._graph import Graph
from gazelle.optimizers import Adam, Optimizer
from gazelle.optimizers._state import learning_rate_source
from gazelle.random import _threefry as threefry
from gazelle.regularizers import L1, L1L2, L2

HIDDEN = {activations.linear: 0, activations.relu: 1, activations.tanh: 2, activations.sigmoid: 3}
SPARSE, ONE_HOT, BINARY, SQUARED = range(4)  # heads, as in heads.h
ACTIVATE, NORMALIZE, DROP = range(3)  # kinds of stages, as in stages.h

# Loss -> head, the activation that goes before it.
_LOSSES = {
    losses.sparse_categorical_crossentropy: (SPARSE, activations.softmax),
    losses.categorical_crossentropy: (ONE_HOT, activations.softmax),
    losses.binary_crossentropy: (BINARY, activations.sigmoid),
    losses.mean_squared_error: (SQUARED, activations.linear),
}
_LOSS_CLASSES = (
    losses.FunctionLoss,
    losses.SparseCategoricalCrossentropy,
    losses.CategoricalCrossentropy,
    losses.BinaryCrossentropy,
    losses.MeanSquaredError,
)
_PLAIN_ARGUMENTS = {
    "ignore_class": (None,),
    "axis": (-1, 1),
    "label_smoothing": (0, 0.0),
    "from_logits": (True, False),
}


class Stage(NamedTuple):
    """What follows a Dense layer and its activation."""

    after: int  # which of the Dense layers
    kind: int
    layer: Any


class Chain(NamedTuple):
    """What a model computes."""

    source: KerasTensor  # its input
    scale: float
    offset: float
    sizes: list[int]  # inputs, then the units of each Dense layer
    functions: list[Any]  # the activation of each Dense layer
    kernels: list[Variable]
    biases: list[Variable | None]
    stages: list[Stage]

    def parameters(self) -> list[Variable]:
        """What is trained, in the kernel's order."""
        found: list[Any] = []
        for place, pair in enumerate(zip(self.kernels, self.biases, strict=True)):
            found += pair
            for stage in self.stages:
                if stage.after == place and stage.kind == NORMALIZE:
                    found += [stage.layer.gamma, stage.layer.beta]
        return [one for one in found if one is not None]

    def attributes(self) -> dict[str, Any]:
        """The attributes of the kernel's calls that describe the layers.

        A last activation that is not in HIDDEN is left to the calls themselves.
        """
        pairs = [_stage_numbers(*stage) for stage in self.stages]
        return {
            "scale": np.float32(self.scale),
            "offset": np.float32(self.offset),
            "sizes": np.array(self.sizes, np.int32),
            "kinds": np.array([HIDDEN.get(function, 0) for function in self.functions], np.int32),
            "biased": np.array([bias is not None for bias in self.biases], np.int32),
            "stages": np.array([number for numbers, _ in pairs for number in numbers], np.int32),
            "reals": np.array([real for _, reals in pairs for real in reals], np.float32),
        }

    def moments(self) -> list[Variable]:
        """The moving moments, in the kernel's order."""
        layers = [stage.layer for stage in self.stages if stage.kind == NORMALIZE]
        return [moment for layer in layers for moment in (layer.moving_mean, layer.moving_variance)]

    def keys(self) -> list[Variable]:
        """The keys of dropout, in the kernel's order."""
        return [stage.layer.seed_generator.state for stage in self.stages if stage.kind == DROP]

    def weights(self) -> int:
        """Elements of all kernels."""
        return sum(a * b for a, b in pairwise(self.sizes))


def chain_of(graph: Graph | None) -> Chain | None:
    """The chain that a graph is; None for any other graph, and for a model without one."""
    if graph is None or isinstance(graph.inputs, dict) or graph.terms:
        return None
    if len(graph.flat_inputs) != 1:
        return None
    tensor = graph.flat_inputs[0]
    chain = Chain(tensor, 1.0, 0.0, [], [], [], [], [])
    for node in graph.nodes:
        if isinstance(node.operation, InputLayer):
            continue
        given = leaves((node.args, node.kwargs))
        if len(given) != 1 or given[0] is not tensor or not _is_plain(node.operation):
            return None
        longer = _with(chain, node.operation, tensor.shape)
        if longer is None:
            return None
        chain, tensor = longer, node.outputs
    last = len(chain.kernels) - 1
    ends_staged = any(stage.after == last for stage in chain.stages)
    if tensor is not graph.outputs or last < 0 or ends_staged:
        return None
    return chain


def _is_plain(layer: Any) -> bool:
    """Whether a layer is called as its class says and computes in float32 without a penalty."""
    return (
        "call" not in vars(layer)
        and getattr(layer, "activity_regularizer", layer) is None
        and layer.dtype_policy.compute_dtype == layer.dtype_policy.variable_dtype == "float32"
    )


def _with(chain: Chain, layer: Any, shape: Sequence[int | None]) -> Chain | None:
    """The chain with one more layer; None for a layer that the kernel does not know there.

    Args:
        chain: The chain so far.
        layer: The layer.
        shape: The shape of its inputs.
    """
    kind = type(layer)
    if kind is Reshape or (kind is Flatten and layer.data_format == "channels_last"):
        return chain  # the rows of numbers stay as they are
    if kind is Dropout and layer.rate == 0:
        return chain
    if kind is Rescaling:
        return _with_scale(chain, layer)
    if kind is Dense:
        return _with_dense(chain, layer, shape)
    if kind in (Activation, BatchNormalization, Dropout) and chain.kernels:
        return _with_stage(chain, layer, shape)
    return None


def _with_scale(chain: Chain, layer: Rescaling) -> Chain | None:
    """The chain with scaled inputs: once, in front of the first Dense layer, by numbers."""
    numbers = isinstance(layer.scale, int | float) and isinstance(layer.offset, int | float)
    if not numbers or chain.kernels or (chain.scale, chain.offset) != (1.0, 0.0):
        return None
    return chain._replace(scale=float(layer.scale), offset=float(layer.offset))


def _with_dense(chain: Chain, layer: Dense, shape: Sequence[int | None]) -> Chain | None:
    """The chain with one more Dense layer, whose weights it does not have already."""
    if len(shape) != 2 or not layer.built or layer.lora_kernel_a is not None:
        return None
    kernel: Variable = layer.kernel
    inputs, units = kernel.shape
    if shape[-1] != inputs or is_among(kernel, chain.kernels):
        return None
    return chain._replace(
        sizes=[*(chain.sizes or [inputs]), units],
        functions=[*chain.functions, layer.activation],
        kernels=[*chain.kernels, kernel],
        biases=[*chain.biases, layer.bias],
    )


def _with_stage(chain: Chain, layer: Any, shape: Sequence[int | None]) -> Chain | None:
    """The chain with an activation, a normalization or dropout behind its last Dense layer."""
    last = len(chain.kernels) - 1
    is_activation = type(layer) is Activation
    is_first = all(stage.after != last for stage in chain.stages)
    if is_activation and is_first and chain.functions[-1] is activations.linear:
        return chain._replace(functions=[*chain.functions[:-1], layer.activation])
    is_repeated = is_among(layer, [stage.layer for stage in chain.stages])
    if len(shape) != 2 or (is_repeated and not is_activation):
        return None
    kind = _stage_of(layer)
    return (
        None if kind is None else chain._replace(stages=[*chain.stages, Stage(last, kind, layer)])
    )


def _stage_of(layer: Any) -> int | None:
    """The kind of stage that a layer is; None if the kernel does not know it."""
    if type(layer) is Activation:
        return ACTIVATE if layer.activation in HIDDEN else None
    if type(layer) is Dropout:
        is_known = layer.rate < 1 and layer.noise_shape is None and threefry.is_drawn_here()
        return DROP if is_known else None
    is_known = layer.axis in (-1, 1) and not layer.renorm and layer.trainable
    return NORMALIZE if is_known else None


def _stage_numbers(after: int, kind: int, layer: Any) -> tuple[list[int], list[float]]:
    """A stage as `read_stages` in kernel.cpp takes it."""
    if kind == ACTIVATE:
        return [after, kind, HIDDEN[layer.activation], 0], [0.0, 0.0, 0.0]
    if kind == DROP:
        return [after, kind, 0, 0], [1.0 - layer.rate, 0.0, 0.0]
    flags = (layer.beta is not None) + 2 * (layer.gamma is not None)
    return [after, NORMALIZE, 0, flags], [layer.epsilon, layer.momentum, 1.0 - layer.momentum]


def head_of(loss: losses.Loss, last: Callable[..., Any], units: int) -> tuple[int, bool] | None:
    """The head for a loss behind the activation `last`, and whether the loss takes logits.

    None for a loss that the kernel does not know there.
    """
    if not isinstance(loss, losses.FunctionLoss) or type(loss) not in _LOSS_CLASSES:
        return None
    if loss.function not in _LOSSES or "call" in vars(loss):
        return None
    if loss.reduction not in ("sum_over_batch_size", "mean") or loss.dtype != "float32":
        return None
    if any(value not in _PLAIN_ARGUMENTS.get(name, ()) for name, value in loss.arguments.items()):
        return None
    head, wanted = _LOSSES[loss.function]
    logits = bool(loss.arguments.get("from_logits", False))
    if last is not (activations.linear if logits else wanted):
        return None
    fits = {SPARSE: units > 1, ONE_HOT: units > 1, BINARY: units == 1, SQUARED: True}
    return (head, logits) if fits[head] else None


def penalty_of(variable: Variable) -> tuple[float, float] | None:
    """The factors of a weight's L1 and L2 penalty, 0 without one; None for other penalties."""
    regularizer = variable.regularizer
    if regularizer is None:
        return 0.0, 0.0
    if type(regularizer) not in (L1, L2, L1L2) or "__call__" in vars(regularizer):
        return None
    return float(getattr(regularizer, "l1", 0.0)), float(getattr(regularizer, "l2", 0.0))


# Options of Adam that the kernel does not know.
_EXTRAS = (
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "weight_decay",
    "use_ema",
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "amsgrad",
)


def is_plain_adam(optimizer: Optimizer) -> TypeGuard[Adam]:
    """Whether an optimizer is Adam with a number as rate, and nothing around it."""
    if type(optimizer) is not Adam:
        return False
    if {"apply", "update_step", "scale_loss"} & vars(optimizer).keys():
        return False
    has_extras = any(getattr(optimizer, name) for name in _EXTRAS)
    return (
        not has_extras
        and isinstance(learning_rate_source(optimizer), Variable)
        and optimizer.epsilon > 0
    )
