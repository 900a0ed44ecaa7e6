"""Nested structures: `gazelle.tree` gives what `keras.tree` gives, or an error of the same kind."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import keras
import numpy as np
import pytest

from gazelle import tree

Pair = namedtuple("Pair", "x y")

STRUCTURES = [
    1,
    None,
    [1, 2],
    (1, [2, None]),
    {"b": 1, "a": (2, 3)},
    OrderedDict([("b", 1), ("a", 2)]),
    defaultdict(int, {"z": 1, "a": 2}),
    Pair(1, [2]),
    deque([1, 2]),
    {"a": {}, "b": []},
    {2: 1, "a": 3},
    [np.ones(2)],
    ((), []),
]


def outcome(call, library):
    try:
        return repr(call(library))
    except (TypeError, ValueError) as error:
        return TypeError if isinstance(error, TypeError) else ValueError


def hide_twos(library):
    return lambda part: library.MAP_TO_NONE if isinstance(part, int) and part == 2 else None


OF_ONE = {
    "flatten": lambda t, s: t.flatten(s),
    "flatten_with_path": lambda t, s: t.flatten_with_path(s),
    "map_structure": lambda t, s: t.map_structure(lambda leaf: (leaf,), s),
    "not None": lambda t, s: t.map_structure(lambda leaf: (leaf,), s, none_is_leaf=False),
    "is_nested": lambda t, s: t.is_nested(s),
    "lists_to_tuples": lambda t, s: t.lists_to_tuples(s),
    "map_shape_structure": lambda t, s: t.map_shape_structure(lambda shape: "shape", s),
    "pack_sequence_as": lambda t, s: t.pack_sequence_as(s, range(len(t.flatten(s)))),
    "traverse": lambda t, s: t.traverse(hide_twos(t), s),
    "from the leaves": lambda t, s: t.traverse(hide_twos(t), s, top_down=False),
}
OF_TWO = {
    "assert_same_structure": lambda t, a, b: t.assert_same_structure(a, b),
    "assert_same_paths": lambda t, a, b: t.assert_same_paths(a, b),
    "map_structure": lambda t, a, b: t.map_structure(lambda x, y: (x, y), a, b),
    "not None": lambda t, a, b: t.map_structure(lambda x, y: (x, y), a, b, none_is_leaf=False),
    "pack_sequence_as": lambda t, a, b: t.pack_sequence_as(a, b),
}


def test_the_names_are_keras_s():
    assert set(tree.__all__) == {name for name in dir(keras.tree) if name[0] != "_"}


@pytest.mark.parametrize("name", OF_ONE)
def test_functions_of_one_structure(name):
    for structure in STRUCTURES:
        found, expected = (
            outcome(lambda t, s=structure: OF_ONE[name](t, s), t) for t in (tree, keras.tree)
        )
        assert found == expected, structure


@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_two_structures(name):
    for a in STRUCTURES:
        for b in STRUCTURES:
            found, expected = (
                outcome(lambda t, a=a, b=b: OF_TWO[name](t, a, b), t) for t in (tree, keras.tree)
            )
            assert found == expected, (a, b)


def test_a_function_of_the_parts_below_a_shallow_structure():
    found = tree.map_structure_up_to({"a": 1, "b": 2}, len, {"a": [1, 2], "b": (3,)})
    assert found == {"a": 2, "b": 1}
    with pytest.raises(ValueError, match="structure"):
        tree.map_structure_up_to({"a": 1}, len, {"b": 1})


@pytest.mark.parametrize("call", [tree.map_structure, tree.traverse, tree.map_shape_structure])
def test_what_cannot_be_called_is_refused(call):
    with pytest.raises(TypeError, match="callable"):
        call("no function", [1])
