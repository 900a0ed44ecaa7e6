"""Networks of many shapes have the same layers, weights, outputs, configs and files as in Keras."""

import jax
import keras
import numpy as np
import pytest
from models.graphs import GRAPHS

import gazelle

# Keras reads its variables in a way that NumPy 2 warns about.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]
each_graph = pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.__name__)


def _fresh(library, graph):
    """The model, with automatic names that start at the beginning."""
    if library is keras:
        keras.utils.clear_session(free_memory=False)
    else:
        gazelle.utils.clear_session()
    return graph(library)


def _data(model, rows=3):
    """Random inputs in the structure of the inputs of a Keras model."""
    rng = np.random.default_rng(0)

    def array(tensor):
        values = rng.normal(0.5, 1.0, (rows, *tensor.shape[1:]))
        if "int" in str(tensor.dtype):
            return (abs(values) * 100).astype(tensor.dtype)
        return values.astype("float32")

    inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    return keras.tree.map_structure(array, inputs)


@pytest.fixture(scope="module")
def models():
    """Each graph in both libraries, with the same random weights."""
    made = {}
    for graph in GRAPHS:
        theirs, ours = _fresh(keras, graph), _fresh(gazelle, graph)
        rng = np.random.default_rng(1)
        weights = [rng.uniform(-0.9, 0.9, v.shape).astype("float32") for v in theirs.weights]
        weights = [
            abs(w) if v.name == "moving_variance" else w
            for v, w in zip(theirs.weights, weights, strict=True)
        ]
        theirs.set_weights(weights)
        ours.set_weights(weights)
        made[graph] = (ours, theirs)
    return made


def _outputs(pairs):
    """The outputs of `pairs` (key -> model, data) by the same keys, from one compiled program."""

    def state(model):
        trainable = [v.value for v in model.trainable_variables]
        return trainable, [v.value for v in model.non_trainable_variables]

    def compute(given):
        return {
            key: pairs[key][0].stateless_call(*values, x, training=False)[0]
            for key, (values, x) in given.items()
        }

    given = {key: (state(model), x) for key, (model, x) in pairs.items()}
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.tree.map(np.asarray, jax.jit(compute).lower(given).compile(options)(given))


@pytest.fixture(scope="module")
def outputs(models, tmp_path_factory):
    """Outputs of all models, of clones, and of copies from each other's JSON and weights files."""
    folder = tmp_path_factory.mktemp("weights")
    pairs = {}
    for graph, (ours, theirs) in models.items():
        x = _data(theirs)
        name = graph.__name__
        ours.save_weights(folder / "ours.weights.h5")
        theirs.save_weights(folder / "theirs.weights.h5")
        read = gazelle.models.model_from_json(theirs.to_json())
        read.load_weights(folder / "theirs.weights.h5")
        given = keras.models.model_from_json(ours.to_json())
        given.load_weights(folder / "ours.weights.h5")
        copy = gazelle.models.model_from_json(ours.to_json())
        copy.set_weights(ours.get_weights())
        clone = gazelle.models.clone_model(ours)
        clone.set_weights(ours.get_weights())
        made = {
            "theirs": theirs,
            "ours": ours,
            "read": read,
            "given": given,
            "copy": copy,
            "clone": clone,
        }
        pairs |= {f"{name} {kind}": (model, x) for kind, model in made.items()}
    return _outputs(pairs)


def _paths_and_shapes(variables):
    return [(v.path, tuple(v.shape)) for v in variables]


@each_graph
def test_the_layers_and_their_order_are_those_of_keras(models, graph):
    ours, theirs = models[graph]
    named = [
        [
            (type(layer).__name__, layer.name)
            for layer in model.layers
            if not layer.name.startswith("keras_tensor")
        ]
        for model in (ours, theirs)
    ]
    assert named[0] == named[1]
    assert len(ours.layers) == len(theirs.layers)


@each_graph
def test_the_weights_and_their_order_paths_and_shapes_are_those_of_keras(models, graph):
    ours, theirs = models[graph]
    assert _paths_and_shapes(ours.weights) == _paths_and_shapes(theirs.weights)
    assert _paths_and_shapes(ours.trainable_variables) == _paths_and_shapes(
        theirs.trainable_variables
    )
    assert _paths_and_shapes(ours.non_trainable_weights) == _paths_and_shapes(
        theirs.non_trainable_weights
    )
    assert len(ours.variables) == len(theirs.variables)


@each_graph
def test_shapes_and_names_of_inputs_and_outputs_are_those_of_keras(models, graph):
    ours, theirs = models[graph]
    if graph.__name__ == "dict_ports":  # Keras gives lists here
        assert ours.input_shape == {"z": (None, 3), "a": (None, 2)}
        assert ours.output_shape == {"two": (None, 2), "one": (None, 1)}
    else:
        assert ours.input_shape == theirs.input_shape
        assert ours.output_shape == theirs.output_shape
    assert [t.shape for t in ours.inputs] == [tuple(t.shape) for t in theirs.inputs]
    assert [t.shape for t in ours.outputs] == [tuple(t.shape) for t in theirs.outputs]
    if not isinstance(theirs, keras.Sequential):
        assert ours.output_names == theirs.output_names
        assert ours.input_names == [t.name for t in ours.inputs]
        for own, name in zip(ours.input_names, (t.name for t in theirs.inputs), strict=True):
            # Keras calls an Input without a name "keras_tensor".
            assert own == name or name.startswith("keras_tensor")


@each_graph
def test_the_outputs_are_those_of_keras(outputs, graph):
    """Also after config and weights were read by Gazelle or by Keras (given), and in clones."""
    expected = outputs[f"{graph.__name__} theirs"]
    for kind in ("ours", "read", "given", "copy", "clone"):
        got = outputs[f"{graph.__name__} {kind}"]
        assert jax.tree.structure(expected) == jax.tree.structure(got)
        for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(got), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6, err_msg=kind)


@each_graph
def test_a_config_survives_a_round_trip_through_json(models, graph):
    ours = models[graph][0]
    copy = gazelle.models.model_from_json(ours.to_json())
    assert copy.to_json() == ours.to_json()
    assert type(copy) is type(ours)
    assert [(v.name, v.shape) for v in copy.weights] == [(v.name, v.shape) for v in ours.weights]


@each_graph
def test_the_summary_lists_what_keras_lists(models, graph, monkeypatch):
    monkeypatch.setenv("COLUMNS", "210")
    ours, theirs = models[graph]
    texts = []
    for model in (ours, theirs):
        lines = []
        model.summary(
            line_length=190, print_fn=lines.append, expand_nested=True, show_trainable=True
        )
        texts.append("\n".join(lines))
    ours, theirs = (
        [line.split() for line in text.splitlines() if line[0] not in "┏┡└" and "─" not in line]
        for text in texts
    )
    # Operators and new inputs have other names in Gazelle, and an input that is also an output
    # shows connections: only the totals are compared.
    if graph.__name__ in ("operators", "inner_start", "through"):
        ours, theirs = ours[-3:], theirs[-3:]
    assert ours == theirs
