"""Model: a layer that can be compiled, trained, evaluated and asked for predictions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, overload

from gazelle._core import context
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.registry import builtin, serialize
from gazelle._core.symbolic import KerasTensor, infer, map_structure
from gazelle.layers import Layer
from gazelle.layers.arguments import symbolic_inputs
from gazelle.models.files import load_weights, save_weights
from gazelle.models.graph import Graph
from gazelle.models.summary import print_summary, summary_html
from gazelle.models.trainer import Trainer


@builtin("keras")
class Model(Trainer):
    """A network.

    Three ways to make one:

    - `Model(inputs=..., outputs=...)` from symbolic tensors (the functional API);
    - a subclass with its layers made in `__init__` and used in `call(self, inputs, training=None)`;
    - `Sequential`, a chain of layers.

    Args:
        *args: `inputs` and `outputs` for a functional model, nothing for a subclass.
        **kwargs: `inputs`, `outputs`, `name`, `trainable`, `dtype`.

    Raises:
        ArgumentError: Inputs without outputs, or an unknown keyword.

    Example:
        >>> import gazelle
        >>> x = gazelle.Input(shape=(3,))
        >>> model = gazelle.Model(inputs=x, outputs=gazelle.layers.Dense(2)(x))
        >>> model.output_shape
        (None, 2)
    """

    if not TYPE_CHECKING:  # a type checker goes by `__init__`

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            """A `Functional` model for `Model(inputs, outputs)`."""
            if cls is Model and _is_functional(args, kwargs):
                from gazelle.models.functional import Functional

                return Functional.__new__(Functional, *args, **kwargs)
            return super().__new__(cls, *args, **kwargs)

    @overload
    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        *,
        trainable: bool = True,
        dtype: Any = None,
    ): ...

    @overload
    def __init__(self, *, name: str | None = None, trainable: bool = True, dtype: Any = None): ...

    def __init__(self, *args: Any, **kwargs: Any):
        graph_args, kwargs = _graph_arguments(args, kwargs)
        super().__init__(**kwargs)
        self._layers: list[Layer] = []
        if graph_args is not None:
            self._set_graph(*graph_args)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A model with new weights from `get_config`.

        Raises:
            ArgumentError: The config is damaged.
            ArgumentTypeError: The config does not match the constructor.
        """
        if cls is Model and "input_layers" in config:
            from gazelle.models.functional import Functional

            return Functional.from_config(config)
        return super().from_config(config)

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        self._graph = Graph(inputs, outputs, self.name)
        self._layers = self._graph.layers
        self.built = True

    # ---- Running ----

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs for `inputs`. A subclass defines its own; `mask` is kept for Keras's signature."""
        if self._graph is None:
            raise NotImplementedError(
                f"The model {type(self).__name__} has no call(). Define `def call(self, inputs,"
                " training=None)` in the subclass, or make the model with Model(inputs=...,"
                " outputs=...)."
            )
        return self._graph.run(inputs)

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of `input_shape`, the batch axis included.

        Args:
            input_shape: A tuple such as `(None, 4)`, or a list or dict of such tuples.
        """
        if self._graph is None:
            super().build(input_shape)

    @property
    def _builds_by_tracing(self) -> bool:
        return type(self).build is Model.build

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for inputs of `input_shape`, the batch axis included."""
        x = symbolic_inputs(input_shape, self.compute_dtype)
        return map_structure(lambda tensor: tensor.shape, infer(self._pure_call, (x,), {}))

    @property
    def _knows_output_shape(self) -> bool:
        return type(self).compute_output_shape is not Model.compute_output_shape

    def add_loss(self, loss: Any) -> None:
        """Add a term to the training loss, in the `call` of a subclass.

        Raises:
            NotImplementedError: The model is described by its inputs and outputs and runs no code
                of its own.
            ArgumentTypeError: `loss` is no array.
        """
        if self._graph is not None and context.current_layer() is not self:
            raise NotImplementedError(
                f"add_loss works in the call of a layer, not on the model {self.name!r}: put it"
                " into a layer of your own."
            )
        super().add_loss(loss)

    def _output_spec(self, x: Any) -> Any:
        """What the model gives for symbolic data `x`; builds the model if this is the first call."""
        if self._graph is not None:
            self._graph._flat_values(x)
            for tensor, name, value in zip(
                self._graph.flat_inputs,
                self._graph.input_names,
                self._graph._flat_values(x),
                strict=True,
            ):
                self._graph._fitted(tensor, name, _probe(value, tensor))
            return self._graph.outputs
        if not self.built:
            self._build_for((x,), {})
        return infer(self._pure_call, (x,), {}, owner=self)

    def __getstate__(self) -> dict[str, Any]:
        """What `pickle` and `copy` keep: everything but the compiled programs, which are made anew when needed."""
        state = {
            **self.__dict__,
            "_predictor": None,
            "_shortcut": None,
            "_run_state": type(self._run_state)(),
        }
        if self._compiled is not None:
            state["_compiled"] = dataclasses.replace(self._compiled, engine=None)
        return state

    # ---- Structure ----

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order of their weights."""
        if self._graph is not None:
            return list(self._layers)
        return list({id(layer): layer for layer in self._sublayers()}.values())

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Model.layers` is reserved: it lists the layers. Use another attribute name."
        )

    def _sublayers(self) -> Iterator[Any]:
        """The layers of the graph in its order, then what other attributes hold."""
        if self.__dict__.get("_graph") is not None:
            yield from self._layers
        yield from super()._sublayers()

    @property
    def operations(self) -> list[Any]:
        """The layers and, in a functional model, the operators between them."""
        return list(self._graph.operations) if self._graph is not None else self.layers

    @property
    def inputs(self) -> list[KerasTensor] | None:
        """The symbolic inputs of a functional model, as a list."""
        return list(self._graph.flat_inputs) if self._graph is not None else None

    @property
    def outputs(self) -> list[KerasTensor] | None:
        """The symbolic outputs of a functional model, as a list."""
        return list(self._graph.flat_outputs) if self._graph is not None else None

    @property
    def input(self) -> Any:
        """The symbolic input (or structure of inputs).

        Raises:
            AttributeError: The model has no graph.
        """
        return self._known_graph("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic output (or structure of outputs).

        Raises:
            AttributeError: The model has no graph.
        """
        return self._known_graph("output").outputs

    @property
    def input_shape(self) -> Any:
        """The input's shape (or structure of shapes), None for the batch axis."""
        shapes = map_structure(lambda tensor: tensor.shape, self._known_graph("input").inputs)
        return shapes[0] if isinstance(shapes, list) and len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """The output's shape (or structure of shapes), None for the batch axis."""
        return map_structure(lambda tensor: tensor.shape, self._known_graph("output").outputs)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return list(self._known_graph("input").input_names)

    def _known_graph(self, what: str) -> Graph:
        if self._graph is None:
            raise AttributeError(
                f"The model {self.name!r} has no defined {what} shape yet: call it on data, or"
                " build it."
            )
        return self._graph

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by index.

        Raises:
            ArgumentError: No such layer, or neither (or both) given.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise ArgumentError(
                "get_layer needs either a name or an index.",
                received=f"name={name!r}, index={index!r}",
            )
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ArgumentError(
                    f"There is no layer {index}.",
                    expected=f"an index below {len(layers)}",
                    received=index,
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ArgumentError(
            f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}.",
            received=repr(name),
        )

    def _repr_html_(self) -> str:
        """The layers, their output shapes and numbers of parameters, for notebooks."""
        return summary_html(self)

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: list[str] | None = None,
    ) -> None:
        """Print a table of the layers, their output shapes and numbers of parameters.

        Args:
            line_length: Width of the table in characters; the terminal's, at most 88 (108 with
                connections), when None.
            positions: Right edges of the columns as shares of the width.
            print_fn: Called with each line instead of printing, the title first.
            expand_nested: Whether to list the layers of models within the model.
            show_trainable: Whether to add a column that says which layers are trained.
            layer_range: First and last layer to list, two names or regular expressions.
        """
        print_summary(
            self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range
        )

    # ---- Files and configs ----

    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Write the weights (and the optimizer's state) to a `.weights.h5` file that Keras 3 reads too.

        Args:
            filepath: Path that ends in `.weights.h5`.
            overwrite: Whether to replace an existing file.
            max_shard_size: Not supported: None.

        Raises:
            ArgumentError: Another ending, or the file exists and `overwrite` is False.
            StateError: The model is not built.
        """
        save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Read the weights from a `.weights.h5` file. All or nothing is changed.

        Args:
            filepath: A file that `save_weights` of Gazelle or Keras 3 wrote.
            skip_mismatch: Whether to leave out (with a warning) what does not fit.

        Raises:
            DataError: The file is missing, damaged, or does not fit the model.
            StateError: The model is not built.
        """
        load_weights(self, filepath, skip_mismatch=skip_mismatch)

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Whole-model files (`.keras`) are not supported yet: save the config and the weights.

        Raises:
            ArgumentError: Always, saying what to do.
        """
        raise ArgumentError(
            f"Whole models cannot be saved to {str(filepath)!r} yet.",
            expected="weights: model.save_weights('model.weights.h5')",
            fix=(
                "save the architecture with model.to_json() and the weights with"
                " model.save_weights(...)"
            ),
        )

    def to_json(self, **kwargs: Any) -> str:
        """The architecture (not the weights) as JSON; `gazelle.models.model_from_json` reads it.

        Args:
            **kwargs: Passed to `json.dumps`.
        """
        return json.dumps(serialize(self), **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal model."""
        if type(self) is Model:
            return self._base_config()
        return Layer.get_config(self)

    def _require_built(self, what: str) -> None:
        if not self.built:
            raise StateError(
                f"{what}: the model {self.name!r} is not built, so it has no weights yet.",
                expected="a built model",
                fix=(
                    "give the input shape (Input(shape=...)), call model.build((None, ...)), or"
                    " call it on data first"
                ),
            )


def _is_functional(args: tuple, kwargs: dict[str, Any]) -> bool:
    return (
        len(args) == 2
        or (len(args) == 1 and "outputs" in kwargs)
        or ("inputs" in kwargs and "outputs" in kwargs)
    )


def _graph_arguments(
    args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple[Any, Any] | None, dict[str, Any]]:
    """Take inputs and outputs out of a model's arguments."""
    for old, new in (("input", "inputs"), ("output", "outputs")):
        if old in kwargs:
            raise ArgumentError(
                f"Model has no argument {old!r}.", received=old, fix=f"write {new}=..."
            )
    if len(args) == 3 and "name" not in kwargs:
        args, kwargs = args[:2], {**kwargs, "name": args[2]}
    if _is_functional(args, kwargs):
        kwargs = dict(kwargs)
        inputs = args[0] if args else kwargs.pop("inputs")
        outputs = args[1] if len(args) == 2 else kwargs.pop("outputs")
        return (inputs, outputs), kwargs
    if args or "inputs" in kwargs or "outputs" in kwargs:
        raise ArgumentError(
            "A functional model needs both inputs and outputs.",
            expected="Model(inputs=..., outputs=...)",
            received=f"{len(args)} positional arguments and {sorted(kwargs)}",
        )
    return None, kwargs


def _probe(value: Any, tensor: KerasTensor) -> Any:
    """A symbolic stand-in for data, with the rank brought to the input's where a last axis of 1 is all that differs."""
    shape, wanted = tuple(value.shape), tensor.shape
    if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
        shape = (*shape, 1)
    elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    return KerasTensor(shape, tensor.dtype)
