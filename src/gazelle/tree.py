"""Nested structures: lists, tuples, named tuples, deques and dicts, like `keras.tree`.

Everything else is a leaf, None too. A dict is read in the order of its sorted keys, an OrderedDict
in its own.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from gazelle._core.errors import ArgumentError, ArgumentTypeError

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]

Path = tuple[Any, ...]


class MAP_TO_NONE:  # noqa: N801 (Keras's name)
    """What the function of `traverse` returns for None: None itself means "go on within"."""


def is_nested(structure: Any) -> bool:
    """Whether something is a list, tuple, deque or dict."""
    return isinstance(structure, list | tuple | dict | deque)


def _keys(structure: Any) -> list[Any]:
    """The keys of the children, in the order in which they are read."""
    if not isinstance(structure, dict):
        return list(range(len(structure)))
    if isinstance(structure, OrderedDict):
        return list(structure)
    try:
        return sorted(structure)
    except TypeError:  # keys of several types
        return sorted(structure, key=lambda key: (type(key).__qualname__, str(key)))


def _rebuilt(structure: Any, children: dict[Any, Any]) -> Any:
    """A structure of the same type with other children."""
    if isinstance(structure, defaultdict):
        return defaultdict(structure.default_factory, {key: children[key] for key in structure})
    if isinstance(structure, dict):
        return type(structure)((key, children[key]) for key in structure)
    values = [children[key] for key in _keys(structure)]
    if isinstance(structure, deque):
        return deque(values, structure.maxlen)
    if hasattr(structure, "_fields"):
        return type(structure)(*values)
    return type(structure)(values)


def flatten_with_path(structure: Any) -> list[tuple[Path, Any]]:
    """The leaves, each after the keys and numbers that lead to it."""
    return list(_walk(structure, ()))


def _walk(structure: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if not is_nested(structure):
        yield path, structure
        return
    for key in _keys(structure):
        yield from _walk(structure[key], (*path, key))


def flatten(structure: Any) -> list[Any]:
    """The leaves in order."""
    return [leaf for _, leaf in _walk(structure, ())]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """The structure with `func` of the leaves at each place.

    Args:
        func: Called with one leaf of each structure.
        *structures: Structures of the same kind.
        none_is_leaf: Whether `func` is called with None; it stays None otherwise.

    Raises:
        ArgumentTypeError: `func` cannot be called.
        ArgumentError: There is no structure, or they differ.
    """
    _check_call(func, structures)
    for other in structures[1:]:
        assert_same_structure(structures[0], other)

    def apply(*leaves: Any) -> Any:
        nones = [leaf is None for leaf in leaves]
        if none_is_leaf or not any(nones):
            return func(*leaves)
        if not all(nones):
            raise ArgumentError("The structures differ: one has None where another has a leaf.")
        return None

    return map_structure_up_to(structures[0], apply, *structures)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Like `map_structure`, as deep as `shallow_structure`: what is below goes to `func` whole.

    Raises:
        ArgumentTypeError: `func` cannot be called.
        ArgumentError: There is no structure, or one does not begin like the shallow one.
    """
    _check_call(func, structures)
    if not is_nested(shallow_structure):
        return func(*structures)
    for structure in structures:
        _check_level(shallow_structure, structure)
    children = {
        key: map_structure_up_to(
            shallow_structure[key], func, *(structure[key] for structure in structures)
        )
        for key in _keys(shallow_structure)
    }
    return _rebuilt(shallow_structure, children)


def _check_call(func: Any, structures: Sequence[Any]) -> None:
    if not callable(func):
        raise ArgumentTypeError("`func` must be callable.", received=repr(func)[:80])
    if not structures:
        raise ArgumentError("Must provide at least one structure.")


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Refuse two structures that differ; a dict equals an OrderedDict of the same keys.

    Raises:
        ArgumentError: They differ.
    """
    if not is_nested(a):
        if is_nested(b):
            raise ArgumentError(
                "The two structures don't have the same nested structure.",
                expected="a leaf",
                received=f"a {type(b).__name__}",
            )
        return
    _check_level(a, b)
    for key in _keys(a):
        assert_same_structure(a[key], b[key])


def _check_level(a: Any, b: Any) -> None:
    """Refuse two structures whose outermost levels differ."""
    both_dicts = isinstance(a, dict) and isinstance(b, dict)
    if not both_dicts and type(a) is not type(b):
        kind = "namedtuple " if hasattr(a, "_fields") else ""
        raise ArgumentError(
            "The two structures don't have the same nested structure: expected an instance of"
            f" {kind}{type(a).__name__}, got {type(b).__name__}."
        )
    if both_dicts and set(a) != set(b):
        raise ArgumentError(
            "The two structures don't have the same nested structure: a dict has other keys"
            " (node arity mismatch).",
            expected=_keys(a),
            received=_keys(b),
        )
    if len(a) != len(b):
        raise ArgumentError(
            "The two structures don't have the same number of elements (arity mismatch).",
            expected=len(a),
            received=len(b),
        )


def assert_same_paths(a: Any, b: Any) -> None:
    """Refuse two structures whose leaves are at different places, whatever holds them.

    Raises:
        ArgumentError: They differ.
    """
    ours = {path for path, _ in _walk(a, ())}
    theirs = {path for path, _ in _walk(b, ())}
    if ours != theirs:
        raise ArgumentError(
            "`a` and `b` don't have the same paths.",
            expected=sorted(ours, key=str),
            received=sorted(theirs, key=str),
        )


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """A structure like another one, with leaves from a flat sequence.

    Raises:
        ArgumentTypeError: `flat_sequence` is not a sequence.
        ArgumentError: It has too few or too many leaves.
    """
    if not isinstance(flat_sequence, Iterable):
        raise ArgumentTypeError(
            "`flat_sequence` must be an iterable.", received=repr(flat_sequence)[:80]
        )
    given = list(flat_sequence)
    places = len(flatten(structure))
    if len(given) != places:
        few = "few" if len(given) < places else "many"
        raise ArgumentError(
            f"Too {few} leaves for the structure, expected: {places}, got: {len(given)}."
        )
    rest = iter(given)
    order = {path: next(rest) for path, _ in _walk(structure, ())}

    def build(part: Any, path: Path) -> Any:
        if not is_nested(part):
            return order[path]
        return _rebuilt(part, {key: build(part[key], (*path, key)) for key in _keys(part)})

    return build(structure, ())


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """`func` of every level of a structure, from the whole to the leaves or back.

    Args:
        func: Returns what takes the place of its argument, None to go on, or `MAP_TO_NONE`.
        structure: The structure.
        top_down: Whether it is called with the whole first.

    Raises:
        ArgumentTypeError: `func` cannot be called.
    """
    _check_call(func, (structure,))

    def below(part: Any) -> Any:
        if not is_nested(part):
            return part
        return _rebuilt(part, {key: traverse(func, part[key], top_down) for key in _keys(part)})

    if top_down:
        found = func(structure)
        return below(structure) if found is None else _none(found)
    part = below(structure)
    found = func(part)
    return part if found is None else _none(found)


def _none(found: Any) -> Any:
    return None if found is MAP_TO_NONE else found


def lists_to_tuples(structure: Any) -> Any:
    """The structure with tuples for lists."""

    def change(part: Any) -> Any:
        return tuple(part) if isinstance(part, list) else None

    return traverse(change, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`func` of every shape, a tuple or list of ints and None, and of every other leaf.

    Raises:
        ArgumentTypeError: `func` cannot be called.
    """
    _check_call(func, (structure,))

    def change(part: Any) -> Any:
        is_shape = isinstance(part, tuple | list) and all(
            size is None or isinstance(size, int) for size in part
        )
        if is_nested(part) and not is_shape:
            return None
        found = func(part)
        return MAP_TO_NONE if found is None else found

    return traverse(change, structure)
