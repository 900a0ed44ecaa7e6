"""Gazelle's code under JAX's strict modes, which find what broadcasts by accident."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gazelle
from gazelle import activations, layers, losses, metrics, optimizers

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
ROWS, UNITS = 12, 4
X = RNG.normal(size=(ROWS, UNITS)).astype("float32")
PROBABILITIES = (np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)).astype("float32")
ONE_HOT = np.eye(UNITS, dtype="float32")[np.arange(ROWS) % UNITS]
LABELS = (np.arange(ROWS) % UNITS).astype("int32")
WEIGHTS = RNG.uniform(0.5, 1.5, ROWS).astype("float32")

LAYERS = [
    layers.Activation("tanh"),
    layers.ActivityRegularization(0.1, 0.1),
    layers.AlphaDropout(0.2),
    layers.BatchNormalization(),
    layers.Dense(3),
    layers.Dense(3, "gelu", kernel_regularizer="l2", kernel_constraint="max_norm"),
    layers.Dropout(0.2),
    layers.ELU(),
    layers.Flatten(),
    layers.GaussianDropout(0.2),
    layers.GaussianNoise(0.2),
    layers.Identity(),
    layers.LayerNormalization(),
    layers.LeakyReLU(),
    layers.PReLU(),
    layers.ReLU(),
    layers.RepeatVector(2),
    layers.Rescaling(2.0, 1.0),
    layers.Reshape((2, 2)),
    layers.Softmax(),
    layers.UnitNormalization(),
]


@pytest.fixture(autouse=True)
def strict():
    """Arrays of different ranks are not broadcast, and tracers do not leave their program."""
    with jax.numpy_rank_promotion("raise"), jax.checking_leaks():
        yield


def classes_of(room, base, *, without=()):
    found = {value for value in vars(room).values() if inspect.isclass(value)}
    found = {kind for kind in found if issubclass(kind, base) and kind is not base}
    return sorted(
        (kind for kind in found if kind.__name__ not in without), key=lambda k: k.__name__
    )


def name_of(value):
    return getattr(value, "__name__", None) or type(value).__name__


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_layer_computes_and_has_gradients(layer):
    layer = type(layer).from_config(layer.get_config())
    layer.build((None, UNITS))

    def total(x):
        return jnp.sum(layer(x, training=True))

    assert np.isfinite(jax.grad(total)(jnp.asarray(X))).all()


@pytest.mark.parametrize("name", ["Add", "Average", "Concatenate", "Maximum", "Multiply"])
def test_a_merging_layer_computes(name):
    assert getattr(layers, name)()([jnp.asarray(X), jnp.asarray(PROBABILITIES)]).shape[0] == ROWS


@pytest.mark.parametrize(
    "name", sorted(set(activations.__all__) - {"deserialize", "get", "serialize"})
)
def test_an_activation_computes(name):
    arguments = (0.1, 0.2) if name == "threshold" else ()
    assert getattr(activations, name)(jnp.asarray(X), *arguments).shape[0] == ROWS


@pytest.mark.parametrize(
    "kind", classes_of(losses, losses.Loss, without=["FunctionLoss"]), ids=name_of
)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_a_loss_computes(kind, weights):
    takes_labels = ("Circle", "CategoricalGeneralizedCrossEntropy")
    by_label = kind.__name__.startswith("Sparse") or kind.__name__ in takes_labels
    targets = LABELS if by_label else ONE_HOT
    assert np.isfinite(kind()(targets, jnp.asarray(PROBABILITIES), sample_weight=weights)).all()


def metric_arguments(kind):
    needed = {
        "MeanIoU": {"num_classes": UNITS},
        "OneHotIoU": {"num_classes": UNITS, "target_class_ids": [0]},
        "OneHotMeanIoU": {"num_classes": UNITS},
        "IoU": {"num_classes": UNITS, "target_class_ids": [0]},
        "MeanRelativeError": {"normalizer": np.full((ROWS, UNITS), 2.0, "float32")},
    }
    name = kind.__name__
    if "At" in name and name[0] in "PRS":
        return {next(iter(inspect.signature(kind).parameters)): 0.5}
    return needed.get(name, {})


METRICS = classes_of(
    metrics, metrics.Metric, without=["Mean", "MeanMetricWrapper", "Sum", "ThresholdCurve"]
)


@pytest.mark.parametrize("kind", METRICS, ids=name_of)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_a_metric_counts(kind, weights):
    try:
        metric = kind(**metric_arguments(kind))
    except TypeError:
        pytest.skip(f"{kind.__name__} needs arguments that this test does not know")
    by_label = kind.__name__.startswith("Sparse") or kind.__name__ in ("MeanIoU", "IoU")
    if by_label and kind.__name__ in ("MeanIoU", "IoU"):
        metric.update_state(LABELS, LABELS, sample_weight=weights)
    else:
        targets = LABELS if by_label else ONE_HOT
        metric.update_state(targets, jnp.asarray(PROBABILITIES), sample_weight=weights)
    assert np.isfinite(np.asarray(metric.result())).all()


OPTIMIZERS = classes_of(optimizers, optimizers.Optimizer, without=[])
WRAPPING = {
    optimizers.LossScaleOptimizer: lambda: (optimizers.Adam(),),
    optimizers.OptaxOptimizer: lambda: (optax.adam(0.001),),
    optimizers.MultiOptimizer: lambda: (
        optimizers.OptimizerMap(optimizers.SGD(), {".*bias": optimizers.Adam()}),
    ),
}


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=name_of)
def test_an_optimizer_trains(kind):
    gazelle.utils.set_random_seed(0)
    model = gazelle.Sequential(
        [
            gazelle.Input((UNITS,)),
            layers.Dense(5, "relu"),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    arguments = WRAPPING.get(kind, tuple)()
    model.compile(kind(*arguments), "mse", metrics=["mae"])
    history = model.fit(
        X, X[:, 0], epochs=2, verbose=0, validation_split=0.2, sample_weight=WEIGHTS
    )
    assert np.isfinite(history.history["loss"]).all()
    assert model.predict(X).shape == (ROWS, 1)
