"""Functional and nested models: structures, shared layers, operators, and how data comes in."""

import keras
import numpy as np
import pytest

import gazelle
from gazelle.errors import ShapeError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]


def draw(shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


X = draw((5, 4))


def test_several_inputs_and_outputs(check):
    def make(K, L):
        a, b = K.Input((4,), name="a"), K.Input((2,), name="b")
        h = L.Concatenate()([L.Dense(3, activation="relu")(a), b])
        return K.Model([a, b], [L.Dense(2)(h), L.Dense(1, activation="sigmoid")(h)])

    check(make, X, draw((5, 2)))


def test_shared_layers_and_layers_in_another_order_than_they_were_made(check):
    def make(K, L):
        x = K.Input((4,))
        last, shared, first = L.Dense(2), L.Dense(4, activation="tanh"), L.Dense(4)
        return K.Model(x, last(L.Add()([shared(first(shared(x))), first(x)])))

    check(make, X)


def test_nested_models_that_are_called_twice(check):
    def make(K, L):
        x = K.Input((4,))
        a, b = K.Input((4,)), K.Input((4,))
        two = K.Model([a, b], [L.Dense(4)(a), L.Dense(4, activation="relu")(L.Add()([a, b]))])
        chain = K.Sequential(
            [K.Input((4,)), L.Dense(4), L.BatchNormalization(), K.Sequential([L.Dense(4)])]
        )
        y, z = two([chain(x), L.Dense(4)(x)])
        y, z = two([z, chain(y)])
        return K.Model(x, L.Dense(2)(L.Multiply()([y, z])))

    check(make, X)


@pytest.mark.parametrize("outputs", [[0], [1], [0, 1], [1, 0], [2], [1, 2]])
def test_calls_of_a_nested_model_that_are_outputs(outputs, check):
    def make(K, L):
        a, x = K.Input((4,)), K.Input((4,))
        inner = K.Model(a, L.Dense(4)(a))
        calls = [inner(x)]
        for _ in range(max(outputs)):
            calls.append(inner(calls[-1]))
        return K.Model(x, [calls[index] for index in outputs])

    check(make, X)


def test_the_calls_of_a_nested_model_are_told_apart(check):
    def make(K, L):
        a, x = K.Input((4,)), K.Input((4,))
        inner = K.Model(a, L.Dense(4)(a))
        first = inner(x)
        second = inner(first)
        return K.Model(x, [second, L.Add()([first, inner(second)])])

    check(make, X)


def test_a_sequential_of_models(check):
    def make(K, L):
        a = K.Input((4,))
        inner = K.Model(a, L.Dense(3, activation="tanh")(a))
        return K.Sequential([inner, L.Dropout(0.5), K.Sequential([L.Dense(2), L.Dense(3)])])

    check(make, X)


OPERATORS = {
    "arithmetic": lambda x, y: (2 * x + y - 1.5) / (y * y + 1) - y / 3 + 2 / (abs(x) + 1),
    "power": lambda x, y: abs(x) ** 0.5 + 2 ** (-y),
    "items": lambda x, y: x[:, 1:3] + y[:, :1] * x[..., -2:],
    "one item": lambda x, y: x[:, 0, None] - y[:, ::2],
    "matrices": lambda x, y: x[:, None, :] @ y[:, :, None],
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_between_tensors(name, check):
    def make(K, L):
        x = K.Input((4,))
        return K.Model(x, OPERATORS[name](x, L.Dense(4)(x)))

    check(make, X)


def test_a_softmax_with_a_mask(check):
    def make(K, L):
        x, mask = K.Input((4,)), K.Input((4,), dtype="bool")
        return K.Model([x, mask], L.Softmax()(x, mask=mask))

    check(make, X, np.array([[True, False, True, True]] * 4 + [[False] * 4]))


def dict_model():
    a, b = gazelle.Input((4,), name="a"), gazelle.Input((2,), name="b")
    h = gazelle.layers.Concatenate()([b, a])
    outputs = {"z": gazelle.layers.Dense(2)(h), "y": gazelle.layers.Dense(1)(h)}
    return gazelle.Model({"b": b, "a": a}, outputs)


def test_dicts_of_inputs_and_outputs(load_gazelle):
    model, data = dict_model(), {"a": X, "b": draw((5, 2))}
    found, expected = load_gazelle(model)(data), model.predict(data, verbose=0)
    assert found.keys() == expected.keys() == {"y", "z"}
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], atol=1e-6)


def test_inputs_in_a_list_can_be_given_by_name(load_gazelle):
    a, b = gazelle.Input((4,), name="a"), gazelle.Input((4,), name="b")
    predictor = load_gazelle(gazelle.Model([a, b], gazelle.layers.Subtract()([a, b])))
    np.testing.assert_array_equal(predictor({"b": X, "a": 2 * X}), X)
    assert predictor.input_shapes == {"a": (None, 4), "b": (None, 4)}


def test_an_input_may_be_a_list_of_one_array_or_of_rows(load_gazelle):
    predictor = load_gazelle(gazelle.Sequential([gazelle.Input((4,)), gazelle.layers.Dense(2)]))
    for data in ([X], X.tolist(), list(X), X.astype(np.float64)):
        np.testing.assert_array_equal(predictor(data), predictor(X))


def test_a_last_axis_of_size_1_may_be_missing(load_gazelle):
    predictor = load_gazelle(gazelle.Sequential([gazelle.Input((1,)), gazelle.layers.Dense(2)]))
    np.testing.assert_array_equal(predictor(X[:, 0]), predictor(X[:, :1]))


def test_integers_reach_the_layers_as_they_do_in_the_model(check):
    def make(K, L):
        x = K.Input((4,), dtype="uint8")
        h = L.Dense(3)(L.Rescaling(1 / 255)(L.Flatten()(x)))
        return K.Model(x, [h, L.Add()([x, x]), x[:, :2] / 2, L.Dense(2)(x)])

    check(make, np.arange(20).reshape(5, 4).astype(np.uint8))


def test_axes_of_any_size(check):
    def make(K, L):
        x = K.Input((None, 4))
        h = L.Dense(3, activation="relu")(x)
        return K.Model(x, [h, L.Softmax(axis=1)(h), L.Reshape((-1,))(h)])

    check(make, draw((5, 7, 4)))


def test_a_reshape_that_fits_only_some_sizes(check):
    def make(K, L):
        x = K.Input((None,))
        return K.Model(x, L.Dense(2)(L.Reshape((2, 4))(x)))

    check(make, draw((5, 8)))


def test_sizes_that_the_layers_cannot_compute_are_refused(load_gazelle):
    a, b = gazelle.Input((None,), name="a"), gazelle.Input((4,), name="b")
    layers = gazelle.layers
    predictor = load_gazelle(gazelle.Model([a, b], layers.Add()([a, b])))
    np.testing.assert_array_equal(predictor([X, X]), X + X)
    with pytest.raises(ShapeError, match="does not match the layers"):
        predictor([X[:, :3], X])
    predictor = load_gazelle(gazelle.Model(a, layers.Reshape((2, 2))(a)))
    with pytest.raises(ShapeError, match="cannot reshape"):
        predictor(X[:, :3])


def test_no_rows_give_no_rows(load_gazelle):
    predictor = load_gazelle(gazelle.Sequential([gazelle.Input((4,)), gazelle.layers.Dense(2)]))
    assert predictor(np.zeros((0, 4))).shape == (0, 2)


@pytest.mark.parametrize("kind", ["chain", "graph", "rows together", "rows in another order"])
def test_many_rows_are_predicted_as_few_are(kind, load_keras):
    x = keras.Input((4,))
    h = keras.layers.Dense(300, activation="relu")(x)
    y = keras.layers.Dense(2)(h)
    outputs = {
        "chain": y,
        "graph": [y, keras.layers.Add()([y, y])],
        "rows together": keras.layers.Softmax(axis=0)(y),
        "rows in another order": y[::-1, :],
    }
    model = keras.Model(x, outputs[kind])
    data = draw((5000, 4))
    found, expected = load_keras(model)(data), model.predict(data, batch_size=5000, verbose=0)
    np.testing.assert_allclose(np.stack(found), np.stack(expected), atol=1e-6)


def test_data_and_weights_stay_as_they_are_and_outputs_are_new(load_gazelle):
    x = gazelle.Input((4,))
    flat = gazelle.layers.Flatten()(x)
    y = gazelle.layers.Dense(2)(flat)
    model = gazelle.Model(x, [x, flat, flat[:, 1:], y, gazelle.layers.Reshape((2, 1))(y)])
    predictor = load_gazelle(model)
    data = X.copy()
    first = predictor(data)
    kept = [array.copy() for array in first]
    for index, array in enumerate(first):
        assert not np.shares_memory(array, data)
        assert not any(np.shares_memory(array, other) for other in first[:index])
        array[:] = 7
    np.testing.assert_array_equal(data, X)
    for again, before in zip(predictor(data), kept, strict=True):
        np.testing.assert_array_equal(again, before)


def test_half_precision_weights_are_read_and_computed_in_float32(tmp_path):
    policy = "mixed_bfloat16", "bfloat16", "float16"
    for index, name in enumerate(policy):
        model = gazelle.Sequential(
            [gazelle.Input((4,)), gazelle.layers.Dense(8, "tanh", dtype=name)]
        )
        path = tmp_path / f"{index}.weights.h5"
        model.save_weights(path)
        found = gazelle.runtime.load(path, config=model.to_json())(X)
        kernel, bias = (np.asarray(w, np.float32) for w in model.get_weights())
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, np.tanh(X @ kernel + bias), atol=1e-6)


def test_lora_weights(load_gazelle, load_keras):
    for library, load in ((keras, load_keras), (gazelle, load_gazelle)):
        model = library.Sequential([library.Input((4,)), library.layers.Dense(3)])
        model.layers[0].enable_lora(2, b_initializer="ones", lora_alpha=3)
        np.testing.assert_allclose(load(model)(X), model.predict(X, verbose=0), atol=1e-6)


def test_the_state_of_an_optimizer_is_ignored(load_keras, load_gazelle):
    for library, load in ((keras, load_keras), (gazelle, load_gazelle)):
        layers = library.layers
        model = library.Sequential(
            [library.Input((4,)), layers.Dense(3), layers.Dropout(0.5), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        model.fit(X, X[:, :1], verbose=0)
        np.testing.assert_allclose(load(model)(X), model.predict(X, verbose=0), atol=1e-6)
