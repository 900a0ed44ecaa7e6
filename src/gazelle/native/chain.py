"""Models that the kernel knows: a chain of scaling, flattening and Dense layers, a loss and Adam, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gazelle import activations, losses
from gazelle._core.symbolic import KerasTensor, leaves
from gazelle._core.variable import Variable
from gazelle.layers import Activation, Dense, Flatten, InputLayer, Rescaling, Reshape
from gazelle.metrics import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from gazelle.metrics.accuracy import binary_accuracy, categorical_accuracy, sparse_categorical_accuracy
from gazelle.optimizers import Adam

HIDDEN = {activations.linear: 0, activations.relu: 1, activations.tanh: 2, activations.sigmoid: 3}
SPARSE, ONE_HOT, BINARY, SQUARED = range(4)  # heads, as in heads.h

# Loss -> head, the activation that goes before it, the accuracy that "accuracy" then is and its function.
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
_ACCURACIES = {
    SPARSE: (SparseCategoricalAccuracy, sparse_categorical_accuracy, {}),
    ONE_HOT: (CategoricalAccuracy, categorical_accuracy, {}),
    BINARY: (BinaryAccuracy, binary_accuracy, {"threshold": 0.5}),
}
_PLAIN_ARGUMENTS = {"ignore_class": (None,), "axis": (-1, 1), "label_smoothing": (0, 0.0), "from_logits": (True, False)}


class Chain(NamedTuple):
    """What a model computes."""

    source: KerasTensor  # its input
    scale: float
    offset: float
    sizes: list[int]  # inputs, then the units of each Dense layer
    functions: list[Any]  # the activation of each Dense layer
    kernels: list[Variable]
    biases: list[Variable | None]


def chain_of(model: Any) -> Chain | None:
    """The chain that a model is; None for any other model."""
    graph = getattr(model, "_graph", None)
    if graph is None or not type(model).__module__.startswith("gazelle.models.") or "call" in vars(model):
        return None
    if len(graph.flat_inputs) != 1 or len(graph.flat_outputs) != 1 or isinstance(graph.inputs, dict):
        return None
    tensor = graph.flat_inputs[0]
    chain = Chain(tensor, 1.0, 0.0, [], [], [], [])
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
    return chain if tensor is graph.flat_outputs[0] and chain.kernels else None


def _is_plain(layer: Any) -> bool:
    """Whether a layer is called as its class says and computes in float32 without a penalty."""
    return (
        "call" not in vars(layer)
        and getattr(layer, "activity_regularizer", layer) is None
        and layer.dtype_policy.compute_dtype == layer.dtype_policy.variable_dtype == "float32"
    )


def _with(chain: Chain, layer: Any, shape: Sequence[int | None]) -> Chain | None:
    """The chain with one layer more, which gets inputs of `shape`; None for a layer that the kernel does not know."""
    kind = type(layer)
    if kind is Reshape or (kind is Flatten and layer.data_format == "channels_last"):
        return chain
    if kind is Rescaling:
        numbers = isinstance(layer.scale, int | float) and isinstance(layer.offset, int | float)
        fresh = not chain.kernels and (chain.scale, chain.offset) == (1.0, 0.0)
        return chain._replace(scale=float(layer.scale), offset=float(layer.offset)) if numbers and fresh else None
    if kind is Activation and chain.kernels and chain.functions[-1] is activations.linear:
        return chain._replace(functions=[*chain.functions[:-1], layer.activation])
    if kind is not Dense or len(shape) != 2 or layer.lora_kernel_a is not None or layer._kernel is None:
        return None
    inputs, units = layer._kernel.shape
    if shape[-1] != inputs or any(layer._kernel is kernel for kernel in chain.kernels):
        return None
    return chain._replace(
        sizes=[*(chain.sizes or [inputs]), units],
        functions=[*chain.functions, layer.activation],
        kernels=[*chain.kernels, layer._kernel],
        biases=[*chain.biases, layer.bias],
    )


def head_of(loss: Any, last: Any, units: int) -> tuple[int, bool] | None:
    """The head for a loss behind the activation `last`, and whether the loss takes logits; None for any other."""
    if type(loss) not in _LOSS_CLASSES or loss.function not in _LOSSES or "call" in vars(loss):
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


def is_accuracy_of(head: int, metric: Any) -> bool:
    """Whether a metric is what `"accuracy"` stands for at this head."""
    kind, function, arguments = _ACCURACIES.get(head, (None, None, None))
    return (
        type(metric) is kind
        and metric._fn is function
        and metric._fn_kwargs == arguments
        and not {"update_state", "result", "reset_state"} & vars(metric).keys()
        and metric.dtype == "float32"
    )


def is_plain_adam(optimizer: Any) -> bool:
    """Whether an optimizer is Adam with a rate that is a number, and nothing around it."""
    if type(optimizer) is not Adam or {"apply", "update_step", "scale_loss"} & vars(optimizer).keys():
        return False
    extras = ("clipnorm", "clipvalue", "global_clipnorm", "weight_decay", "use_ema", "loss_scale_factor")
    extras += ("gradient_accumulation_steps", "amsgrad")
    return (
        not any(getattr(optimizer, name) for name in extras)
        and isinstance(optimizer._learning_rate, Variable)
        and optimizer.epsilon > 0
    )
