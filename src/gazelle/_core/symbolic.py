"""Symbolic tensors, on which layers are called to describe a model, and the graph of such calls."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import standardize_dtype
from gazelle._core.errors import ArgumentTypeError, StateError, UnknownNameError
from gazelle._core.names import unique_name
from gazelle._core.registry import builtin
from gazelle._core.types import Shape

# Two batch sizes that no axis of a real network has by chance: an axis whose size follows them is
# the unknown one.
_PROBES = (89, 97)


class KerasTensor:
    """A tensor that has a shape and a dtype and no values yet.

    Args:
        shape: Tuple of ints; None where the size is not known (the batch axis).
        dtype: Its type; floatx when None.
        name: A name; automatic when None.
        node: The call that makes it (None for an input until it is given one).
        index: Which of the call's outputs it is.
    """

    # Keeps NumPy from computing element by element with this object.
    __array_ufunc__ = None

    def __init__(
        self,
        shape: Iterable[int | None],
        dtype: Any = None,
        name: str | None = None,
        node: Node | None = None,
        index: int = 0,
    ):
        self.shape: Shape = tuple(shape)
        self.dtype = standardize_dtype(dtype)
        self.name = name or unique_name("keras_tensor")
        self.node = node
        self.index = index

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
            expected="a layer, or one of the operators + - * / ** @ abs [...]",
            received=repr(self),
            fix="put the NumPy computation into a layer of your own",
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


# The operators that symbolic tensors know; a config names them by these keys.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "matmul": operator.matmul,
    "negative": operator.neg,
    "absolute": operator.abs,
    "get_item": lambda x, index: x[tuple(index) if isinstance(index, list) else index],
}


@builtin("gazelle.ops")
class Operation:
    """An operator as a step of a functional model: `a + b`, `-a`, `a[:, 0]`.

    Args:
        operation: A key of `OPERATIONS`.
        name: Name in the model; automatic when None.

    Raises:
        UnknownNameError: There is no such operator.
    """

    def __init__(self, operation: str, name: str | None = None):
        if operation not in OPERATIONS:
            raise UnknownNameError("operation", operation, OPERATIONS)
        self.operation = operation
        self.name = name or unique_name(operation)
        self.inbound_nodes: list[Node] = []

    def __call__(self, *args: Any) -> Any:
        """The operator on arrays, or a new symbolic tensor when an argument is one."""
        function = OPERATIONS[self.operation]
        if any_symbolic(args):
            outputs = infer(function, args, {})
            Node(self, args, {}, outputs)
            return outputs
        return function(*args)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"operation": self.operation, "name": self.name}


def _operator(name: str, *, reflected: bool = False) -> Callable[..., Any]:
    def method(self: KerasTensor, *other: Any) -> Any:
        return Operation(name)(*(reversed((self, *other)) if reflected else (self, *other)))

    return method


for _special, _name in (
    ("add", "add"),
    ("sub", "subtract"),
    ("mul", "multiply"),
    ("truediv", "divide"),
    ("pow", "power"),
    ("matmul", "matmul"),
):
    setattr(KerasTensor, f"__{_special}__", _operator(_name))
    setattr(KerasTensor, f"__r{_special}__", _operator(_name, reflected=True))
KerasTensor.__neg__ = _operator("negative")  # pyright: ignore[reportAttributeAccessIssue]
KerasTensor.__abs__ = _operator("absolute")  # pyright: ignore[reportAttributeAccessIssue]
KerasTensor.__getitem__ = _operator("get_item")  # pyright: ignore[reportAttributeAccessIssue]


def leaves(structure: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dicts (by their sorted keys); None is a leaf."""
    return jax.tree.leaves(structure, is_leaf=lambda leaf: leaf is None)


def map_structure(function: Callable[..., Any], structure: Any, *rest: Any) -> Any:
    """`function` on every leaf, the structure kept; None is a leaf."""
    return jax.tree.map(function, structure, *rest, is_leaf=lambda leaf: leaf is None)


def any_symbolic(args: Any, kwargs: Any = None) -> bool:
    """Whether a symbolic tensor is among the arguments."""
    return any(isinstance(leaf, KerasTensor) for leaf in leaves((args, kwargs)))


def infer(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """What `function` would return, as symbolic tensors.

    It is traced twice, with two different sizes for every axis of unknown size.

    Args:
        function: Any function of arrays.
        args: Its arguments, with symbolic tensors for arrays.
        kwargs: Its keyword arguments.
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
    first = trace(_PROBES[0])
    second = trace(_PROBES[1]) if unknown else first

    def merge(a: Any, b: Any) -> KerasTensor:
        shape = tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True))
        return KerasTensor(shape, a.dtype)

    return jax.tree.map(merge, first, second)


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
