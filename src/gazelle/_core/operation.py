"""Operations: steps of a functional model that are not layers, and the table of known ones."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core.doors import load_rooms
from gazelle._core.dtypes import TEXT
from gazelle._core.errors import (
    ArgumentError,
    ArgumentTypeError,
    GazelleError,
    ShapeError,
    StateError,
    UnknownNameError,
    reason,
)
from gazelle._core.names import snake_case, unique_name
from gazelle._core.registry import Catalogue
from gazelle._core.remat import in_scope, remat
from gazelle._core.sparse import SparseRule, dense, flags, is_sparse
from gazelle._core.symbolic import (
    OPERATORS,
    KerasTensor,
    Node,
    any_symbolic,
    infer,
    leaves,
    map_structure,
)
from gazelle._core.variable import Variable

# Sizes that divide by all small numbers, for functions that split or regroup an unknown axis.
_ROUND_PROBES = (89 * 5040, 97 * 5040)
_SHORT_PROBES = (2, 2)
_REFUSALS = (TypeError, ValueError, IndexError, ZeroDivisionError)
_MOST_GUESSES = 64  # of the sizes of unknown axes


class Operation:
    """A step of a functional model: a function of tensors that a subclass defines in `call`.

    Args:
        name: Name in the model; automatic when None.

    Raises:
        ArgumentError: `name` is not a text, or has a `/`.
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Remember the constructor's arguments for `get_config`."""
        self = super().__new__(cls)
        self._arguments = (args, kwargs)
        return self

    def __init__(self, name: str | None = None):
        if name is None:
            name = unique_name(snake_case(type(self).__name__))
        if not isinstance(name, str) or "/" in name:
            raise ArgumentError(
                "The name of an operation must be a string and cannot contain character `/`.",
                received=repr(name),
            )
        self.name = name
        self.inbound_nodes: list[Node] = []
        self._is_remat = in_scope(self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`call` on arrays; new symbolic tensors where an argument is one."""
        if any_symbolic((args, kwargs)):
            return self.symbolic_call(*args, **kwargs)
        args, kwargs = map_structure(_from_numpy, (args, kwargs))
        return (remat(self.call) if self._is_remat else self.call)(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs as symbolic tensors, which remember this call."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for arrays; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define call().")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The shapes and types of the outputs, found by following `call` with shapes only."""
        return specs(self.call, args, kwargs)

    @property
    def input(self) -> Any:
        """The symbolic tensors of the first call: one, or a list."""
        inputs = self._first_node().inputs
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output(self) -> Any:
        """The symbolic outputs of the first call: one, or a list."""
        outputs = leaves(self._first_node().outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _first_node(self) -> Node:
        if not self.inbound_nodes:
            raise StateError(
                f"The operation {self.name!r} was never called on a symbolic tensor.",
                fix="call it on what Input() returns first",
            )
        return self.inbound_nodes[0]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as far as they are numbers, text, lists and dicts.

        Raises:
            NotImplementedError: There are others, or `*args`: the class needs a `get_config`.
        """
        kind = type(self)
        if kind.__init__ is Operation.__init__ or kind.get_config is not Operation.get_config:
            return {"name": self.name}
        args, kwargs = self._arguments
        signature = inspect.signature(kind.__init__)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        _, *given = bound.arguments.items()
        config: dict[str, Any] = {}
        for name, value in given:
            parameter = signature.parameters[name]
            if parameter.kind is parameter.VAR_KEYWORD:
                config |= value
            elif parameter.kind is not parameter.VAR_POSITIONAL:
                config[name] = value
            elif value:
                raise _unwritten(kind)
        if not all(_is_data(value) for value in config.values()):
            raise _unwritten(kind)
        takes_name = "name" in signature.parameters or any(
            p.kind is p.VAR_KEYWORD for p in signature.parameters.values()
        )
        return {**config, "name": self.name} if takes_name else config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Operation:
        """An operation from `get_config`."""
        return cls(**config)


def _unwritten(kind: type) -> NotImplementedError:
    return NotImplementedError(
        f"The arguments of {kind.__name__} cannot be written into a config; define get_config()"
        " in it, which returns the arguments of __init__."
    )


def _is_data(value: Any) -> bool:
    return all(leaf is None or isinstance(leaf, str | bool | int | float) for leaf in leaves(value))


def _from_numpy(leaf: Any) -> Any:
    return jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf


def specs(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The outputs of a function for symbolic tensors, their axes of unknown size as Keras has them.

    Unknown axes are of one size, unless that does not fit the known ones; then as few as possible
    have the size 1, which broadcasts, or a size of another axis.

    Raises:
        ShapeError: The function takes no such shapes.
    """
    unknown = any(None in t.shape for t in leaves((args, kwargs)) if isinstance(t, KerasTensor))
    try:
        found = infer(function, args, kwargs)
        return _shortened(found, function, args, kwargs) if unknown else found
    except _REFUSALS as error:
        first = error
    guesses = _guesses(args, kwargs) if unknown else ()
    for guessed_args, guessed_kwargs in guesses:
        try:
            return infer(function, guessed_args, guessed_kwargs, probes=_ROUND_PROBES)
        except _REFUSALS:
            continue
    if isinstance(first, GazelleError | ValueError):
        raise first
    raise ShapeError(
        "The operation cannot be called on tensors of these shapes.",
        expected="shapes that it takes",
        received=", ".join(
            str(leaf.shape) for leaf in leaves((args, kwargs)) if hasattr(leaf, "shape")
        ),
        fix=reason(first),
    ) from first


def _shortened(found: Any, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The outputs, with None for a size that is smaller where the unknown axes are short: x[:5]."""
    try:
        short = infer(function, args, kwargs, probes=_SHORT_PROBES)
    except _REFUSALS:
        return found
    for tensor, other in zip(leaves(found), leaves(short), strict=True):
        if tensor is not None:
            pairs = zip(tensor.shape, other.shape, strict=True)
            tensor.shape = tuple(a if a == b else None for a, b in pairs)
    return found


def _guesses(args: Any, kwargs: Any) -> Iterator[Any]:
    """The arguments with none, one, two, ... of the unknown axes of size 1, or of another's size.

    Another is another tensor: which axes of one tensor are of the same size is not guessed.
    """
    flat = leaves((args, kwargs))
    tree = jax.tree.structure((args, kwargs), is_leaf=lambda leaf: leaf is None)
    shapes = {place: tuple(leaf.shape) for place, leaf in enumerate(flat) if hasattr(leaf, "shape")}
    axes = [(p, axis) for p, shape in shapes.items() for axis, n in enumerate(shape) if n is None]
    known = sorted({n for shape in shapes.values() for n in shape if n is not None} - {1})
    chosen = [
        (size, places)
        for size in (1, *known)
        for count in range(len(axes) + 1)
        for places in itertools.islice(itertools.combinations(axes, count), _MOST_GUESSES)
        if all(size == 1 or _is_of_other(size, place, shapes) for place, _ in places)
    ]
    for size, places in chosen[:_MOST_GUESSES]:
        filled = list(flat)
        for place, axis in places:
            shape = [size if i == axis else n for i, n in enumerate(filled[place].shape)]
            filled[place] = KerasTensor(shape, filled[place].dtype, name="guess")
        yield jax.tree.unflatten(tree, filled)


def _is_of_other(size: int, place: int, shapes: dict[int, Any]) -> bool:
    return any(size in shape for other, shape in shapes.items() if other != place)


# ---- The table ----


@dataclass(frozen=True)
class Entry:
    """A function of `gazelle.ops` that can be a step of a functional model.

    Attributes:
        key: Its name in the table, that of the function: `"mean"`.
        class_name: The name of the step in a config: `"Mean"`.
        module: Where Keras says in a config that this class is.
        function: The function of arrays.
        tensors: The parameters that a call of the step takes; the others are its options.
        spec: Gives the symbolic outputs where following the function does not.
        sparse: What is done with sparse tensors; they are made dense when None.
    """

    key: str
    class_name: str
    module: str
    function: Callable[..., Any]
    tensors: tuple[str, ...]
    spec: Callable[..., Any] | None = None
    sparse: SparseRule | None = None

    def compute(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result for arrays, some of which may be sparse."""
        if not any(map(is_sparse, args)):
            return self.function(*args, **kwargs)
        count = len(self.tensors)
        if self.sparse is not None and self.sparse.keeps(flags(args[:count])):
            return self.sparse.compute(self.function, *args, **kwargs)
        return self.function(*map(dense, args), **kwargs)

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The parameters of the function."""
        return inspect.signature(self.function)


# Every entry by module and class name, as configs have them, and by its key.
_ENTRIES: dict[tuple[str, str], Entry] = {}
_BY_KEY: dict[str, Entry] = {}


def find_entry(module: str, class_name: str) -> Entry:
    """The entry that a config names.

    Raises:
        UnknownNameError: There is none.
    """
    if (module, class_name) not in _ENTRIES:
        load_rooms()
    if (module, class_name) not in _ENTRIES:
        raise UnknownNameError("operator of keras.ops", class_name, [name for _, name in _ENTRIES])
    return _ENTRIES[module, class_name]


# Operations that only move elements: text may go through them.
MOVING = frozenset(
    {
        *("expand_dims", "squeeze", "reshape", "ravel", "transpose", "swapaxes", "moveaxis"),
        *("get_item", "concatenate", "stack", "split", "repeat", "tile", "flip", "roll"),
    }
)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, KerasTensor)


class KnownOperation(Operation):
    """A function of `gazelle.ops` as a step of a functional model.

    Args:
        operation: Its key in the table.
        options: The arguments that are not tensors.
        name: Name in the model; automatic when None.
    """

    def __new__(cls, *_: Any, **__: Any) -> Any:
        """An object that does not remember these arguments beside its attributes."""
        return object.__new__(cls)

    def __init__(
        self, operation: str, options: dict[str, Any] | None = None, name: str | None = None
    ):
        if operation not in _BY_KEY:
            load_rooms()
        self.operation = operation
        self.options = options or {}
        super().__init__(unique_name(snake_case(self.entry.class_name)) if name is None else name)

    @property
    def entry(self) -> Entry:
        """Its entry in the table."""
        return _BY_KEY[self.operation]

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The function on arrays."""
        return self._bound(self.entry.compute)(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The function's outputs for symbolic tensors."""
        entry = self.entry
        if any(leaf.dtype == TEXT for leaf in leaves((args, kwargs)) if _is_tensor(leaf)):
            return self._spec_of_text(args, kwargs)
        if entry.spec is not None:
            return self._bound(entry.spec)(*args, **kwargs)
        outputs = specs(self._bound(entry.function), args, kwargs)
        if entry.sparse is not None and any(map(is_sparse, args)):
            keeps = entry.sparse.keeps(flags(args))
            for tensor in leaves(outputs):
                tensor.sparse = keeps
        return outputs

    def _spec_of_text(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The outputs for symbolic text, which an operation may only move.

        Raises:
            ArgumentTypeError: Another operation.
        """
        if self.operation not in MOVING:
            raise ArgumentTypeError(
                f"{self.operation} does not compute from text.",
                expected=f"numbers, or one of {', '.join(sorted(MOVING))}",
                received="a tensor of text",
                fix="make numbers of it first, with StringLookup, Hashing or TextVectorization",
            )

        def as_number(leaf: Any) -> Any:
            return KerasTensor(leaf.shape, "int32") if _is_tensor(leaf) else leaf

        outputs = self.compute_output_spec(
            *map_structure(as_number, args), **map_structure(as_number, kwargs)
        )
        return map_structure(lambda tensor: KerasTensor(tensor.shape, TEXT), outputs)

    def _bound(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the tensors alone, in the order of `Entry.tensors`."""
        parameters = self.entry.signature.parameters
        order = self.entry.tensors
        first = next(iter(parameters), None)

        def bound(*args: Any, **kwargs: Any) -> Any:
            options = dict(self.options)
            if any(parameters[name].kind is inspect.Parameter.VAR_POSITIONAL for name in order):
                leading = [options.pop(n) for n in list(options) if n in _before(parameters)]
                return function(*leading, *args, **options, **kwargs)
            given = {**options, **dict(zip(order, args, strict=False)), **kwargs}
            leading = [given.pop(n) for n in order if n == first and n in given]
            return function(*leading, **given)

        return bound

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"operation": self.operation, "options": self.options, "name": self.name}


def _before(parameters: Any) -> list[str]:
    """The parameters in front of `*args`."""
    names = []
    for parameter in parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return names
        names.append(parameter.name)
    return []


Function = TypeVar("Function", bound=Callable[..., Any])


def known(
    *,
    module: str,
    tensors: int | tuple[str, ...] = 1,
    class_name: str | None = None,
    key: str | None = None,
    spec: Callable[..., Any] | None = None,
    convert: Callable[[Any], Any] | None = None,
    sparse: SparseRule | None = None,
) -> Callable[[Function], Function]:
    """A decorator that enters a function of arrays into the table.

    The function then takes lists and variables as arrays, and symbolic tensors: these make it a
    step of a functional model.

    Args:
        module: Where Keras says in a config that the step is.
        tensors: The number of the leading parameters that are tensors, or the names of those that
            are.
        class_name: The name of the step in a config; the function's name in camel case when None.
        key: The name in the table; that of the function when None.
        spec: Gives the symbolic outputs where following the function does not.
        convert: What is done with tensors that are not symbolic; `as_array` when None.
        sparse: What is done with sparse tensors; they are made dense when None.
    """

    def enter(function: Function) -> Function:
        name = function.__name__
        names = tensors
        if isinstance(names, int):
            names = tuple(inspect.signature(function).parameters)[:names]
        known_as = class_name or name.title().replace("_", "")
        entry = Entry(key or name, known_as, module, function, names, spec, sparse)
        _ENTRIES[module, known_as] = _BY_KEY[entry.key] = entry
        to_array = convert or as_array
        places = [place for place, n in enumerate(entry.signature.parameters) if n in names]
        variadic = any(entry.signature.parameters[n].kind.name == "VAR_POSITIONAL" for n in names)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            if any_symbolic((args, kwargs)):
                return _step(entry, args, kwargs)
            arrays = [
                to_array(arg) if place in places or (variadic and place >= places[0]) else arg
                for place, arg in enumerate(args)
            ]
            named = {key: to_array(arg) if key in names else arg for key, arg in kwargs.items()}
            return entry.compute(*arrays, **named)

        OPERATORS[entry.key] = called
        return called  # pyright: ignore[reportReturnType]

    return enter


def _step(entry: Entry, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call on symbolic tensors: a new step of a model."""
    bound = entry.signature.bind(*args, **kwargs)
    bound.apply_defaults()
    given: list[Any] = []
    more: dict[str, Any] = {}
    options: dict[str, Any] = {}
    arguments = bound.arguments
    for name in entry.tensors:
        if entry.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            given += arguments[name]
        else:
            given.append(arguments[name])
    for name, value in arguments.items():
        if name in entry.tensors:
            continue
        if entry.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            options |= value
        elif any_symbolic(value):
            more[name] = value
        else:
            options[name] = map_structure(unwrapped, value)
    args, more = map_structure(_constant, (tuple(given), more))
    return KnownOperation(entry.key, options).symbolic_call(*args, **more)


def _constant(leaf: Any) -> Any:
    """A constant of a graph, which a config can hold."""
    if isinstance(leaf, Variable | jax.Array):
        return np.asarray(leaf)
    return leaf


def unwrapped(value: Any) -> Any:
    """A value with the arrays of the variables in it, and JAX's arrays instead of NumPy's."""
    if isinstance(value, Variable):
        return value.value
    if isinstance(value, np.ndarray | np.generic):
        return jnp.asarray(value)
    if isinstance(value, list | tuple):
        return type(value)(unwrapped(item) for item in value)
    return value


def as_array(value: Any) -> Any:
    """A list, NumPy array or variable as an array; numbers and None as they are.

    A number does not widen the type of an array that it is computed with.
    """
    value = unwrapped(value)
    return jnp.asarray(value) if isinstance(value, list | tuple) else value


class StepCatalogue(Catalogue):
    """A catalogue whose functions of two tensors are steps of a model for symbolic ones.

    Keras takes these functions apart into others; a model with such a step can be loaded by Gazelle
    alone.
    """

    def add(self, *aliases: str) -> Callable[[Any], Any]:
        """A decorator like that of `Catalogue`."""
        enter = super().add(*aliases)

        def enter_step(obj: Any) -> Any:
            if inspect.isclass(obj):
                return enter(obj)
            room = self.module.replace("keras", "gazelle")
            key = f"{room}.{obj.__name__}"
            step = known(
                module=room, class_name=obj.__name__, key=key, tensors=2, convert=lambda x: x
            )
            return enter(step(obj))

        return enter_step
