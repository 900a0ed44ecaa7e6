"""Layers take the arguments that they had in Keras 1, Keras 2 and tf.keras."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gazelle import constraints, initializers, layers
from gazelle._core.registry import get_custom_objects
from gazelle.compat._arguments import modern_function
from gazelle.compat._forms import CALLS
from gazelle.compat._keras.layers import Highway, MaxoutDense
from gazelle.compat._patches import Patches
from gazelle.compat._telling import tell
from gazelle.layers import Layer
from gazelle.metrics import Mean

# What `weights=[...]` of a layer set, in that order.
_WEIGHTS = {
    "Dense": ("kernel_initializer", "bias_initializer"),
    "Embedding": ("embeddings_initializer",),
    "BatchNormalization": (
        "beta_initializer", "gamma_initializer", "moving_mean_initializer",
        "moving_variance_initializer",
    ),
}  # fmt: skip
# What a layer could be given besides, and what is written today.
_OF_EVERY_LAYER = {
    "input_dtype": "Input(dtype=)",
    "batch_size": "Input(batch_size=)",
    "dynamic": "it without dynamic=; it has no effect",
    "experimental_autocast": "autocast=",
}


def install_layers(patches: Patches) -> None:
    """Let layers and constraints take their old arguments."""
    for name in layers.__all__:
        cls = getattr(layers, name)
        if isinstance(cls, type) and issubclass(cls, Layer) and cls is not Layer:
            _patch_class(patches, cls, name)
    for name in ("MaxNorm", "MinMaxNorm"):
        cls = getattr(constraints, name)
        changed = modern_function(f"constraints.{name}", cls.__init__)
        patches.attribute(cls, "__init__", changed)
    for cls in (Highway, MaxoutDense):  # as configs of Keras 1 name them
        patches.item(get_custom_objects(), cls.__name__, cls)
    patches.attribute(Layer, "__init__", _without_old_options(Layer.__init__))
    for function in (add_metric, add_update, get_input_at, get_output_at):
        patches.attribute(Layer, function.__name__, function)
    patches.attribute(Layer, "compute_mask", _with_default_mask(Layer.compute_mask))
    patches.attribute(Layer, "updates", property(lambda layer: []))
    patches.attribute(Layer, "stateful", False)
    for name in ("input_shape", "output_shape"):
        if not hasattr(Layer, name):
            patches.attribute(Layer, name, _shape_property(name))


def _patch_class(patches: Patches, cls: type[Layer], name: str) -> None:
    init = cls.__init__
    if f"layers.{name}" in CALLS:
        init = modern_function(f"layers.{name}", init)
    if name in _WEIGHTS:
        init = _with_weights(name, init)
    if name == "Embedding":
        init = _with_input_length(init)
    if init is not cls.__init__:
        patches.attribute(cls, "__init__", init)


def _with_weights(name: str, init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that takes `weights=[arrays]`, the values that the layer begins with."""
    places = _WEIGHTS[name]

    @functools.wraps(init)
    def call(self: Layer, *args: Any, weights: Any = None, **kwargs: Any) -> None:
        if weights is not None:
            arrays = weights if isinstance(weights, list | tuple) else [weights]
            tell(f"{name}(weights=)", f"{name}({places[0]}=initializers.Constant(array))")
            for place, array in zip(places, arrays, strict=False):
                kwargs[place] = initializers.Constant(np.asarray(array))
        init(self, *args, **kwargs)

    return call


def _with_input_length(init: Callable[..., None]) -> Callable[..., None]:
    """The constructor of an Embedding, which always knew the shape of its inputs in Keras 2."""

    @functools.wraps(init)
    def call(self: Layer, *args: Any, input_length: Any = None, **kwargs: Any) -> None:
        if not {"input_shape", "batch_input_shape"} & kwargs.keys():
            lengths = input_length if isinstance(input_length, list | tuple) else [input_length]
            kwargs["input_shape"] = tuple(lengths)
        if input_length is not None:
            tell("Embedding(input_length=)", "Input((length,)) before it")
        init(self, *args, **kwargs)

    return call


def _without_old_options(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def call(self: Layer, *args: Any, **kwargs: Any) -> None:
        for name, modern in _OF_EVERY_LAYER.items():
            if name in kwargs and type(self).__name__ != "InputLayer":
                del kwargs[name]
                tell(f"{type(self).__name__}({name}=)", modern)
        if args:  # tf.keras: super().__init__(trainable, name, dtype)
            kwargs.update(zip(("trainable", "name", "dtype"), args, strict=False))
        init(self, **kwargs)

    return call


def _with_default_mask(compute_mask: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(compute_mask)
    def call(self: Layer, inputs: Any, previous_mask: Any = None, mask: Any = None) -> Any:
        return compute_mask(self, inputs, mask if previous_mask is None else previous_mask)

    return call


def add_metric(
    self: Layer, value: Any, aggregation: str | None = None, name: str | None = None
) -> None:
    """tf.keras's `add_metric`: the mean of a value over the batches.

    Without a name, the value is that of a metric that the layer holds, which counts anyway.
    """
    if name is None:
        return
    known = {metric.name: metric for metric in self.metrics}
    if name in known:
        known[name].update_state(value)
    else:  # the call that finds the shapes, or the first one; its value is not counted
        setattr(self, f"metric_{name}", Mean(name=name))


def add_update(self: Layer, updates: Any, inputs: Any = None) -> None:
    """Keras 2's `add_update`: variables are assigned by the call itself today."""


def get_input_at(self: Layer, index: int) -> Any:
    """The symbolic input of the call with this number."""
    tensors = self.inbound_nodes[index].inputs
    return tensors[0] if len(tensors) == 1 else tensors


def get_output_at(self: Layer, index: int) -> Any:
    """The symbolic output of the call with this number."""
    outputs = self.inbound_nodes[index].outputs
    return outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs


def _shape_property(name: str) -> property:
    what = name.partition("_")[0]

    def shape(self: Layer) -> Any:
        tensors = getattr(self, what)
        if isinstance(tensors, list | tuple):
            return [tuple(tensor.shape) for tensor in tensors]
        return tuple(tensors.shape)

    shape.__doc__ = f"The shape of the symbolic {what} of the layer."
    return property(shape)
