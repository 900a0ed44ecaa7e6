"""keras.backend against NumPy."""

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::gazelle.compat.OldFormWarning")
A = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


@pytest.fixture
def k(installed):
    import keras.backend

    return keras.backend


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", A.mean()), ("sum", A.sum()), ("max", A.max()), ("min", A.min()),
        ("std", A.std()), ("var", A.var()), ("prod", A.prod()), ("abs", abs(A)),
        ("square", A**2), ("exp", np.exp(A)), ("sign", np.sign(A)), ("round", np.round(A)),
        ("argmax", A.argmax(axis=-1)), ("argmin", A.argmin(axis=-1)), ("transpose", A.T),
        ("tanh", np.tanh(A)), ("sigmoid", 1 / (1 + np.exp(-A))), ("flatten", A.ravel()),
        ("relu", np.maximum(A, 0)), ("batch_flatten", A), ("zeros_like", np.zeros_like(A)),
        ("identity", A), ("softplus", np.log1p(np.exp(A))), ("cumsum", A.cumsum(axis=0)),
    ],
)  # fmt: skip
def test_functions_of_one_tensor(k, name, expected):
    for value in (A, k.variable(A), k.constant(A)):
        np.testing.assert_allclose(k.eval(getattr(k, name)(value)), expected, rtol=2e-5, atol=1e-6)


def test_functions_with_arguments(k):
    np.testing.assert_allclose(k.eval(k.dot(k.variable(A), k.variable(A.T))), A @ A.T, rtol=1e-5)
    np.testing.assert_allclose(
        k.eval(k.sum(A, axis=1, keepdims=True)), A.sum(1, keepdims=True), rtol=1e-5
    )
    np.testing.assert_array_equal(k.eval(k.clip(A, -0.5, 0.5)), A.clip(-0.5, 0.5))
    np.testing.assert_allclose(k.eval(k.pow(A, 2)), A**2, rtol=1e-6)
    np.testing.assert_array_equal(k.eval(k.repeat_elements(A, 2, axis=1)), A.repeat(2, axis=1))
    np.testing.assert_array_equal(k.eval(k.reverse(A, 0)), A[::-1])
    np.testing.assert_array_equal(k.eval(k.gather(A, [2, 0])), A[[2, 0]])
    np.testing.assert_array_equal(k.eval(k.permute_dimensions(A, (1, 0))), A.T)
    np.testing.assert_array_equal(k.eval(k.repeat(A, 3)), np.repeat(A[:, None], 3, axis=1))
    np.testing.assert_array_equal(k.eval(k.slice(A, (1, 0), (-1, 2))), A[1:, :2])
    np.testing.assert_array_equal(k.eval(k.switch(A > 0, A, -A)), abs(A))
    np.testing.assert_array_equal(k.eval(k.relu(A, alpha=0.5)), np.where(A > 0, A, A * 0.5))
    norm = A / np.sqrt((A**2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(k.eval(k.l2_normalize(A, axis=1)), norm, rtol=1e-5)
    np.testing.assert_allclose(k.eval(k.map_fn(lambda row: row * 2, A)), A * 2)
    assert k.eval(k.foldl(lambda total, row: total + row, A)).shape == (4,)


@pytest.mark.parametrize(
    ("axes", "of_x", "of_y", "subscripts"),
    [
        (1, (5, 4), (5, 4), "bi,bi->b"), ((2, 1), (5, 3, 4), (5, 4, 2), "bij,bjk->bik"),
        (None, (5, 3, 4), (5, 4, 2), "bij,bjk->bik"), ((1, 1), (5, 3, 4), (5, 3), "bij,bi->bj"),
    ],
)  # fmt: skip
def test_batch_dot(k, axes, of_x, of_y, subscripts):
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=of_x), draw.normal(size=of_y)
    expected = np.einsum(subscripts, x, y)
    expected = expected[:, None] if expected.ndim == 1 else expected
    np.testing.assert_allclose(k.eval(k.batch_dot(x, y, axes=axes)), expected, rtol=1e-5, atol=1e-5)


def test_variables(k):
    variable = k.variable(A)
    k.update_add(variable, 1.0)
    np.testing.assert_allclose(k.get_value(variable), A + 1)
    k.set_value(variable, A)
    np.testing.assert_array_equal(k.batch_get_value([variable])[0], A)
    k.moving_average_update(variable, np.zeros_like(A), 0.75)
    np.testing.assert_allclose(k.get_value(variable), A * 0.75)
    assert k.int_shape(variable) == (3, 4)
    assert k.ndim(variable) == 2
    assert k.dtype(variable) == "float32"
    assert k.count_params(variable) == 12


def test_functions_of_the_graph(k):
    from keras.layers import Dense, Dropout, Input

    x = Input((4,))
    layer = Dense(2)
    y = layer(x)
    first = k.function([x, k.learning_phase()], [y])
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(first([A, 0])[0], A @ kernel + bias, rtol=1e-5, atol=1e-6)
    dropped = k.function([x, k.learning_phase()], [Dropout(0.5)(x)])
    np.testing.assert_array_equal(dropped([A, 0])[0], A)
    assert (dropped([A, 1])[0] == 0).any()


def test_gradients(k):
    from keras.layers import Dense, Input

    x = Input((4,))
    layer = Dense(1)
    hidden = Dense(3, activation="tanh")(x)
    y = layer(hidden)
    by_input, by_kernel, by_hidden = k.function(
        [x], k.gradients(k.sum(y), [x, layer.kernel, hidden])
    )([A])
    values = k.function([x], [hidden])([A])[0]
    np.testing.assert_allclose(by_kernel[:, 0], values.sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(by_hidden, np.tile(layer.get_weights()[0].T, (3, 1)), rtol=1e-5)
    step = 1e-2
    shifted = [A.copy(), A.copy()]
    shifted[0][:, 1] += step
    shifted[1][:, 1] -= step
    up, down = (k.function([x], [y])([part])[0][:, 0] for part in shifted)
    np.testing.assert_allclose(by_input[:, 1], (up - down) / (2 * step), rtol=2e-2, atol=1e-3)


def test_lambda_layers(k):
    from keras.layers import Input, Lambda
    from keras.models import Model

    x = Input((4,))
    model = Model(x, Lambda(lambda t: k.sqrt(k.abs(t)) + k.epsilon(), output_shape=(4,))(x))
    np.testing.assert_allclose(model.predict(A), np.sqrt(abs(A)) + 1e-7, rtol=1e-5)


def test_random_numbers_have_their_moments(k):
    normal = k.eval(k.random_normal((2000,), mean=3.0, std=2.0))
    assert abs(normal.mean() - 3) < 0.3
    assert abs(normal.std() - 2) < 0.3
    uniform = k.eval(k.random_uniform((2000,), minval=-1, maxval=1))
    assert -1 <= uniform.min() < uniform.max() < 1
    assert set(np.unique(k.eval(k.random_binomial((100,), p=0.5)))) == {0.0, 1.0}


def test_the_learning_phase_is_told_of(k):
    with pytest.warns(Warning, match="training=True"):
        k.set_learning_phase(1)
    assert k.learning_phase() == 1
    k.set_learning_phase(0)


def test_sessions(k):
    session = k.get_session()
    np.testing.assert_array_equal(session.run(k.variable(A)), A)
    k.set_session(session)


def test_the_backend(k, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert k.backend() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert k.backend() == "jax"


def test_numbers_of_arrays_of_one_element(k):
    product = k.dot(k.constant([[1.0, 2.0]]), k.constant([[3.0], [4.0]]))
    assert float(product) == 11.0
    assert int(product) == 11
    with pytest.raises(ValueError, match="size 1"):
        float(k.constant([1.0, 2.0]))
