"""Layer: weights, how they are made from the first input's shape, and a function of arrays."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from gazelle import regularizers
from gazelle._core import context
from gazelle._core.dtypes import get_policy, is_float
from gazelle._core.errors import ArgumentError, ArgumentTypeError, GazelleError, StateError
from gazelle._core.lending import check_process
from gazelle._core.pure import pure
from gazelle._core.registry import is_own_class, reading_config, serialize
from gazelle._core.symbolic import KerasTensor, Node, any_symbolic, infer, leaves, map_structure
from gazelle._core.variable import Variable
from gazelle._data.numeric import check_range
from gazelle.layers.arguments import (
    InputArguments,
    as_symbolic,
    checked_name,
    first_input_shape,
    is_plain,
    shapes_of,
    symbolic_inputs,
)
from gazelle.layers.holding import Holder
from gazelle.layers.spec import InputSpec, check_input

_PLACE = "This happened in"


class Layer(Holder):
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
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        ...
        ...     def call(self, inputs):
        ...         return inputs * self.factor
        >>> Scale()(gazelle.Input((3,))).shape
        (None, 3)
    """

    input_spec: InputSpec | list[InputSpec] | None = None
    _config: dict[str, Any] | None  # the constructor's arguments

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Remember the constructor's arguments, from which `get_config` works when a subclass does not define it."""
        layer = super().__new__(cls)
        try:
            bound = inspect.signature(cls.__init__).bind(layer, *args, **kwargs)
            arguments = dict(list(bound.arguments.items())[1:])
            for parameter in inspect.signature(cls.__init__).parameters.values():
                if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                    arguments.update(arguments.pop(parameter.name, {}))
        except TypeError:
            arguments = None  # the constructor will refuse them itself
        object.__setattr__(layer, "_config", arguments)
        return layer

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _tracked_build(cls.__dict__["build"])

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
        super().__init__()
        self.built = False
        self._seen_outputs: Any = (
            None  # the first outputs as symbolic tensors, for tables and drawings
        )
        self.inbound_nodes: list[Node] = []
        self._trainable = bool(trainable)
        self.dtype_policy = get_policy(dtype)
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.supports_masking = False
        self._first_input_shape = first_input_shape(kwargs)
        if kwargs:
            raise ArgumentError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}",
                expected=", ".join(
                    p for p in inspect.signature(type(self).__init__).parameters if p != "self"
                ),
                received=", ".join(kwargs),
                fix="remove them or correct their spelling",
            )

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name: str) -> Any:
            if "_trained" not in self.__dict__ and not name.startswith("__"):
                raise AttributeError(_forgotten(self))
            return object.__getattribute__(
                self, name
            )  # raises what Python, or the property of that name, raises

    # ---- What a subclass defines ----

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of `input_shape` (a tuple, None for the batch axis).

        A layer that does not define it builds the layers within it by following `call`.
        """
        if not self.built:
            self._build_by_tracing((symbolic_inputs(input_shape, self.compute_dtype),), {})
            self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's function of arrays."""
        raise NotImplementedError(f"{type(self).__name__} does not define call().")

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The output's shape for an input's shape, the batch axis included."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute_output_shape().")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-ready values.

        Raises:
            NotImplementedError: A subclass takes arguments that no config can hold and does not
                define this.
        """
        base = self._base_config()
        if self._config is None or type(self).__init__ is Layer.__init__:
            return base
        config = {key: value for key, value in self._config.items() if key not in base}
        if not all(is_plain(value) for value in config.values()):
            raise NotImplementedError(
                f"{type(self).__name__} takes arguments that are not plain data; "
                "define get_config(self) to return them in a form that JSON can hold."
            )
        accepted = inspect.signature(type(self).__init__).parameters
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
        return {
            **{key: value for key, value in base.items() if takes_any or key in accepted},
            **config,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer (without weights) from `get_config`.

        Raises:
            ArgumentTypeError: The config does not fit the constructor.
        """
        with reading_config(cls.__name__, own=is_own_class(cls)):
            return cls(**config)

    # ---- Calling ----

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer: to arrays, or to symbolic tensors to describe a functional model.

        Raises:
            ShapeError: The input does not fit the layer.
            ArgumentTypeError: A positional argument is no array.
        """
        if "_trained" not in self.__dict__:
            raise RuntimeError(_forgotten(self))
        check_process()
        args, kwargs = self._named_inputs(args, kwargs)
        if any_symbolic(args, kwargs):
            return self._symbolic_call(args, kwargs)
        args, kwargs = map_structure(self._as_array, (args, kwargs))
        self._prepare(args, kwargs)
        return self._run(args, kwargs)

    def _named_inputs(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Keyword tensors become positional, so that `layer(inputs=x)` and `layer(x)` are the same call."""
        if args or not kwargs:
            return args, kwargs
        first = next((name for name in self._call_parameters if name in kwargs), None)
        if first is None or first != next(iter(self._call_parameters), None):
            return args, kwargs
        return (kwargs[first],), {key: value for key, value in kwargs.items() if key != first}

    def _as_array(self, value: Any) -> Any:
        if isinstance(value, Variable):
            value = value.value
        if (
            not isinstance(value, jax.Array)
            and hasattr(value, "__array__")
            and hasattr(value, "shape")
        ):
            value = np.asarray(value)
            if value.dtype.kind not in "biuf" and not is_float(value.dtype):
                raise ArgumentTypeError(
                    f"The layer {self.name!r} got an array that does not hold numbers.",
                    expected="numbers",
                    received=f"dtype {value.dtype}",
                    fix="encode text as numbers first",
                )
            check_range(f"the input of layer {self.name!r}", value)
            value = jnp.asarray(value)
        return value.astype(self._cast(value.dtype)) if isinstance(value, jax.Array) else value

    def _cast(self, dtype: Any) -> Any:
        """The type in which `call` sees an argument: floats in the compute dtype, others as they are."""
        casts = self.autocast and is_float(dtype) and is_float(self.compute_dtype)
        return self.compute_dtype if casts else dtype

    def _prepare(self, args: tuple, kwargs: dict[str, Any]) -> None:
        """Check the arguments against the layer and build it if this is its first call."""
        for arg in leaves(args):
            if arg is not None and not hasattr(arg, "shape"):
                raise ArgumentTypeError(
                    "Only input tensors may be passed as positional arguments to layer"
                    f" {self.name!r}.",
                    expected="arrays or symbolic tensors",
                    received=f"{arg!r} of type {type(arg).__name__}",
                    fix=(
                        "convert it with numpy.array(...), or pass settings such as training= by"
                        " keyword"
                    ),
                )
        if self.input_spec is not None and args:
            check_input(self.input_spec, args[0], self.name)
        if not self.built:
            self._build_for(args, kwargs)
            if self.input_spec is not None and args:
                check_input(self.input_spec, args[0], self.name)

    def _build_for(self, args: tuple, kwargs: dict[str, Any]) -> None:
        if self._builds_by_tracing:
            self._build_by_tracing(args, kwargs)
        else:
            self.build(**self._build_arguments(args, kwargs))
        self.built = True
        outermost = context.outermost_layer()
        if (
            outermost is not None
            and self.weights
            and not any(self is part for part in outermost._flatten_layers())
        ):
            raise StateError(
                f"The layer {self.name!r} ({type(self).__name__}) is used in the call of"
                f" {outermost.name!r}, which does not hold it: its weights would never be trained.",
                expected="layers that are attributes, or in a list or dict that is one",
                received=(
                    f"a layer made in call, or kept where {type(outermost).__name__} does not look"
                ),
                fix="make it in __init__: self.name = ...",
            )

    def _build_arguments(self, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The shapes for `build`: `<argument>_shape` by name, others in the order of the positional arguments."""
        given = {**dict(zip(self._call_parameters, args, strict=False)), **kwargs}
        shapes: dict[str, Any] = {}
        for i, parameter in enumerate(inspect.signature(self.build).parameters.values()):
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            argument = parameter.name.removesuffix("_shape")
            if argument != parameter.name and argument in given:
                shapes[parameter.name] = shapes_of(given[argument])
            elif i < len(args) or parameter.default is parameter.empty:
                shapes[parameter.name] = shapes_of(args[i]) if i < len(args) else None
        return shapes

    @property
    def _builds_by_tracing(self) -> bool:
        return type(self).build is Layer.build

    def _build_by_tracing(self, args: tuple, kwargs: dict[str, Any]) -> None:
        """Layers within a layer without `build` are built by following `call` once, with shapes only."""
        if next(self._sublayers(), None) is not None:
            infer(
                self._pure_call,
                tuple(map_structure(as_symbolic, args)),
                map_structure(as_symbolic, kwargs),
            )

    def _run(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        training = kwargs.get("training")
        if training is None:
            training = context.current_training()
            if (
                training is None
                and (parameter := self._call_parameters.get("training")) is not None
            ):
                training = (
                    None if parameter.default is inspect.Parameter.empty else parameter.default
                )
        if "training" in self._call_parameters:
            kwargs = {**kwargs, "training": training}
        elif not self._takes_any_keyword:
            kwargs = {key: value for key, value in kwargs.items() if key != "training"}
        if context.outermost_layer() is None:
            for layer in self._flatten_layers():
                layer._losses = []
        casts = self.compute_dtype if self.autocast and is_float(self.compute_dtype) else None
        with (
            context.scope_once(self.name),
            context.training_mode(training),
            context.called(self, casts),
        ):
            try:
                outputs = self.call(*args, **kwargs)
            except Exception as error:
                self._add_place(error, args)
                raise
            if self.activity_regularizer is not None:
                for output in [leaf for leaf in leaves(outputs) if isinstance(leaf, jax.Array)]:
                    self.add_loss(
                        self.activity_regularizer(output) / (output.shape[0] if output.ndim else 1)
                    )
        if self._seen_outputs is None and outputs is not None:
            self._seen_outputs = map_structure(self._seen, outputs)
        return outputs

    def _add_place(self, error: Exception, args: tuple) -> None:
        """Note in an error that is not Gazelle's own where it happened; the innermost layer does so."""
        if isinstance(error, GazelleError) or any(
            note.startswith(_PLACE) for note in getattr(error, "__notes__", ())
        ):
            return
        shapes = ", ".join(
            str(tuple(leaf.shape)) for leaf in leaves(args) if hasattr(leaf, "shape")
        )
        error.add_note(
            f"{_PLACE} {type(self).__name__}.call() of layer {self.name!r}, on {shapes}."
        )

    def _seen(self, output: Any) -> Any:
        shape = (None, *output.shape[1:]) if getattr(output, "shape", ()) else ()
        return KerasTensor(shape, getattr(output, "dtype", None), name=self.name)

    def _pure_call(self, *args: Any, **kwargs: Any) -> Any:
        """`call` that leaves the weights as they were, those that it makes too: for tracing with shapes only."""

        def run() -> Any:
            cast_args, cast_kwargs = map_structure(self._as_array, (args, kwargs))
            return self._run(cast_args, cast_kwargs)

        variables = [
            *self.variables,
            *(v for metric in self._held_metrics() for v in metric.variables),
        ]
        with context.collected_losses(), context.made_variables() as made:
            outputs, _ = pure(run, variables)([variable._value for variable in variables])
        for variable, value in made:
            variable._value = value
        return outputs

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """The layer as a pure function of its state, for JAX's transformations (`jax.grad`, `jax.jit`, `jax.vmap`).

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
            ArgumentError: As many arrays as variables are needed.
        """
        if not self.built:
            raise StateError(
                f"Layer {self.name!r} is not built: stateless_call needs its variables.",
                fix="build it first",
            )
        ours, given = (
            (self.trainable_variables, self.non_trainable_variables),
            (trainable_variables, non_trainable_variables),
        )
        if [len(values) for values in given] != [len(variables) for variables in ours]:
            raise ArgumentError(
                f"stateless_call of layer {self.name!r} got the wrong number of arrays.",
                expected=f"{len(ours[0])} trainable and {len(ours[1])} others",
                received=f"{len(given[0])} trainable and {len(given[1])} others",
            )

        def run() -> Any:
            with context.collected_losses() as added:
                outputs = self(*args, **kwargs)
            return outputs, [*added, *self.regularization_losses()]

        values = [
            value._value if isinstance(value, Variable) else value
            for part in given
            for value in part
        ]
        (outputs, losses), new = pure(run, [*ours[0], *ours[1]])(values)
        state = new[len(ours[0]) :]
        return (outputs, state, losses) if return_losses else (outputs, state)

    def _symbolic_call(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        self._prepare(args, kwargs)
        outputs = self._infer_outputs(args, kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def _infer_outputs(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Symbolic outputs: from `compute_output_shape` where a subclass has one, else by following `call`."""
        if self._knows_output_shape and len(args) == 1:
            return self._symbolic_output(
                self.compute_output_shape(shapes_of(args[0])), self._cast(leaves(args[0])[0].dtype)
            )
        return infer(self._pure_call, args, kwargs, owner=self)

    @property
    def _knows_output_shape(self) -> bool:
        return type(self).compute_output_shape is not Layer.compute_output_shape

    def _symbolic_output(self, shape: Any, input_dtype: str) -> Any:
        if isinstance(shape, dict):
            return {key: self._symbolic_output(inner, input_dtype) for key, inner in shape.items()}
        if shape and isinstance(shape[0], tuple | list | dict):
            return type(shape)(self._symbolic_output(inner, input_dtype) for inner in shape)
        return KerasTensor(shape, self._output_dtype(input_dtype))

    def _output_dtype(self, input_dtype: str) -> str:
        return self.compute_dtype

    @functools.cached_property
    def _call_parameters(self) -> dict[str, inspect.Parameter]:
        return dict(inspect.signature(self.call).parameters)

    @property
    def _takes_any_keyword(self) -> bool:
        return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in self._call_parameters.values())

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
            "trainable": self._trainable,
            "dtype": serialize(self.dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _tracked_build(build: Callable) -> Callable:
    """`build` under the layer's name, after which the layer counts as built."""

    @functools.wraps(build)
    def tracked(self: Layer, *args: Any, **kwargs: Any) -> None:
        with context.scope_once(self.name), context.called(None, None):
            build(self, *args, **kwargs)
        self.built = True

    return tracked


def _forgotten(layer: Layer) -> str:
    return (
        f"The layer {type(layer).__name__} is used before it is set up: in its __init__ you forgot"
        " to call super().__init__()."
    )
