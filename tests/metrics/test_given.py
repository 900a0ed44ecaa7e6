"""What functions and metrics of the user's own are given, and the dtypes of state and result."""

import inspect

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import gazelle
from gazelle import metrics

random = np.random.default_rng(0)
X = random.normal(size=(12, 4)).astype("float32")


def fitted(library, y, units, loss, metric):
    """The value of a function metric after a fit with a rate of 0."""
    library.utils.set_random_seed(1)
    model = library.Sequential([library.Input((4,)), library.layers.Dense(units)])
    model.compile(library.optimizers.SGD(0.0), loss, metrics=[metric])
    model.build((None, 4))
    model.set_weights([np.arange(4 * units, dtype="float32").reshape(4, units) / 4, np.ones(units)])
    return model.fit(X, y, 12, verbose=0).history["metric"][0], model


def shapes_seen(library, y, units, loss):
    seen = set()

    def metric(y_true, y_pred):
        seen.add((y_true.shape[1:], y_pred.shape[1:]))
        return jnp.zeros(y_pred.shape[0])

    fitted(library, y, units, loss, metric)
    return seen


@pytest.mark.parametrize(
    ("shape", "units", "loss"),
    [
        ((12,), 1, "mse"),
        ((12, 1), 1, "mse"),
        ((12, 2), 2, "mse"),
        ((12,), 3, "sparse_categorical_crossentropy"),
        ((12, 1), 3, "sparse_categorical_crossentropy"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of logits
def test_a_function_gets_the_shapes_that_keras_gives(shape, units, loss):
    y = np.ones(shape, "float32")
    assert shapes_seen(gazelle, y, units, loss) == shapes_seen(keras, y, units, loss)


def test_a_function_written_for_keras_is_right():
    def metric(y_true, y_pred):  # right for targets (n,) alone
        return jnp.mean(jnp.abs(y_true - y_pred[:, 0]))

    y = random.normal(size=12).astype("float32")
    ours, theirs = (fitted(library, y, 1, "mse", metric)[0] for library in (gazelle, keras))
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("mean", [lambda values: values, jnp.mean])
def test_a_function_does_not_pair_every_target_with_every_prediction(mean):
    def metric(y_true, y_pred):
        return mean(jnp.abs(y_true - y_pred))

    y = random.normal(size=12).astype("float32")
    value, model = fitted(gazelle, y, 1, "mse", metric)
    assert value == pytest.approx(np.abs(y - model.predict(X)[:, 0]).mean(), rel=1e-5)


def test_a_function_of_numpy_in_an_eager_step_does_not_either():
    def metric(y_true, y_pred):
        return np.mean(np.abs(np.asarray(y_true) - np.asarray(y_pred)))

    y = random.normal(size=12).astype("float32")
    model = gazelle.Sequential([gazelle.Input((4,)), gazelle.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[metric], run_eagerly=True)
    results = model.evaluate(X, y, verbose=0, return_dict=True)
    expected = np.abs(y - model.predict(X)[:, 0]).mean()
    assert results["metric"] == pytest.approx(expected, rel=1e-5)


def test_a_function_may_pair_them_on_purpose():
    def metric(y_true, y_pred):
        y_true, y_pred = jnp.reshape(y_true, -1), jnp.reshape(y_pred, -1)
        agree = (y_true[:, None] > y_true) == (y_pred[:, None] > y_pred)
        return jnp.mean(jnp.asarray(agree, "float32"))

    y = random.normal(size=12).astype("float32")
    ours, theirs = (fitted(library, y, 1, "mse", metric)[0] for library in (gazelle, keras))
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("shape", [(12,), (12, 1)])
def test_an_own_metric_gets_the_shapes_that_keras_gives(shape):
    def seen_by(library):
        seen = set()

        class Own(library.metrics.Metric):
            def __init__(self):
                super().__init__(name="own")
                self.total = self.add_variable((), "zeros", name="total")

            def update_state(self, y_true, y_pred, sample_weight=None):
                weight = None if sample_weight is None else sample_weight.shape[1:]
                seen.add((y_true.shape[1:], y_pred.shape[1:], weight))

            def result(self):
                return self.total + 0

        model = library.Sequential([library.Input((4,)), library.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=[Own()], weighted_metrics=[Own()])
        model.fit(X, np.ones(shape), sample_weight=np.ones(12), verbose=0)
        return seen

    assert seen_by(gazelle) == seen_by(keras)


ARGUMENTS = {
    "PrecisionAtRecall": (0.5,),
    "RecallAtPrecision": (0.5,),
    "SensitivityAtSpecificity": (0.5,),
    "SpecificityAtSensitivity": (0.5,),
}
NAMES = [
    name
    for name, kind in vars(metrics).items()
    if inspect.isclass(kind) and hasattr(keras.metrics, name)
    if name not in ("Metric", "MeanMetricWrapper")
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "mixed_bfloat16"])
def test_state_and_result_have_keras_dtypes(name, dtype):
    y = random.integers(0, 2, (8, 3)).astype("float32")
    p = random.random((8, 3)).astype("float32")
    if name in ("Mean", "Sum"):
        data = (p[:, 0],)
    else:
        data = (y.argmax(1), p) if "Sparse" in name else (y, p)

    def dtypes(library):
        metric = getattr(library.metrics, name)(*ARGUMENTS.get(name, ()), dtype=dtype)
        metric.update_state(*data)
        state = {str(np.asarray(variable.value).dtype) for variable in metric.variables}
        return metric.dtype, state, str(np.asarray(metric.result()).dtype)

    assert dtypes(gazelle) == dtypes(keras)


def test_a_count_goes_on_above_the_largest_whole_number_of_its_dtype():
    metric = metrics.TruePositives(dtype="float16")
    for _ in range(3):
        metric.update_state(np.ones(2000), np.ones(2000))
    assert metric.result() == 6000
