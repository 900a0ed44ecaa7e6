"""Sequential: a chain of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gazelle._core import context
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.masks import carrying_mask
from gazelle._core.registry import (
    builtin,
    custom_object_scope,
    deserialize,
    is_own_class,
    reading_config,
    serialize,
)
from gazelle._core.symbolic import KerasTensor, map_structure
from gazelle._data.feeds import is_stream
from gazelle.layers import Input, InputLayer, Layer
from gazelle.layers._calling import build_by_tracing
from gazelle.layers._parts import given_input_shape, own_trainable, set_own_trainable
from gazelle.layers._preprocessing.host import HostLayer
from gazelle.models._model import Model


@builtin("keras")
class Sequential(Model):
    """Layers, each called on the output of the one before.

    The weights are made as soon as the input's shape is known: from a first `Input(shape=...)`,
    from `input_shape=` of the first layer, from `build`, or from the first data.

    Args:
        layers: The layers, or None to `add` them one by one.
        trainable: Whether the weights are trained.
        name: A name; automatic when None.

    Raises:
        ArgumentTypeError: `layers` is not a list.
        ArgumentError: Something in it is not a layer.

    Example:
        >>> from gazelle.models import Sequential
        >>> from gazelle.layers import Dense, Input
        >>> model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1)])
        >>> model.count_params()
        49
    """

    def __init__(
        self, layers: Iterable[Any] | None = None, trainable: bool = True, name: str | None = None
    ):
        super().__init__(trainable=trainable, name=name)
        self._input_layer: InputLayer | None = None
        if layers is not None and not isinstance(layers, Iterable):
            raise ArgumentTypeError(
                "Sequential takes a list of layers.",
                received=repr(layers)[:80],
                fix="write Sequential([...])",
            )
        for layer in layers or []:
            self._append(layer)
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Append a layer (or an `Input`, at the beginning).

        Raises:
            ArgumentError: It is not a layer, its name is taken, or an `Input` comes late.
        """
        self._append(layer)
        if not rebuild:
            return
        if self._graph is None or not self._layers[:-1]:
            self._rebuild()
            return
        try:
            with context.scope_once(self.name):
                outputs = layer(self._graph.outputs)
        except Exception:
            self._layers.pop()  # the model stays as it was
            raise
        self._connect(self._graph.inputs, outputs)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer away and return it.

        Raises:
            ArgumentError: There is none.
        """
        if not self._layers:
            raise ArgumentError(
                "There are no layers to pop.",
                expected="a model with layers",
                received="an empty Sequential",
            )
        layer = self._layers.pop()
        if rebuild:
            self._rebuild()
        return layer

    def _append(self, layer: Any) -> None:
        node = layer.node if isinstance(layer, KerasTensor) else None
        if node is not None and isinstance(node.operation, InputLayer):  # what `Input` returned
            layer = node.operation
        if not isinstance(layer, Layer):
            is_class = isinstance(layer, type)
            raise ArgumentError(
                "Only instances of `gazelle.layers.Layer` can be added to a Sequential model.",
                expected="a layer such as Dense(10)",
                received=f"{layer!r} of type {type(layer).__name__}",
                fix="write the class with its arguments: Dense(10)" if is_class else None,
            )
        if isinstance(layer, InputLayer):
            if self._layers or self._input_layer is not None:
                raise ArgumentError(
                    f"Model {self.name!r} has layers already: an Input can only come first.",
                    received=layer.name,
                )
            self._input_layer = layer
            return
        if [other for other in self._layers if other.name == layer.name and other is not layer]:
            raise ArgumentError(
                "All layers added to a Sequential model should have unique names.",
                received=repr(layer.name),
                fix="give one of them another name",
            )
        if not self._layers and self._input_layer is None:
            inner = getattr(layer, "inputs", None) if isinstance(layer, Model) else None
            shape = given_input_shape(layer)
            if shape is not None:
                self._input_layer = _input_for((None, *shape), layer)
            elif inner is not None and len(inner) == 1:
                self._input_layer = _input_for(inner[0].shape, layer)
        self._layers.append(layer)

    def _rebuild(self) -> None:
        """Describe the chain again, once there are an input and a layer."""
        self.built, self._graph = False, None
        if self._input_layer is None or not self._layers:
            return
        x = source = self._input_layer.output
        with context.scope_once(self.name):
            for layer in self._layers:
                x = layer(x)
        self._connect(source, x)

    def _connect(self, source: KerasTensor, outputs: Any) -> None:
        layers = self._layers
        self._set_graph(source, outputs)
        self._layers = layers

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for data of `input_shape`.

        Args:
            input_shape: A tuple with the batch axis, `(None, 4)`.

        Raises:
            ArgumentError: There are no layers, no shape is known, or the model has another.
        """
        if self._graph is not None:
            self._check_shape(input_shape)
            return
        if not self._layers or input_shape is None:
            raise ArgumentError(
                f"Sequential model {self.name!r} cannot be built: it has no layers or no input"
                " shape.",
                expected="layers, and a shape such as build((None, 4))",
                received=f"{len(self._layers)} layers, input_shape={input_shape}",
            )
        self._input_layer = _input_for(tuple(input_shape), self._layers[0])
        self._rebuild()

    def _check_shape(self, input_shape: Any) -> None:
        """Refuse a shape for which the model is not built; the batch axis may differ."""
        built_for = self._graph.flat_inputs[0].shape if self._graph is not None else ()
        given = () if input_shape is None else tuple(input_shape)
        if given and any(isinstance(n, list | tuple) for n in given):  # a list of shapes
            return
        pairs = zip(given[1:], built_for[1:], strict=False)
        fits = len(given) == len(built_for) and all(None in p or p[0] == p[1] for p in pairs)
        if given and not fits:
            raise ArgumentError(
                f"Model {self.name!r} has already been configured for other data.",
                expected=f"input shape {built_for}",
                received=f"input shape {given}",
                fix="make a new model for data of this shape",
            )

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build from data, for any batch size; several inputs go to the first layer as they are."""
        if not self._layers:
            self.build(None)
        if len(args) == 1 and hasattr(args[0], "shape"):
            try:
                self.build((None, *args[0].shape[1:]))
                return
            except NotImplementedError:  # a layer refuses to say what shape it gives
                self._input_layer = None
        build_by_tracing(self, args, kwargs)
        self.built = True

    def _prepare_for(self, x: Any) -> Callable[[Any], Any] | None:
        """What does the part that runs on the host; a model that starts with it is built first."""
        starts_there = bool(self._layers) and isinstance(self._layers[0], HostLayer)
        if self._graph is None and starts_there and not is_stream(x):
            self.build((None, *np.shape(x)[1:]))
        return super()._prepare_for(x)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The output of the last layer."""
        if self._graph is not None:
            return super().call(inputs, training, mask)
        if mask is not None:
            inputs = map_structure(carrying_mask, inputs, mask)
        for layer in self._layers:
            inputs = layer(inputs)
        return inputs

    @property
    def _loses_masks(self) -> bool:
        return False

    @property
    def _is_functional(self) -> bool:
        return False

    def _listed_layers(self) -> list[Layer]:
        return list(self._layers)

    @property
    def operations(self) -> list[Any]:
        """The layers, without the input."""
        return list(self._layers)

    def get_config(self) -> dict[str, Any]:
        """The name and the layers' configs."""
        layers = (
            [self._input_layer, *self._layers] if self._input_layer is not None else self._layers
        )
        config = {
            "name": self.name,
            "trainable": own_trainable(self),
            "layers": [serialize(layer) for layer in layers],
        }
        if self._graph is not None:
            config["build_input_shape"] = list(self._graph.flat_inputs[0].shape)
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """A model with new weights from `get_config`."""
        with (
            custom_object_scope(custom_objects),
            reading_config(cls.__name__, own=is_own_class(cls)),
        ):
            model = cls([deserialize(entry) for entry in config["layers"]], name=config.get("name"))
            set_own_trainable(model, config.get("trainable", True))
            if model._graph is None and config.get("build_input_shape"):
                model.build(config["build_input_shape"])
            return model


def _input_for(batch_shape: tuple[Any, ...], layer: Layer) -> InputLayer:
    dtype = layer.takes if isinstance(layer, HostLayer) else layer.compute_dtype
    tensor = Input(batch_shape=tuple(batch_shape), dtype=dtype)
    return tensor.node.operation  # type: ignore[union-attr]
