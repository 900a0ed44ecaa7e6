"""Pipeline: layers one after another, as one layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gazelle._core import context
from gazelle._core.errors import ArgumentError, short
from gazelle._core.registry import builtin, custom_object_scope, deserialize, serialize
from gazelle._core.symbolic import any_symbolic
from gazelle.layers._base import Layer
from gazelle.layers._parts import flatten_layers
from gazelle.layers._preprocessing.host import HostLayer


@builtin("keras.layers")
class Pipeline(Layer):
    """Applies layers one after another.

    It is a layer, and not a model like `Sequential`. Outside of a model it counts as training, as
    in Keras, unless it is called with `training=False`. With layers of text it is called on text;
    in a model, its layers then are layers of the model.

    Args:
        layers: The layers, in order.
        name: A name; automatic when None.

    Raises:
        ArgumentError: `layers` is not a list of layers.

    Example:
        >>> import gazelle
        >>> halves = gazelle.layers.Rescaling(0.5)
        >>> print(gazelle.layers.Pipeline([halves, halves])([[8.0]]))
        [[2.]]
    """

    def __init__(self, layers: Sequence[Layer], name: str | None = None):
        super().__init__(name=name)
        is_list = isinstance(layers, list | tuple) and bool(layers)
        if not is_list or not all(isinstance(layer, Layer) for layer in layers):
            raise ArgumentError(
                "Pipeline: `layers` must be a list of layers.",
                expected="at least one layer",
                received=short(layers),
            )
        self._pipeline_layers = list(layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return self._pipeline_layers

    def __call__(self, inputs: Any, *, training: bool | None = None, mask: Any = None) -> Any:
        """The output of the last layer; of text, too, if the layers take text."""
        if any(isinstance(layer, HostLayer) for layer in flatten_layers(self)):
            if training is None and not any_symbolic(inputs):
                around = context.current_training()
                training = True if around is None else around
            return self.call(inputs, training, mask)
        given = {"training": training, "mask": mask}
        given = {name: value for name, value in given.items() if value is not None}
        return super().__call__(inputs, **given)

    def call(self, inputs: Any, training: bool | None = True, mask: Any = None) -> Any:
        """The output of the last layer; `mask` goes to the first one, if it takes one."""
        given: dict[str, Any] = {"mask": mask, "training": training}
        outputs = inputs
        for layer in self._pipeline_layers:
            wanted = given.keys() & layer._call_parameters.keys()
            outputs = layer(outputs, **{n: given[n] for n in wanted if given[n] is not None})
            given["mask"] = None  # the outputs carry theirs
        return outputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"layers": serialize(self._pipeline_layers), "name": self.name}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """A pipeline with new weights from `get_config`.

        Raises:
            ArgumentError: The config has no list of layers.
        """
        with custom_object_scope(custom_objects):
            return super().from_config({**config, "layers": deserialize(config.get("layers"))})
