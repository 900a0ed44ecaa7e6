"""Model: a layer that can be compiled, trained, evaluated and asked for predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import jax.numpy as jnp

from gazelle._core import context
from gazelle._core.errors import ArgumentError
from gazelle._core.identity import unique
from gazelle._core.registry import (
    builtin,
    custom_object_scope,
    is_own_class,
    reading_config,
    serialize,
)
from gazelle._core.symbolic import KerasTensor, any_symbolic, leaves, map_structure
from gazelle.layers import Layer
from gazelle.layers._arguments import symbolic_inputs
from gazelle.layers._calling import infer_outputs
from gazelle.layers._graph import Graph
from gazelle.layers._parts import own_trainable, set_own_trainable
from gazelle.models._files import save_model
from gazelle.models._graph_config import check_all_used, graph_config, graph_from_config
from gazelle.models._settable import settable
from gazelle.models._summary import print_summary, summary_html
from gazelle.models._trainable import Trainable
from gazelle.models._weights import load_weights, require_built, save_weights

# What a functional model's config says of its graph, and what is set apart from the constructor.
_OF_GRAPHS = frozenset({"layers", "input_layers", "output_layers", "trainable"})


@builtin("keras")
class Model(Trainable):
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
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """A model with new weights from `get_config`.

        Raises:
            ArgumentError: The config is damaged: a call waits for a tensor that no layer gives.
            ArgumentTypeError: The config does not match the constructor.
        """
        if "layers" not in config or "input_layers" not in config:
            return super().from_config(config, custom_objects)
        with (
            custom_object_scope(custom_objects),
            reading_config(cls.__name__, own=is_own_class(cls)),
        ):
            own = {key: value for key, value in config.items() if key not in _OF_GRAPHS}
            model = cls(*graph_from_config(config), **own)
            check_all_used(config, model._known_graph("input"))
            set_own_trainable(model, config.get("trainable", True))
            return model

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        self._graph = Graph(inputs, outputs, self.name)
        self._layers = self._graph.layers
        self.built = True

    # ---- Running ----

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the model, see `Layer`; what runs on the host comes first."""
        graph = self.graph_on_host
        if graph is not None and args and not any_symbolic(args):
            args = (graph.prepared(args[0]), *args[1:])
        return super().__call__(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for symbolic tensors, as symbolic tensors."""
        graph = self.graph_on_host
        if graph is None:
            return super().compute_output_spec(*args, **kwargs)
        return map_structure(lambda tensor: KerasTensor(tensor.shape, tensor.dtype), graph.outputs)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs for `inputs`, whose masks may be given. Subclasses define it."""
        if self._graph is None:
            raise NotImplementedError(
                f"The model {type(self).__name__} has no call(). Define `def call(self, inputs,"
                " training=None)` in the subclass, or make the model with Model(inputs=...,"
                " outputs=...)."
            )
        outputs, terms = self._graph.run(inputs, mask)
        if terms:
            super().add_loss([jnp.mean(term) for term in terms])
        return outputs

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of `input_shape`, the batch axis included.

        Args:
            input_shape: A tuple such as `(None, 4)`, or a list or dict of such tuples.
        """
        if self._graph is None:
            super().build(input_shape)

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build_from_config` needs to make the weights; None for a model with a graph."""
        return super().get_build_config() if self._graph is None else None

    @property
    def _builds_by_tracing(self) -> bool:
        return type(self).build is Model.build

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for inputs of `input_shape`, the batch axis included."""
        x = symbolic_inputs(input_shape, self.compute_dtype)
        outputs = infer_outputs(self, (x,), {})
        return map_structure(lambda tensor: tensor.shape, outputs)

    @property
    def _loses_masks(self) -> bool:
        return self._graph is None and super()._loses_masks

    @property
    def _knows_output_shape(self) -> bool:
        return type(self).compute_output_shape is not Model.compute_output_shape

    def add_loss(self, loss: Any) -> None:
        """Add a term to the training loss.

        Args:
            loss: In the `call` of a subclass a scalar array, or a list of them. Of a model that is
                described by its inputs and outputs a symbolic tensor that is computed from its
                inputs, whose mean is added. A file of the model does not hold it.

        Raises:
            NotImplementedError: An array for a model that is described by its inputs and outputs
                and runs no code of its own.
            StateError: A symbolic tensor that does not come from the model's inputs.
            ArgumentTypeError: `loss` is not an array.
        """
        if self._graph is None or context.current_layer() is self:
            super().add_loss(loss)
            return
        for term in leaves(loss):
            if not isinstance(term, KerasTensor):
                raise NotImplementedError(
                    f"add_loss of the model {self.name!r} takes symbolic tensors that are computed"
                    " from its inputs; an array would not change with the weights. Put the"
                    " computation into the call of a layer of your own."
                )
            self._graph.add_term(term)
            self._layers = self._graph.layers

    def _output_spec(self, x: Any) -> Any:
        """The outputs for symbolic data `x`; builds the model if this is the first call."""
        if self._graph is not None:
            self._graph.check(x)
            return self._graph.outputs
        if not self.built:
            self._build_for((x,), {})
        return infer_outputs(self, (x,), {}, owner=self)

    # ---- Structure ----

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order of their weights."""
        return self._listed_layers()

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Model.layers` is reserved: it lists the layers. Use another attribute name."
        )

    def _listed_layers(self) -> list[Layer]:
        return unique(self._sublayers()) if self._graph is None else self._graph_layers()

    def _graph_layers(self) -> list[Layer]:
        return list(self._layers)

    def _sublayers(self) -> Iterator[Any]:
        """The layers of the graph in its order, then what other attributes hold."""
        if vars(self).get("_graph") is not None:  # None, or not set yet
            yield from self._layers
        yield from super()._sublayers()

    @settable
    def operations(self) -> list[Any]:
        """The layers and, in a functional model, the operators between them."""
        return list(self._graph.operations) if self._graph is not None else self.layers

    @settable
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, as a list.

        Raises:
            AttributeError: The model has no graph.
        """
        return list(self._known_graph("inputs").flat_inputs)

    @settable
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, as a list.

        Raises:
            AttributeError: The model has no graph.
        """
        return list(self._known_graph("outputs").flat_outputs)

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

    @settable
    def input_shape(self) -> Any:
        """The input's shape (or structure of shapes), None for the batch axis."""
        shapes = map_structure(lambda tensor: tensor.shape, self._known_graph("input shape").inputs)
        return shapes[0] if isinstance(shapes, list) and len(shapes) == 1 else shapes

    @settable
    def output_shape(self) -> Any:
        """The output's shape (or structure of shapes), None for the batch axis."""
        return map_structure(lambda tensor: tensor.shape, self._known_graph("output shape").outputs)

    @settable
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return list(self._known_graph("input").input_names)

    def _known_graph(self, what: str) -> Graph:
        if self._graph is None:
            raise AttributeError(
                f"The model {self.name!r} has no defined {what} yet: a model made of inputs and"
                " outputs has them, and a Sequential model that is built or was called on data."
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
        """Write weights and the optimizer's state to a `.weights.h5` file, which Keras 3 reads too.

        Args:
            filepath: Path that ends in `.weights.h5`; in `.safetensors`, for the weights alone,
                with names such as `dense/kernel`; or in `.weights.json`, if `max_shard_size` is
                given.
            overwrite: Whether to replace an existing file.
            max_shard_size: GiB of arrays per file, at most, for an index of several files; None for
                one file.

        Raises:
            ArgumentError: Another ending, the file exists and `overwrite` is False, or an array is
                larger than `max_shard_size`.
            StateError: The model is not built.
            OSError: Writing failed; an old file is unchanged.
        """
        save_weights(self, filepath, overwrite, max_shard_size)

    def load_weights(
        self,
        filepath: Any,
        skip_mismatch: bool = False,
        *,
        by_name: bool | None = None,
        allow_nonfinite: bool = False,
        objects_to_skip: Sequence[Any] | None = None,
    ) -> None:
        """Read the weights from a file. All or nothing is changed.

        Args:
            filepath: A file that `save_weights` of Gazelle or Keras 3 wrote, or a `.keras` file; or
                a `.h5` or `.hdf5` file of any Keras, with a whole model or weights alone.
            skip_mismatch: Whether to leave out (with a warning) what does not fit.
            by_name: For a `.h5` file: True gives each layer the weights of the layer with its name,
                and leaves the others as they are; by default, layers with weights are counted.
            allow_nonfinite: Whether weights may be NaN or infinite.
            objects_to_skip: Layers that stay as they are, whatever the file has for them; not for
                `.h5` files that hold whole models.

        Raises:
            ArgumentError: `by_name` or `objects_to_skip` for another kind of file.
            DataError: The file is missing, damaged, does not fit the model, or holds weights that
                are not finite.
            StateError: The model is not built.
        """
        load_weights(
            self,
            filepath,
            skip_mismatch=skip_mismatch,
            by_name=by_name,
            allow_nonfinite=allow_nonfinite,
            objects_to_skip=objects_to_skip,
        )

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Write the model to a `.keras` file; `gazelle.models.load_model` and Keras 3 read it.

        Args:
            filepath: A path that ends in `.keras`, or a binary file object; or, with a warning, a
                path that ends in `.h5` or `.hdf5`, for the old format of Keras.
            overwrite: Whether to replace an existing file.
            zipped: False to write a new folder instead of a file.
            **kwargs: `include_optimizer` for a `.h5` file; other options of older versions of Keras
                are refused.

        Raises:
            ArgumentError: Another ending or an unknown option, or the file exists and `overwrite`
                is False.
            OSError: Writing failed; an old file is unchanged.
        """
        save_model(self, filepath, overwrite, zipped, **kwargs)

    def export(
        self,
        filepath: Any,
        format: str | None = None,
        verbose: bool | None = None,
        input_signature: None = None,
        **kwargs: Any,
    ) -> None:
        """Write the model to an ONNX file, which computes what `predict` does.

        The file holds everything (opset 18, IR version 8) and is the same for the same model. The
        inputs and outputs have the names and types of the model's; the batch axis has any size.
        Random layers return their input. Models in float32 and float64 of Gazelle's layers (all
        except `Lambda`), activations and operators can be exported, also with models within them.

        Args:
            filepath: The file, which is replaced if it exists. Its folder must exist.
            format: `"onnx"`, or None if the path ends in `.onnx`; Gazelle has no other format.
            verbose: Whether to print where the file is; None for no.
            input_signature: Not supported: None.
            **kwargs: `opset_version`, which must be 18 or None.

        Raises:
            PackageError: The package onnx is not installed.
            StateError: The model is not built.
            ArgumentError: Another format, a layer or dtype that cannot be exported (it is named),
                or more than the 2 GiB that an ONNX file holds. No file is written.

        Example:
            >>> model.export("model.onnx")  # doctest: +SKIP
        """
        from gazelle._export.onnx_file import export

        require_built(self, "export")
        if (graph := self.graph_on_host) is not None and graph.host is not None:
            first = graph.host.nodes[0].operation
            raise ArgumentError(
                "A model with layers of text and categories cannot be exported.",
                expected="a model of numbers",
                received=f"the layer {getattr(first, 'name', first)!r}",
                fix="export the model behind these layers, and save these as a .keras file",
            )
        export(self, _graph_of, filepath, format, verbose, input_signature, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture (not the weights) as JSON; `gazelle.models.model_from_json` reads it.

        Args:
            **kwargs: Passed to `json.dumps`.
        """
        return json.dumps(serialize(self), **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal model.

        Of a subclass that was made as `Subclass(inputs, outputs)`, these are its layers, how they
        are called, and which tensors are inputs and outputs.

        Raises:
            ArgumentError: A step of the graph is not a layer.
        """
        if type(self) is Model:
            return self._base_config()
        if not self._was_made_of_tensors():
            return Layer.get_config(self)
        settings = {"name": self.name, "trainable": own_trainable(self)}
        return {**settings, **graph_config(self._known_graph("input"))}

    def _was_made_of_tensors(self) -> bool:
        """Whether the constructor, a subclass's too, was given the inputs and outputs."""
        given = self._layer_state.record.arguments or {}
        return self._graph is not None and any_symbolic(list(given.values()))


class _MadeOfTensors(type(Model)):
    """Makes `isinstance(model, Functional)` true for every model with a graph of the user's."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls is Functional and isinstance(instance, Model) and instance._is_functional


@builtin("keras.src.models.functional")
class Functional(Model, metaclass=_MadeOfTensors):
    """What `Model(inputs=..., outputs=...)` makes.

    An object of a subclass of `Model` that has a graph is one too, as for Keras.

    Args:
        inputs: A symbolic tensor, or a list or dict of them.
        outputs: The same.
        name: A name; automatic when None.
        **kwargs: `trainable`.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        super().__init__(inputs, outputs, name=name, **kwargs)


def _graph_of(layer: Layer) -> Graph | None:
    """The graph of a model that runs only its graph; None for any other layer."""
    return layer._graph if isinstance(layer, Trainable) and layer._runs_graph else None


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return (
        len(args) == 2
        or (len(args) == 1 and "outputs" in kwargs)
        or ("inputs" in kwargs and "outputs" in kwargs)
    )


def _graph_arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any]
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
