"""FeatureSpace: what it gives for rows, in models and in files, of Gazelle and of Keras."""

import keras
import numpy as np
import pandas
import pytest

import gazelle
from gazelle import layers
from gazelle.utils import FeatureSpace

TABLE = {
    "size": [1.0, 2.0, 3.0, 6.0],
    "color": ["red", "blue", "red", "green"],
    "floor": [3, 1, 3, 2],
    "zip": [10115, 80331, 10115, 20095],
}


def space(output_mode="concat"):
    found = FeatureSpace(
        {
            "size": "float_normalized",
            "color": "string_categorical",
            "floor": "integer_categorical",
            "zip": FeatureSpace.integer_hashed(num_bins=4),
        },
        crosses=[FeatureSpace.cross(("color", "floor"), crossing_dim=8)],
        output_mode=output_mode,
    )
    found.adapt(TABLE)
    return found


def test_each_kind_is_encoded_by_its_layer():
    encoded = space("dict")(TABLE)
    assert list(encoded) == ["color", "floor", "size", "zip", "color_X_floor"]
    # The vocabularies are by counts, then backwards: unknown, red, green, blue; unknown, 3, 2, 1.
    assert np.argmax(encoded["color"], axis=1).tolist() == [1, 3, 1, 2]
    assert np.argmax(encoded["floor"], axis=1).tolist() == [1, 3, 1, 2]
    sizes = np.array(TABLE["size"])
    expected = (sizes - sizes.mean()) / sizes.std()
    assert np.asarray(encoded["size"])[:, 0] == pytest.approx(expected, abs=1e-6)
    bins = layers.Hashing(4)(TABLE["zip"])
    assert np.argmax(encoded["zip"], axis=1).tolist() == bins.tolist()
    crossed = layers.HashedCrossing(8)(([1, 3, 1, 2], [1, 3, 1, 2]))
    assert np.argmax(encoded["color_X_floor"], axis=1).tolist() == crossed.tolist()


def test_one_vector_has_them_in_this_order():
    parts = space("dict")(TABLE)
    whole = space()(TABLE)
    assert np.asarray(whole) == pytest.approx(np.concatenate(list(parts.values()), axis=1))


@pytest.mark.parametrize("form", ["frame", "arrays", "columns of one", "jax"])
def test_forms_of_tables(form):
    columns = {
        "frame": lambda: pandas.DataFrame(TABLE),
        "arrays": lambda: {name: np.array(column) for name, column in TABLE.items()},
        "columns of one": lambda: {name: np.array(c)[:, None] for name, c in TABLE.items()},
        "jax": lambda: {
            name: c if name == "color" else gazelle.ops.array(c) for name, c in TABLE.items()
        },
    }[form]()
    expected = space()(TABLE)
    found = space()
    found.adapt(columns)
    assert np.asarray(found(columns)).tolist() == np.asarray(expected).tolist()


def test_single_values_are_one_row_without_batch_axis():
    encode = space()
    row = {name: column[1] for name, column in TABLE.items()}
    assert encode(row).tolist() == encode(TABLE)[1].tolist()


@pytest.mark.parametrize("form", ["batches", "rows", "batches with targets", "generator"])
def test_adapt_on_streams(form):
    rows = [{name: column[i] for name, column in TABLE.items()} for i in range(4)]
    halves = [{name: column[i : i + 2] for name, column in TABLE.items()} for i in (0, 2)]
    data = {
        "batches": halves,
        "rows": rows,
        "batches with targets": [(half, np.zeros(2)) for half in halves],
        "generator": iter(halves),
    }[form]
    found = space()
    found.adapt(data)
    expected = np.asarray(space()(TABLE))
    assert np.asarray(found(TABLE)) == pytest.approx(expected, abs=1e-6)


def test_boundaries_are_those_of_batches_of_32_as_in_keras():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    found = FeatureSpace({"x": FeatureSpace.float_discretized(num_bins=5)})
    found.adapt({"x": values})
    layer = layers.Discretization(num_bins=5)
    layer.adapt(values[i : i + 32] for i in range(0, 1000, 32))
    assert found.preprocessors["x"].bin_boundaries == layer.bin_boundaries


def test_it_is_the_start_of_a_model(tmp_path):
    encode = space()
    outputs = layers.Dense(1)(encode.get_encoded_features())
    model = gazelle.Model(encode.get_inputs(), outputs)
    model.compile("sgd", "mse")
    columns = {name: np.array(column) for name, column in TABLE.items()}
    model.fit(columns, np.arange(4.0), epochs=2, verbose=0)
    found = model.predict(columns, verbose=0)
    kernel, bias = model.layers[-1].get_weights()
    assert found == pytest.approx(np.asarray(encode(TABLE)) @ kernel + bias, abs=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = gazelle.models.load_model(tmp_path / "model.keras")
    assert loaded.predict(columns, verbose=0).tolist() == found.tolist()


def test_symbolic_inputs_of_ones_own():
    encode = space()
    inputs = {name: layers.Input((1,), dtype=t.dtype) for name, t in encode.get_inputs().items()}
    model = gazelle.Model(inputs, encode(inputs))
    columns = {name: np.array(column) for name, column in TABLE.items()}
    assert model.predict(columns, verbose=0).tolist() == np.asarray(encode(TABLE)).tolist()


@pytest.mark.parametrize("mode", ["concat", "dict"])
def test_files_keep_what_was_learned(tmp_path, mode):
    encode = space(mode)
    encode.save(tmp_path / "space.keras")
    loaded = gazelle.models.load_model(tmp_path / "space.keras")
    again, expected = loaded(TABLE), encode(TABLE)
    loaded.save(tmp_path / "again.keras")
    thrice = gazelle.models.load_model(tmp_path / "again.keras")(TABLE)
    for found in (again, thrice):
        if mode == "dict":
            assert {k: v.tolist() for k, v in found.items()} == {
                k: v.tolist() for k, v in expected.items()
            }
        else:
            assert found.tolist() == expected.tolist()


def test_a_config_has_the_arguments_and_nothing_that_was_learned():
    encode = space()
    copy = FeatureSpace.from_config(encode.get_config())
    assert without_shapes(copy.get_config()) == without_shapes(encode.get_config())
    with pytest.raises(gazelle.errors.StateError, match="adapt"):
        copy(TABLE)


def without_shapes(config):
    """A config without the shapes that layers were built for."""
    if isinstance(config, list):
        return [without_shapes(one) for one in config]
    if not isinstance(config, dict):
        return config
    return {key: without_shapes(one) for key, one in config.items() if key != "build_config"}


def numbers(keras_or_gazelle, *bins):
    """A FeatureSpace that Keras can use without TensorFlow."""
    kinds = keras_or_gazelle.utils.FeatureSpace
    features = {
        "a": "float",
        "b": "float_normalized",
        "c": kinds.float_rescaled(scale=2.0, offset=1.0),
    }
    features |= {name: kinds.float_discretized(num_bins=3) for name in bins}
    return kinds(features)


NUMBERS = {name: [1.0, 2.0, 3.0, 6.0] for name in "abcd"}


@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
def test_keras_reads_the_file(tmp_path):
    ours = numbers(gazelle, "d")
    ours.adapt(NUMBERS)
    ours.save(tmp_path / "space.keras")
    theirs = keras.models.load_model(tmp_path / "space.keras")
    inputs, outputs = theirs.get_inputs(), theirs.get_encoded_features()
    model = keras.Model(inputs, outputs)
    found = model.predict({k: np.array(v)[:, None] for k, v in NUMBERS.items()}, verbose=0)
    assert found == pytest.approx(np.asarray(ours(NUMBERS)), abs=1e-6)


@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
def test_it_reads_the_file_of_keras(tmp_path):
    theirs = numbers(keras)
    theirs.preprocessors["b"].adapt(np.array(NUMBERS["b"])[:, None])
    theirs.build_from_config({})  # its own adapt needs TensorFlow
    inputs, outputs = theirs.get_inputs(), theirs.get_encoded_features()
    theirs.built = True
    theirs.save(tmp_path / "space.keras")
    ours = gazelle.models.load_model(tmp_path / "space.keras")
    model = keras.Model(inputs, outputs)
    found = model.predict({k: np.array(v)[:, None] for k, v in NUMBERS.items()}, verbose=0)
    assert np.asarray(ours(NUMBERS)) == pytest.approx(found, abs=1e-6)


def test_a_layer_of_ones_own_and_layers_that_know_everything():
    words = layers.TextVectorization(vocabulary=["big", "house"], output_sequence_length=3)
    counts = layers.TextVectorization(output_mode="count")
    encode = FeatureSpace(
        {
            "title": FeatureSpace.feature("string", words, "int"),
            "text": FeatureSpace.feature("string", counts, "float"),
            "bins": FeatureSpace.float_discretized(None, bin_boundaries=[0.0]),
            "known": FeatureSpace.feature(
                "string", layers.StringLookup(vocabulary=["a"]), "one_hot"
            ),
        },
        output_mode="dict",
    )
    rows = {
        "title": ["big big house", "house"],
        "text": ["a b", "b"],
        "bins": [-1.0, 1.0],
        "known": ["a", "b"],
    }
    with pytest.raises(gazelle.errors.StateError):
        encode(rows)
    encode.adapt({"text": rows["text"]})  # nothing else is learned
    found = {name: np.asarray(value).tolist() for name, value in encode(rows).items()}
    assert found["title"] == [[2, 2, 3], [3, 0, 0]]
    assert found["text"] == [[0, 1, 1], [0, 1, 0]]
    assert found["bins"] == [[1, 0], [0, 1]]
    assert found["known"] == [[0, 1], [1, 0]]


def test_without_anything_to_learn_adapt_is_not_needed():
    encode = FeatureSpace({"a": "float", "b": FeatureSpace.string_hashed(3)})
    assert encode({"a": [1], "b": ["x"]}).shape == (1, 4)


def test_another_adapt_makes_new_encodings_and_says_so():
    encode = space()
    with pytest.warns(gazelle.errors.CheckWarning, match="color"):
        encode.adapt({**TABLE, "color": ["red", "blue", "black", "green"]})
    assert encode(TABLE).shape == (4, 1 + 5 + 4 + 4 + 8)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: FeatureSpace({}), "empty"),
        (lambda: FeatureSpace({"a": "text"}), "kind of 'a'"),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), "output_mode"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]), "crosses"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[("a",)]), "two"),
        (
            lambda: FeatureSpace(
                {"a": "float", "b": "float"}, crosses=[("a", "b")], crossing_dim=None
            ),
            "crossing_dim",
        ),
        (lambda: FeatureSpace(dict.fromkeys("ab", FeatureSpace.float())), "same preprocessor"),
        (lambda: FeatureSpace.feature("string", 3, "float"), "layer"),
    ],
)
def test_wrong_arguments_are_refused(make, part):
    with pytest.raises(gazelle.errors.ArgumentError, match=part):
        make()


@pytest.mark.parametrize(
    ("features", "crosses", "part"),
    [
        ({"a": FeatureSpace.string_hashed(3, output_mode="int")}, None, "has not been encoded"),
        ({"a": FeatureSpace.feature("float32", layers.Rescaling(1), "one_hot")}, None, "whole"),
        ({"a": "float", "b": "string_hashed"}, [("a", "b")], "cannot be crossed"),
    ],
)
def test_encodings_that_do_not_fit_are_refused(features, crosses, part):
    with pytest.raises(gazelle.errors.ArgumentError, match=part):
        FeatureSpace(features, crosses=crosses).get_encoded_features()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"color": [1, 2, 3, 4]}, "feature 'color'"),
        ({"floor": ["1", "2", "3", "4"]}, "feature 'floor'"),
        ({"floor": [1.5, 2.0, 3.0, 4.0]}, "whole"),
        ({"floor": [1.0, float("nan"), 3.0, 4.0]}, "whole"),
        ({"size": [1.0]}, "length"),
        ({"size": np.zeros((4, 2))}, "more than one value"),
        ({"size": None}, "no 'size'"),
    ],
)
def test_wrong_data_is_refused(change, part):
    data = {name: column for name, column in {**TABLE, **change}.items() if column is not None}
    with pytest.raises((gazelle.errors.DataError, gazelle.errors.ShapeError), match=part):
        space()(data)
    if "size" not in change or change["size"] is None:
        with pytest.raises(gazelle.errors.DataError, match=part):
            space().adapt(data)


def test_wrong_kinds_of_data_are_refused():
    encode = space()
    with pytest.raises(gazelle.errors.ArgumentTypeError, match="dict"):
        encode([1, 2])
    with pytest.raises(gazelle.errors.ArgumentTypeError, match="dict or table"):
        encode.adapt(np.zeros((3, 2)))
    with pytest.raises(gazelle.errors.DataError, match="no rows"):
        encode.adapt({name: [] for name in TABLE})


def test_only_what_was_adapted_is_saved(tmp_path):
    with pytest.raises(gazelle.errors.StateError, match="adapt"):
        FeatureSpace({"a": "float_normalized"}).save(tmp_path / "space.keras")
    assert not list(tmp_path.iterdir())
