"""Symbolic tensors, on which layers are called to describe a model, and the graph of such calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gazelle._core.doors import load_rooms
from gazelle._core.dtypes import standardize_dtype
from gazelle._core.errors import ArgumentError, ArgumentTypeError, StateError
from gazelle._core.names import unique_name
from gazelle._core.types import Shape

# Two batch sizes that no axis of a real network has by chance: an axis whose size follows them is
# the unknown one.
_PROBES = (89, 97)
_SPARSE_ARRAYS = frozenset({"BCOO", "SparseBatches"})


class History(NamedTuple):
    """Where a symbolic tensor comes from.

    Attributes:
        operation: The layer or operation; None of a tensor that nothing made.
        node_index: The number of its call.
        tensor_index: The place among the call's outputs.
    """

    operation: Any
    node_index: int
    tensor_index: int


class KerasTensor:
    """A tensor that has a shape and a dtype and no values yet.

    Args:
        shape: Tuple of ints; None where the size is not known (the batch axis).
        dtype: Its type; floatx when None.
        sparse: Whether its values are sparse (BCOO).
        ragged: Not supported; must be False.
        name: A name; automatic when None.
        node: The call that makes it (None for an input until it is given one).
        index: Which of the call's outputs it is.

    Raises:
        ArgumentError: `ragged` is set.
    """

    # Keeps NumPy from computing element by element with this object.
    __array_ufunc__ = None

    def __init__(
        self,
        shape: Iterable[int | None],
        dtype: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        *,
        name: str | None = None,
        node: Node | None = None,
        index: int = 0,
    ):
        self.shape: Shape = tuple(shape)
        if ragged:
            raise ArgumentError(
                "Ragged tensors are not supported.",
                expected="ragged=False",
                received=repr(ragged),
                fix="pad the rows to one length, and mask what was padded",
            )
        self.sparse, self.ragged = bool(sparse), False
        self.dtype = standardize_dtype(dtype)
        self.name = name or unique_name("keras_tensor")
        self.node = node
        self.index = index

    @property
    def _keras_history(self) -> History:
        """The call that made it; user code knows a symbolic tensor by this name of Keras's."""
        node = self.node
        if node is None:
            return History(None, 0, 0)
        return History(node.operation, node.operation.inbound_nodes.index(node), self.index)

    @property
    def ndim(self) -> int:
        """Number of axes, the batch axis included."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __bool__(self) -> bool:
        raise ArgumentTypeError("A symbolic tensor has no truth value: it has no values yet.")

    def __iter__(self) -> Any:
        raise ArgumentTypeError("A symbolic tensor cannot be iterated over; slice it instead.")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise ArgumentTypeError(
            "A symbolic tensor cannot become a NumPy array: it has no values yet.",
            expected="a layer, an operator such as +, or a function of gazelle.ops",
            received=repr(self),
            fix="use the function of gazelle.ops, or put the computation into a layer of your own",
        )

    __jax_array__ = __array__


class Node:
    """One call of an operation on symbolic tensors.

    Args:
        operation: What was called: a layer, a model or an `Operation`.
        args: Its positional arguments, symbolic tensors among them.
        kwargs: Its keyword arguments.
        outputs: The structure of symbolic tensors that it gave.
    """

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any):
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.inputs: list[KerasTensor] = [
            leaf for leaf in leaves((args, kwargs)) if isinstance(leaf, KerasTensor)
        ]
        for index, tensor in enumerate(leaves(outputs)):
            tensor.node = self
            tensor.index = index
        operation.inbound_nodes.append(self)


# The functions behind the operators of symbolic tensors, by name. `gazelle.ops` enters its own;
# each gives a new symbolic tensor where an argument is one.
OPERATORS: dict[str, Callable[..., Any]] = {}


def operator(name: str) -> Callable[..., Any]:
    """The function of `gazelle.ops` behind an operator or method of symbolic tensors."""
    if name not in OPERATORS:
        load_rooms()
    return OPERATORS[name]


def _method(name: str, *, reflected: bool = False) -> Callable[..., Any]:
    def method(self: KerasTensor, *args: Any, **kwargs: Any) -> Any:
        return operator(name)(*(reversed((self, *args)) if reflected else (self, *args)), **kwargs)

    return method


for _special, _name in (
    ("add", "add"),
    ("sub", "subtract"),
    ("mul", "multiply"),
    ("truediv", "true_divide"),
    ("floordiv", "floor_divide"),
    ("mod", "mod"),
    ("pow", "power"),
    ("matmul", "matmul"),
    ("and", "logical_and"),
    ("or", "logical_or"),
    ("xor", "logical_xor"),
):
    setattr(KerasTensor, f"__{_special}__", _method(_name))
    setattr(KerasTensor, f"__r{_special}__", _method(_name, reflected=True))
for _special, _name in (
    ("__neg__", "negative"),
    ("__abs__", "absolute"),
    ("__invert__", "logical_not"),
    ("__getitem__", "get_item"),
    ("__ne__", "not_equal"),
    ("__lt__", "less"),
    ("__le__", "less_equal"),
    ("__gt__", "greater"),
    ("__ge__", "greater_equal"),
    ("__round__", "round"),
    ("reshape", "reshape"),
    ("squeeze", "squeeze"),
):
    setattr(KerasTensor, _special, _method(_name))


def _is_leaf(node: Any) -> bool:
    """Whether a node is a leaf for Gazelle although JAX sees a structure, or nothing, in it."""
    return node is None or type(node).__name__ in _SPARSE_ARRAYS


def leaves(structure: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dicts (by their sorted keys).

    None and sparse arrays are leaves.
    """
    return jax.tree.leaves(structure, is_leaf=_is_leaf)


def samples_in(structure: Any) -> int:
    """The length of the arrays of a structure, of which some may be None."""
    return next(leaf.shape[0] for leaf in leaves(structure) if leaf is not None)


def map_structure(function: Callable[..., Any], structure: Any, *rest: Any) -> Any:
    """`function` on every leaf, the structure kept; None and sparse arrays are leaves."""
    return jax.tree.map(function, structure, *rest, is_leaf=_is_leaf)


def any_symbolic(args: Any, kwargs: Any = None) -> bool:
    """Whether a symbolic tensor is among the arguments."""
    return any(isinstance(leaf, KerasTensor) for leaf in leaves((args, kwargs)))


def infer(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    probes: tuple[int, int] = _PROBES,
) -> Any:
    """What `function` would return, as symbolic tensors.

    It is traced twice, with two different sizes for every axis of unknown size.

    Args:
        function: Any function of arrays.
        args: Its arguments, with symbolic tensors for arrays.
        kwargs: Its keyword arguments.
        probes: The two sizes.
    """
    flat, tree = jax.tree.flatten((args, kwargs), is_leaf=lambda leaf: leaf is None)
    places = [i for i, leaf in enumerate(flat) if isinstance(leaf, KerasTensor)]

    def trace(probe: int) -> Any:
        structs = [
            jax.ShapeDtypeStruct(
                [probe if n is None else n for n in tensor.shape], jnp.dtype(tensor.dtype)
            )
            for tensor in (flat[i] for i in places)
        ]

        def call(tensors: Sequence[Any]) -> Any:
            filled = list(flat)
            for place, tensor in zip(places, tensors, strict=True):
                filled[place] = tensor
            filled_args, filled_kwargs = jax.tree.unflatten(tree, filled)
            return function(*filled_args, **filled_kwargs)

        return jax.eval_shape(call, structs)

    unknown = any(None in flat[i].shape for i in places)
    first = trace(probes[0])
    second = trace(probes[1]) if unknown else first

    def merge(a: Any, b: Any) -> KerasTensor:
        shape = tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True))
        return KerasTensor(shape, a.dtype)

    return jax.tree.map(merge, first, second)


def get_source_inputs(tensor: KerasTensor) -> list[KerasTensor]:
    """The inputs that a symbolic tensor is computed from, each once; itself if it is one.

    Args:
        tensor: The tensor.

    Example:
        >>> from gazelle import Input, layers
        >>> x = Input((2,), name="x")
        >>> [source.name for source in get_source_inputs(layers.Dense(1)(x))]
        ['x']
    """
    found: dict[int, KerasTensor] = {}
    seen: set[int] = set()
    waiting = [tensor]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one.node is None or not one.node.inputs:
            found[id(one)] = one
        else:
            waiting += reversed(one.node.inputs)
    return list(found.values())


def nodes_between(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> list[Node]:
    """The calls that lead from `inputs` to `outputs`, each after those that it needs.

    Raises:
        StateError: An output needs a tensor that does not come from `inputs`.
    """
    known = {id(tensor) for tensor in inputs}
    order: list[Node] = []
    seen: set[int] = set()
    stack: list[tuple[KerasTensor, bool]] = [(tensor, False) for tensor in reversed(outputs)]
    while stack:
        tensor, expanded = stack.pop()
        if id(tensor) in known or (tensor.node is not None and id(tensor.node) in seen):
            continue
        node = tensor.node
        if node is None or not node.inputs:
            raise StateError(
                f"The model's outputs need the tensor {tensor.name!r}, which does not come from its"
                " inputs.",
                expected="every path from the outputs backwards ends at one of `inputs`",
                received=repr(tensor),
                fix="add that Input to `inputs`",
            )
        if expanded:
            seen.add(id(node))
            order.append(node)
        else:
            stack.append((tensor, True))
            stack.extend((source, False) for source in reversed(node.inputs))
    return order
