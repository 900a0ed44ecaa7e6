"""Layer: weights, how they are made from the first input's shape, and a function of arrays."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

import jax

from gazelle import regularizers
from gazelle._core import context
from gazelle._core.checks import checked_flag
from gazelle._core.dtypes import get_policy, is_float
from gazelle._core.errors import ArgumentError
from gazelle._core.lending import check_process
from gazelle._core.masks import moved
from gazelle._core.registry import custom_object_scope, is_own_class, reading_config, serialize
from gazelle._core.sparse import dense, is_sparse
from gazelle._core.symbolic import Node, any_symbolic, leaves, map_structure
from gazelle._core.variable import Variable, plain
from gazelle.layers import _calling as calling
from gazelle.layers._arguments import (
    InputArguments,
    as_shapes,
    checked_name,
    first_input_shape,
    shapes_of,
    symbolic_inputs,
)
from gazelle.layers._masks import set_symbolic, symbolic_too
from gazelle.layers._parts import flatten_layers, held_metrics
from gazelle.layers._recorded import bound_arguments, recorded_config
from gazelle.layers._spec import InputSpec
from gazelle.layers._state import LayerRecord, LayerState
from gazelle.layers._tf_graph import as_tf_step, in_tf_graph
from gazelle.layers._weighted import Weighted
from gazelle.layers._weights import checked_terms
from gazelle.metrics import Metric


class Layer(Weighted):
    """A function of arrays with weights. Subclass it: make weights in `build`, compute in `call`.

    Args:
        activity_regularizer: Penalty on the output, summed and divided by the batch size; a name,
            config or callable.
        trainable: Whether the weights are trained.
        dtype: Type of weights and arithmetic: a dtype, a policy name (`"mixed_bfloat16"`) or a
            policy.
        autocast: Whether float inputs are cast to the compute dtype.
        name: A name without `/`; automatic when None.
        **kwargs: `input_shape` (without the batch axis) or `input_dim`: the shape of the input of a
            `Sequential` that starts with this layer.

    Raises:
        ArgumentError: An unknown keyword, or a name that cannot be used.

    Example:
        >>> import gazelle
        >>> class Scale(gazelle.layers.Layer):
        ...     def build(self, input_shape):
        ...         shape = (input_shape[-1],)
        ...         self.factor = self.add_weight(shape=shape, initializer="ones", name="factor")
        ...
        ...     def call(self, inputs):
        ...         return inputs * self.factor
        >>> Scale()(gazelle.Input((3,))).shape
        (None, 3)
    """

    name: str
    built: bool
    input_spec: InputSpec | list[InputSpec] | None = None
    _layer_state: LayerState  # all that the layer keeps for itself
    _makes_masks: bool = True  # whether `compute_mask` may give a mask where inputs have none
    # In a function of a `tf.data.Dataset`, TensorFlow must not rewrite the layer's code.
    autograph_info__: ClassVar[dict[str, Any]] = {}
    # Of Gazelle's layers: whether `call` computes from sparse arrays, and whether what it gives is
    # sparse if all its inputs are.
    _takes_sparse: bool = False
    _keeps_sparse: bool = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the constructor's arguments, which `get_config` returns by default."""
        layer = super().__new__(cls)
        record = LayerRecord(bound_arguments(layer, args, kwargs))
        object.__setattr__(layer, "_layer_state", LayerState(record))
        return layer

    def __copy__(self) -> Self:
        """A layer that shares the weights and layers within; flags and records are its own."""
        copied = object.__new__(type(self))
        vars(copied).update(vars(self))
        object.__setattr__(copied, "_layer_state", self._layer_state.copied())
        return copied

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = calling.tracked_build(cls.__dict__["build"])
        if "compute_mask" in cls.__dict__:
            cls.compute_mask = symbolic_too(cls.__dict__["compute_mask"])

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Unpack[InputArguments],
    ):
        self.name = checked_name(name, type(self).__name__)
        self.built = False
        self.dtype_policy = get_policy(dtype)
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask
        # A subclass's own __new__ may have left it out.
        state = vars(self).setdefault("_layer_state", LayerState(LayerRecord()))
        state.is_set_up = True
        state.trainable = checked_flag("trainable", trainable, type(self).__name__)
        state.input_shape = first_input_shape(kwargs)
        if kwargs:
            known = inspect.signature(type(self).__init__).parameters
            raise ArgumentError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}",
                expected=", ".join(name for name in known if name != "self"),
                received=", ".join(kwargs),
                fix="remove them or correct their spelling",
            )

    if not TYPE_CHECKING:  # a type checker would accept every name as an attribute

        def __getattr__(self, name: str) -> Any:
            state = vars(self).get("_layer_state")
            if not name.startswith("__") and (state is None or not state.is_set_up):
                raise AttributeError(calling.forgotten(self))
            # Raises what Python, or the property of that name, raises.
            return object.__getattribute__(self, name)

    # ---- What a subclass defines ----

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of `input_shape` (a tuple, None for the batch axis).

        A layer that does not define it builds the layers within it by following `call`.
        """
        if not self.built:
            if input_shape is not None:
                inputs = symbolic_inputs(input_shape, self.compute_dtype)
                calling.build_by_tracing(self, (inputs,), {})
            self._layer_state.record.build_shape = input_shape
            self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's function of arrays."""
        raise NotImplementedError(f"{type(self).__name__} does not define call().")

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The output's shape for an input's shape, the batch axis included."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute_output_shape().")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs, in their structure; None for none.

        It is asked if `supports_masking` is set, which a class that defines this method does.

        Args:
            inputs: The first argument of `call`.
            previous_mask: The mask of the inputs, in their structure: by default that of the
                outputs too.
        """
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-ready values.

        Raises:
            NotImplementedError: A subclass takes arguments that a config cannot hold, and does not
                define this method.
        """
        base = self._base_config()
        arguments = self._layer_state.record.arguments
        if arguments is None or type(self).__init__ is Layer.__init__ or _has_own_config(self):
            return base
        return recorded_config(self, base, arguments)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """A layer (without weights) from `get_config`.

        Args:
            config: The config.
            custom_objects: Classes and functions by name, beside the registered ones.

        Raises:
            ArgumentTypeError: The config does not match the constructor.
        """
        reading = reading_config(cls.__name__, own=is_own_class(cls))
        with custom_object_scope(custom_objects), reading:
            return cls(**config)

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build_from_config` needs to make the weights: the shape of the input.

        Returns:
            `{"input_shape": shape}`, None for the batch axis; None if the layer is not built, or
            was built for several arguments.
        """
        shape = self._layer_state.record.build_shape
        return None if shape is None else {"input_shape": shape}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Make the weights from what `get_build_config` returned, also after a trip through JSON.

        A layer whose weights depend on more than the shape of its input defines both methods.
        """
        if not self.built and config.get("input_shape") is not None:
            self.build(as_shapes(config["input_shape"]))

    # ---- Losses and metrics ----

    def add_loss(self, loss: Any) -> None:
        """Add a term to the training loss: a scalar array (or a list of them), computed in `call`.

        Raises:
            ArgumentTypeError: `loss` is not an array.
        """
        collected = context.collector()
        losses = self._layer_state.record.losses if collected is None else collected
        losses.extend(checked_terms(loss))

    @property
    def losses(self) -> list[Any]:
        """Penalties: what the last call added, and the regularizers of the trainable weights."""
        layers = flatten_layers(self)
        added = [loss for layer in layers for loss in layer._layer_state.record.losses]
        return added + self.regularization_losses()

    def regularization_losses(self) -> list[jax.Array]:
        """The terms of the weight regularizers, one per regularized trainable weight."""
        pairs = ((variable.regularizer, variable) for variable in self.trainable_variables)
        return [penalty(plain(variable)) for penalty, variable in pairs if penalty is not None]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that the layer and the layers within it hold as attributes."""
        return held_metrics(self)

    @property
    def metrics_variables(self) -> list[Variable]:
        """The state of these metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    # ---- Calling ----

    def _build_at_init(self) -> None:
        """Count as built from the start, unless a subclass defines `build`. Keras's name."""
        self.built = type(self).build is Layer.build

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer: to arrays, or to symbolic tensors to describe a functional model.

        Raises:
            ShapeError: The input does not match the layer.
            ArgumentError: A positional argument is not an array.
        """
        if not self._layer_state.is_set_up:
            raise RuntimeError(calling.forgotten(self))
        check_process()
        args, kwargs = calling.with_positional_input(self._call_parameters, args, kwargs)
        if any_symbolic(args, kwargs):
            return self._symbolic_call(args, kwargs)
        if len(args) == 1 and in_tf_graph(args):
            return as_tf_step(self, args[0], self.compute_output_spec)
        args, kwargs = map_structure(self._as_array, (args, kwargs))
        calling.prepare(self, args, kwargs)
        return calling.run(self, args, kwargs)

    def _as_array(self, value: Any) -> Any:
        """An argument as `call` sees it: floats in the compute dtype."""
        array = calling.as_array(value, self.name)
        if is_sparse(array):
            return self._as_sparse(array)
        if isinstance(array, jax.Array):
            array = array.astype(self._cast(array.dtype))
        return moved(array, value)

    def _as_sparse(self, array: Any) -> Any:
        """A BCOO array as `call` sees it: dense if the layer computes from dense arrays alone."""
        array = array.astype(self._cast(array.dtype))
        takes_it = self._takes_sparse or self._keeps_sparse or not is_own_class(type(self))
        return array if takes_it else dense(array)

    def _cast(self, dtype: Any) -> Any:
        """The type in which `call` sees an argument of a type."""
        casts = self.autocast and is_float(dtype) and is_float(self.compute_dtype)
        return self.compute_dtype if casts else dtype

    def _symbolic_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        calling.prepare(self, args, kwargs)
        outputs = self.compute_output_spec(*args, **kwargs)
        if type(self).compute_output_spec is not Layer.compute_output_spec:
            set_symbolic(self, args, kwargs, outputs)
        if self._keeps_sparse and all(map(is_sparse, leaves(args[:1]))):
            for tensor in leaves(outputs):
                tensor.sparse = True
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for symbolic tensors, as symbolic tensors.

        A subclass may define it where the shape alone does not tell the outputs.
        """
        calling.refuse_text(self.name, args)
        inner = self._flatten_layers(include_self=False)
        are_built = all(layer.built for layer in inner)
        if not (are_built and self._knows_output_shape and len(args) == 1):
            return calling.infer_outputs(self, args, kwargs, owner=self)
        shape = self.compute_output_shape(shapes_of(args[0]))
        dtype = self._output_dtype(self._cast(leaves(args[0])[0].dtype))
        outputs = calling.symbolic_output(shape, dtype)
        set_symbolic(self, args, kwargs, outputs)
        return outputs

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build the layer for the arguments of its first call."""
        calling.build_for(self, args, kwargs)

    @property
    def _builds_by_tracing(self) -> bool:
        return type(self).build is Layer.build

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """The layer as a pure function of its state, for JAX's transformations (`jax.grad`, ...).

        Args:
            trainable_variables: Arrays in the order of `trainable_variables`.
            non_trainable_variables: Arrays in the order of `non_trainable_variables`.
            *args: The inputs.
            return_losses: Whether to return added losses and penalties too.
            **kwargs: Further arguments of `call`, such as `training`.

        Returns:
            `(outputs, new non-trainable values)`, and the list of losses if asked for. The layer
            stays as it was.

        Raises:
            StateError: The layer is not built.
            ArgumentError: The numbers of arrays and of variables differ.
        """
        return calling.stateless(
            self, trainable_variables, non_trainable_variables, args, kwargs, return_losses
        )

    @property
    def _loses_masks(self) -> bool:
        return not self.supports_masking and "mask" not in self._call_parameters

    @property
    def _knows_output_shape(self) -> bool:
        return type(self).compute_output_shape is not Layer.compute_output_shape

    def _output_dtype(self, input_dtype: str) -> str:
        return self.compute_dtype

    @functools.cached_property
    def _call_parameters(self) -> dict[str, inspect.Parameter]:
        return dict(inspect.signature(self.call).parameters)

    # ---- Describing ----

    @property
    def dtype(self) -> str:
        """The type of the weights."""
        return self.dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The type of the weights."""
        return self.dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The type that `call` computes in."""
        return self.dtype_policy.compute_dtype

    @property
    def path(self) -> str:
        """The layer's name."""
        return self.name

    @property
    def inbound_nodes(self) -> list[Node]:
        """The layer's calls on symbolic tensors."""
        return self._layer_state.record.inbound_nodes

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's first call.

        Raises:
            AttributeError: The layer was never called on a symbolic tensor.
        """
        args = self._first_node().args
        return args[0] if len(args) == 1 else list(args)

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's first call.

        Raises:
            AttributeError: The layer was never called on a symbolic tensor.
        """
        return self._first_node().outputs

    def _first_node(self) -> Node:
        if not self.inbound_nodes:
            raise AttributeError(
                f"The layer {self.name!r} has never been called and thus has no defined input or"
                " output."
            )
        return self.inbound_nodes[0]

    def _base_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self._layer_state.trainable,
            "dtype": serialize(self.dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _has_own_config(layer: Layer) -> bool:
    """Whether a class of the user's defines `get_config`, which adds the arguments itself."""
    owner = next(kind for kind in type(layer).__mro__ if "get_config" in kind.__dict__)
    return not is_own_class(owner)
