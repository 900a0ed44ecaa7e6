"""What a call of a layer does with its arguments, before and after the layer's own `call`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core import context, layouts
from gazelle._core.dtypes import TEXT, is_float
from gazelle._core.errors import ArgumentError, ArgumentTypeError, GazelleError, StateError
from gazelle._core.identity import is_among
from gazelle._core.masks import forget_old, masks_of, own_table, set_masks
from gazelle._core.pure import pure
from gazelle._core.sparse import dense, from_scipy, is_scipy
from gazelle._core.symbolic import KerasTensor, infer, leaves, map_structure
from gazelle._core.variable import Variable, plain, set_values, values_of
from gazelle._data.numeric import check_range
from gazelle.layers import _masks as masks
from gazelle.layers._arguments import as_symbolic, input_shapes, shapes_of
from gazelle.layers._parts import flatten_layers, held_metrics, is_generator_state
from gazelle.layers._spec import check_input

if TYPE_CHECKING:
    from gazelle.layers._base import Layer

Parameters = Mapping[str, inspect.Parameter]

_PLACE = "This happened in"


def with_positional_input(
    parameters: Parameters, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with the first input positional: `layer(inputs=x)` becomes `layer(x)`."""
    first = next(iter(parameters), None)
    if args or first not in kwargs:
        return args, kwargs
    rest = {name: value for name, value in kwargs.items() if name != first}
    return (kwargs[first],), rest


def as_array(value: Any, layer_name: str) -> Any:
    """An array for an argument that holds one; anything else as it is.

    Raises:
        ArgumentTypeError: An array that does not hold numbers.
        DataError: Numbers that are too large for the device's types.
    """
    if isinstance(value, Variable):
        return value.value
    if is_scipy(value):
        return from_scipy(value)
    is_array = hasattr(value, "__array__") and hasattr(value, "shape")
    if isinstance(value, jax.Array) or not is_array:
        return value
    value = np.asarray(value)
    if value.dtype.kind not in "biuf" and not is_float(value.dtype):
        raise ArgumentTypeError(
            f"The layer {layer_name!r} got an array that does not hold numbers.",
            expected="numbers",
            received=f"dtype {value.dtype}",
            fix="encode text as numbers first",
        )
    check_range(f"the input of layer {layer_name!r}", value)
    return jnp.asarray(value)


def refuse_text(layer_name: str, args: tuple[Any, ...]) -> None:
    """Refuse symbolic text for a layer of numbers.

    Raises:
        ArgumentTypeError: A symbolic tensor of text.
    """
    if any(isinstance(leaf, KerasTensor) and leaf.dtype == TEXT for leaf in leaves(args)):
        raise ArgumentTypeError(
            f"The layer {layer_name!r} computes with numbers and got text.",
            expected="numbers",
            received='a symbolic tensor of dtype "string"',
            fix="put StringLookup, TextVectorization or Hashing in front",
        )


def check_positional(args: tuple[Any, ...], layer_name: str) -> None:
    """Refuse positional arguments that are not tensors.

    Raises:
        ArgumentError: The first such argument.
    """
    for arg in leaves(args):
        if arg is not None and not hasattr(arg, "shape"):
            raise ArgumentError(
                "Only input tensors may be passed as positional arguments to layer"
                f" {layer_name!r}.",
                expected="arrays or symbolic tensors",
                received=f"{arg!r} of type {type(arg).__name__}",
                fix=(
                    "convert it with numpy.array(...), or pass settings such as training= by"
                    " keyword"
                ),
            )


def build_arguments(
    build: Callable[..., Any], parameters: Parameters, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The shapes that `build` takes, for the arguments of a call.

    A single parameter gets the shapes of the first argument; of several, `<argument>_shape` gets
    those of that argument.

    Args:
        build: The layer's `build`.
        parameters: The parameters of the layer's `call`.
        args: The positional arguments of the call.
        kwargs: Its keyword arguments.

    Raises:
        ArgumentError: A parameter is not named after an argument of `call`.
    """
    given = {**dict(zip(parameters, args, strict=False)), **kwargs}
    wanted = [
        parameter
        for parameter in inspect.signature(build).parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if len(wanted) == 1:
        return {wanted[0].name: shapes_of(args[0]) if args else None}
    shapes: dict[str, Any] = {}
    for parameter in wanted:
        argument = parameter.name.removesuffix("_shape")
        if argument in given and argument != parameter.name:
            shapes[parameter.name] = shapes_of(given[argument])
        elif parameter.default is parameter.empty:
            if argument not in parameters or argument == parameter.name:
                raise _wrong_build(parameter.name, parameters)
            shapes[parameter.name] = None
    return shapes


def _wrong_build(name: str, parameters: Parameters) -> ArgumentError:
    argument = name.removesuffix("_shape")
    problem = f"`call()` does not have argument `{argument}`"
    if argument == name:
        problem = "its name does not end in `_shape`"
    return ArgumentError(
        f"`build()` has argument `{name}`, but {problem}.",
        expected=f"of {', '.join(parameters)} with `_shape` behind each, such as"
        f" `{next(iter(parameters), 'inputs')}_shape`",
        received=name,
        fix="name the arguments of build after those of call, or give it one: input_shape",
    )


def with_training(
    parameters: Parameters, kwargs: dict[str, Any], training: bool | None
) -> tuple[bool | None, dict[str, Any]]:
    """The training mode of a call, and the keyword arguments that `call` gets.

    Args:
        parameters: The parameters of the layer's `call`.
        kwargs: The keyword arguments of the call. Their `training` comes first.
        training: The mode that the layers around have set; `call`'s own default follows.
    """
    parameter = parameters.get("training")
    if kwargs.get("training") is not None:
        training = kwargs["training"]
    elif training is None and parameter is not None:
        has_default = parameter.default is not inspect.Parameter.empty
        training = parameter.default if has_default else None
    if parameter is not None:
        return training, {**kwargs, "training": training}
    if takes_any_keyword(parameters):
        return training, kwargs
    return training, {name: value for name, value in kwargs.items() if name != "training"}


def takes_any_keyword(parameters: Parameters) -> bool:
    """Whether `call` has `**kwargs`."""
    kinds = (parameter.kind for parameter in parameters.values())
    return inspect.Parameter.VAR_KEYWORD in kinds


def add_place(error: Exception, where: str, args: tuple[Any, ...]) -> None:
    """Note in an error that is not Gazelle's own where it happened; the innermost layer does so.

    Args:
        error: The error.
        where: The call: `"Scale.call() of layer 'scale'"`.
        args: The positional arguments of the call.
    """
    notes = getattr(error, "__notes__", ())
    if isinstance(error, GazelleError) or any(note.startswith(_PLACE) for note in notes):
        return
    arrays = (leaf for leaf in leaves(args) if hasattr(leaf, "shape"))
    shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
    error.add_note(f"{_PLACE} {where}, on {shapes}.")


def seen_output(output: Any, layer_name: str) -> KerasTensor:
    """An output as a symbolic tensor, the batch axis of unknown size."""
    shape: tuple[int | None, ...] = tuple(getattr(output, "shape", ()))
    if shape:
        shape = (None, *shape[1:])
    return KerasTensor(shape, getattr(output, "dtype", None), name=layer_name)


def symbolic_output(shape: Any, dtype: str) -> Any:
    """Symbolic tensors for a shape, or a structure of shapes, from `compute_output_shape`."""
    if isinstance(shape, dict):
        return {key: symbolic_output(inner, dtype) for key, inner in shape.items()}
    if shape and isinstance(shape[0], tuple | list | dict):
        return type(shape)(symbolic_output(inner, dtype) for inner in shape)
    return KerasTensor(shape, dtype)


def tracked_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build` under the layer's name, after which the layer counts as built."""

    @functools.wraps(build)
    def tracked(self: Layer, *args: Any, **kwargs: Any) -> None:
        with context.scope_once(self.name), context.called(None, None):
            build(self, *args, **kwargs)
        if len(args) == 1 and not kwargs:
            self._layer_state.record.build_shape = args[0]
        self.built = True

    return tracked


def forgotten(layer: Layer) -> str:
    """The error text for a layer whose `__init__` did not call that of `Layer`."""
    return (
        f"The layer {type(layer).__name__} is used before it is set up: in its __init__ you forgot"
        " to call super().__init__()."
    )


def prepare(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Check the arguments against a layer, and build the layer if this is its first call."""
    check_positional(args, layer.name)
    _check_spec(layer, args)
    if not layer.built:
        layer._build_for(args, kwargs)
        _check_spec(layer, args)  # `build` may have set it


def _check_spec(layer: Layer, args: tuple[Any, ...]) -> None:
    if layer.input_spec is not None and args:
        check_input(layer.input_spec, args[0], layer.name)


def build_for(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Build a layer for the arguments of its first call.

    Raises:
        StateError: The layer within whose call this happens does not hold it.
    """
    if layer._builds_by_tracing:
        build_by_tracing(layer, args, kwargs)
    else:
        layer.build(**build_arguments(layer.build, layer._call_parameters, args, kwargs))
    if len(args) == 1 and not any(hasattr(value, "shape") for value in leaves(kwargs)):
        layer._layer_state.record.build_shape = input_shapes(args[0])
    layer.built = True
    outermost = context.outermost_layer()
    if outermost is None or not layer.weights or is_among(layer, flatten_layers(outermost)):
        return
    raise StateError(
        f"The layer {layer.name!r} ({type(layer).__name__}) is used in the call of"
        f" {outermost.name!r}, which does not hold it: its weights would never be trained.",
        expected="layers that are attributes, or in a list or dict that is one",
        received=f"a layer made in call, or kept where {type(outermost).__name__} does not look",
        fix="make it in __init__: self.name = ...",
    )


def build_by_tracing(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Build the layers within a layer without `build`: follow its `call` once, with shapes only."""
    if next(layer._sublayers(), None) is not None:
        args, kwargs = map_structure(as_symbolic, (tuple(args), kwargs))
        infer_outputs(layer, args, kwargs)


def run(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A layer's `call` on arrays, within its name, training mode and compute dtype."""
    around = context.current_training()
    training, kwargs = with_training(layer._call_parameters, kwargs, around)
    is_outermost = context.outermost_layer() is None
    if is_outermost:
        for inner in flatten_layers(layer):
            inner._layer_state.record.losses = []
    casts = layer.autocast and is_float(layer.compute_dtype)
    kwargs = masks.filled_in(layer._call_parameters, args, kwargs)
    with (
        context.scope_once(layer.name),
        context.training_mode(training),
        context.called(layer, layer.compute_dtype if casts else None),
    ):
        try:
            outputs = layouts.laid_out(layer.call(*args, **kwargs))
            outputs = masks.with_masks(layer, args, kwargs, outputs)
        except Exception as error:
            add_place(error, f"{type(layer).__name__}.call() of layer {layer.name!r}", args)
            raise
        if layer.activity_regularizer is not None:
            _add_activity_losses(layer, outputs)
    record = layer._layer_state.record
    if record.first_outputs is None and outputs is not None:
        seen = functools.partial(seen_output, layer_name=layer.name)
        record.first_outputs = map_structure(seen, outputs)
    if is_outermost:
        forget_old(outputs)
    return outputs


def _add_activity_losses(layer: Layer, outputs: Any) -> None:
    for output in map(dense, leaves(outputs)):
        if isinstance(output, jax.Array):
            batch_size = max(output.shape[0], 1) if output.ndim else 1
            layer.add_loss(layer.activity_regularizer(output) / batch_size)


def infer_outputs(
    layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], *, owner: Any = None
) -> Any:
    """The outputs for symbolic tensors, by following `call`; the layer's state stays as it was.

    Weights of layers that are built on the way keep their first values.

    Args:
        layer: The layer.
        args: The positional arguments of the call.
        kwargs: Its keyword arguments.
        owner: The layer again where None as output is to be refused.
    """
    given = masks_of((args, kwargs))

    def called(args: Any, kwargs: Any, given: Any) -> Any:
        of_metrics = [v for metric in held_metrics(layer) for v in metric.variables]
        variables = [*layer.variables, *of_metrics]
        set_masks((args, kwargs), given)
        args, kwargs = map_structure(layer._as_array, (args, kwargs))
        values = [
            # A copy is traced, as a value in a program is: a generator refuses to draw from others.
            jnp.copy(value) if is_generator_state(variable) else value
            for variable, value in zip(variables, values_of(variables), strict=True)
        ]
        with context.collected_losses(), context.made_variables() as made:
            outputs, _ = pure(lambda: run(layer, args, kwargs), variables)(values)
        for variable, first_value in made:
            set_values([variable], [first_value])
        if outputs is None and owner is not None:
            raise ArgumentTypeError(
                f"call() of {owner.name!r} ({type(owner).__name__}) returns None.",
                expected="an array, or a list or dict of arrays",
                received="None",
                fix="end call with `return ...`",
            )
        return outputs, masks_of(outputs)

    with own_table():
        outputs, of_outputs = infer(called, (args, kwargs, given), {})
    set_masks(outputs, of_outputs)
    return outputs


def stateless(
    layer: Layer,
    trainable_variables: Sequence[Any],
    non_trainable_variables: Sequence[Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    return_losses: bool,
) -> tuple[Any, ...]:
    """`Layer.stateless_call`."""
    if not layer.built:
        raise StateError(
            f"Layer {layer.name!r} is not built: stateless_call needs its variables.",
            fix="build it first",
        )
    trainable, other = layer.trainable_variables, layer.non_trainable_variables
    given = len(trainable_variables), len(non_trainable_variables)
    if given != (len(trainable), len(other)):
        raise ArgumentError(
            f"stateless_call of layer {layer.name!r} got the wrong number of arrays.",
            expected=f"{len(trainable)} trainable and {len(other)} others",
            received=f"{given[0]} trainable and {given[1]} others",
        )

    def run() -> Any:
        with context.collected_losses() as added:
            outputs = layer(*args, **kwargs)
        return outputs, [*added, *layer.regularization_losses()]

    values = [plain(value) for value in (*trainable_variables, *non_trainable_variables)]
    (outputs, losses), new = pure(run, [*trainable, *other])(values)
    state = new[len(trainable) :]
    return (outputs, state, losses) if return_losses else (outputs, state)
