"""Symbolic tensors: shapes are found by tracing, and calls come in an order of computation."""

import jax.numpy as jnp
import numpy as np
import pytest

from gazelle._core.errors import ArgumentTypeError, StateError
from gazelle._core.symbolic import (
    KerasTensor,
    Node,
    any_symbolic,
    infer,
    leaves,
    map_structure,
    nodes_between,
)


def inferred(function, *args, **kwargs):
    return map_structure(lambda t: (t.shape, t.dtype), infer(function, args, kwargs))


def tensor(*shape, dtype="float32"):
    return KerasTensor(shape, dtype)


@pytest.mark.parametrize(
    ("function", "args", "shape"),
    [
        (lambda a: a + 1, [tensor(None, 3)], (None, 3)),
        (lambda a: a @ jnp.ones((3, 5)), [tensor(None, 3)], (None, 5)),
        (lambda a: a.reshape(a.shape[0], -1), [tensor(None, 2, 3)], (None, 6)),
        (lambda a: a.reshape(-1), [tensor(None, 3)], (None,)),
        (lambda a: a.sum(), [tensor(None, 3)], ()),
        (lambda a: a.mean(axis=0), [tensor(None, 3)], (3,)),
        (lambda a: a.T, [tensor(None, 3)], (3, None)),
        (lambda a, b: jnp.concatenate([a, b], -1), [tensor(None, 3), tensor(None, 4)], (None, 7)),
        (lambda a: a[:, None] * jnp.ones((1, 4, 1)), [tensor(None, 3)], (None, 4, 3)),
        (lambda a: a * 2, [tensor(8, 3)], (8, 3)),
        (lambda a: jnp.concatenate([a, a]), [tensor(None, 3)], (None, 3)),
    ],
)
def test_the_batch_axis_stays_unknown_and_all_others_are_found(function, args, shape):
    assert inferred(function, *args) == (shape, "float32")


def test_types_follow_the_function():
    assert inferred(lambda a: a > 0, tensor(None, 2))[1] == "bool"
    assert inferred(lambda a: jnp.argmax(a, -1), tensor(None, 2)) == ((None,), "int32")
    assert inferred(lambda a: a, tensor(None, dtype="uint8"))[1] == "uint8"


def test_structures_of_arguments_and_results_are_kept():
    result = infer(
        lambda x, mask=None, k=1: {"a": x["p"] * k, "b": [x["q"], None]},
        ({"p": tensor(None, 2), "q": tensor(3)},),
        {"k": 2},
    )
    assert result["a"].shape == (None, 2)
    assert result["b"][0].shape == (3,)
    assert result["b"][1] is None


def test_nothing_is_computed():
    calls = []
    infer(lambda a: calls.append(type(a).__name__) or a, (tensor(None, 10**6, 10**4),), {})
    assert all("Tracer" in name for name in calls)


def test_none_is_a_leaf_and_dicts_are_read_in_the_order_of_their_keys():
    assert leaves({"b": 1, "a": [2, None]}) == [2, None, 1]
    assert map_structure(lambda a: a is None, (1, None)) == (False, True)
    assert any_symbolic(([1, {"x": tensor(2)}],))
    assert any_symbolic((1,), {"x": tensor(2)})
    assert not any_symbolic((np.ones(2), None), {"training": True})


def test_a_symbolic_tensor_has_no_values():
    x = tensor(None, 3)
    assert x.ndim == 2
    for act in (
        lambda: np.asarray(x),
        lambda: jnp.asarray(x),
        lambda: bool(x),
        lambda: list(x),
        lambda: np.array([x]),
    ):
        with pytest.raises(ArgumentTypeError, match="symbolic tensor"):
            act()
    with pytest.raises((TypeError, ValueError)):
        jnp.sin(x)


# ---- Operators and graphs ----


class Step:
    """An operation with more than one result."""

    def __init__(self):
        self.inbound_nodes = []

    def __call__(self, *tensors):
        outputs = infer(lambda x, *rest: (x[:, :1], x[:, 1:]), tensors, {})
        Node(self, tensors, {}, outputs)
        return outputs


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a**b,
        lambda a, b: a @ b,
        lambda a, b: -a,
        lambda a, b: abs(a),
        lambda a, b: a[:, 1:],
        lambda a, b: a[0],
        lambda a, b: 2 - a,
        lambda a, b: 2 / a,
    ],
)
def test_an_operator_describes_the_call_that_numpy_makes(function):
    values = np.arange(1.0, 5.0, dtype="float32").reshape(2, 2), np.full((2, 2), 2.0, "float32")
    a, b = tensor(2, 2), tensor(2, 2)
    expected = function(*values)
    for right in (b, values[1]):
        described = function(a, right)
        assert described.shape == expected.shape
        node = described.node
        known = {id(a): values[0], id(b): values[1]}
        computed = node.operation(*[known.get(id(part), part) for part in node.args])
        np.testing.assert_allclose(computed, expected)


def test_arrays_on_the_left_leave_the_operation_to_the_symbolic_tensor():
    assert (np.ones(3, "float32") + tensor(None, 3)).shape == (None, 3)
    assert (np.ones((2, 3), "float32") @ tensor(3, 4)).shape == (2, 4)


def test_a_call_knows_its_operation_inputs_and_results():
    x = tensor(None, 3)
    step = Step()
    first, rest = step(x)
    assert first.node is rest.node is step.inbound_nodes[0]
    assert first.node.operation is step
    assert first.node.inputs == [x]
    assert (first.index, rest.index) == (0, 1)
    assert (first.shape, rest.shape) == ((None, 1), (None, 2))


def test_inputs_are_found_in_keyword_arguments_and_structures():
    a, b, out = tensor(None, 2), tensor(None, 2), tensor(None, 2)
    node = Node(Step(), ([a, 1.0],), {"extra": {"x": b}}, out)
    assert node.inputs == [a, b]


def assert_computable(nodes, inputs, outputs):
    known = {id(t) for t in inputs}
    for node in nodes:
        assert all(id(t) in known for t in node.inputs)
        known.update(id(t) for t in leaves(node.outputs))
    assert all(id(t) in known for t in outputs)
    assert len({id(node) for node in nodes}) == len(nodes)


def test_a_diamond_with_a_shared_step_is_ordered_and_each_call_comes_once():
    x = tensor(None, 4)
    shared = Step()
    a, b = shared(x * 2)
    left, _ = shared(b)
    out = left + a
    nodes = nodes_between([x], [out, left, out])
    assert [node.operation for node in nodes].count(shared) == 2
    assert len(nodes) == 4
    assert_computable(nodes, [x], [out, left])


def test_calls_that_the_outputs_do_not_need_are_left_out():
    x = tensor(None, 4)
    hidden = -x
    _ = hidden + 1
    assert nodes_between([x], [hidden]) == [hidden.node]
    assert nodes_between([x], [x]) == []


def test_a_model_may_start_in_the_middle_of_a_graph():
    hidden = -tensor(None, 4)
    out = abs(hidden)
    assert nodes_between([hidden], [out]) == [out.node]


def test_a_ladder_of_two_hundred_diamonds_is_ordered_without_repeating_work():
    x = out = tensor(None, 1)
    for _ in range(200):  # 2 ** 200 paths
        left, right, joined = tensor(None, 1), tensor(None, 1), tensor(None, 1)
        Node(Step(), (out,), {}, left)
        Node(Step(), (out,), {}, right)
        Node(Step(), (left, right), {}, joined)
        out = joined
    nodes = nodes_between([x], [out])
    assert len(nodes) == 600
    assert_computable(nodes, [x], [out])


def test_an_output_that_needs_another_input_is_refused_by_name():
    x, y = tensor(None, 2), KerasTensor((None, 2), name="forgotten")
    with pytest.raises(StateError, match="forgotten"):
        nodes_between([x], [x + y])
