"""Metrics that count samples give the same for one large batch and for many small ones."""

import inspect

import numpy as np
import pytest

import gazelle
from gazelle import metrics
from gazelle.metrics._counting import counts_samples, counts_whole_numbers

pytestmark = pytest.mark.slow

rng = np.random.default_rng(0)
ARGUMENTS = {
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "SparseTopKCategoricalAccuracy": {"k": 2},
    "TopKCategoricalAccuracy": {"k": 2},
}
CLASSES = sorted(
    {
        kind
        for kind in vars(metrics).values()
        if inspect.isclass(kind)
        and issubclass(kind, metrics.Metric)
        and kind.__module__.startswith("gazelle.metrics.")
    }
    - {
        metrics.Metric,
        metrics.Mean,
        metrics.Sum,
        metrics.MeanMetricWrapper,
        metrics.R2Score,
        metrics.EpochFunction,
    },
    key=lambda kind: kind.__name__,
)


def data(kind):
    """60 targets and predictions that a metric takes."""
    probabilities = rng.dirichlet(np.ones(3), 60).astype("float32")
    labels = rng.integers(0, 3, 60)
    if kind.__name__.startswith("Sparse"):
        return labels, probabilities
    if kind.__name__ == "BinaryAccuracy" or "Hinge" in kind.__name__:
        return (labels[:, None] > 0).astype("float32"), probabilities[:, :1]
    return np.eye(3, dtype="float32")[labels], probabilities


def test_the_list_of_metrics_is_not_empty():
    assert len(CLASSES) > 35


@pytest.mark.parametrize("kind", CLASSES)
def test_one_update_with_weights_of_0_equals_updates_batch_by_batch_without_these_samples(kind):
    y_true, y_pred = data(kind)
    arguments = ARGUMENTS.get(kind.__name__, {})
    batches, together = kind(**arguments), kind(**arguments)
    assert counts_samples(batches)
    chosen = np.zeros(60, "float32")
    chosen[10:47] = 1
    for start in range(10, 47, 8):
        rows = slice(start, min(start + 8, 47))
        batches.update_state(y_true[rows], y_pred[rows])
    together.update_state(y_true, y_pred, sample_weight=chosen)
    np.testing.assert_allclose(batches.result(), together.result(), rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(batches.variables, together.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_update_adds_the_same_to_any_state_and_whole_numbers_if_promised(kind):
    y_true, y_pred = data(kind)
    arguments = ARGUMENTS.get(kind.__name__, {})
    fresh, used = kind(**arguments), kind(**arguments)
    fresh.update_state(y_true, y_pred)
    used.update_state(y_true[:1], y_pred[:1])
    for variable in used.variables:
        variable.assign(np.full(variable.shape, 3.0))
    used.update_state(y_true, y_pred)
    if counts_whole_numbers(fresh):
        assert all(
            (variable.numpy() == variable.numpy().round()).all() for variable in fresh.variables
        )
    for mine, theirs in zip(fresh.variables, used.variables, strict=True):
        np.testing.assert_allclose(theirs.numpy() - 3, mine.numpy(), rtol=1e-5, atol=1e-5)


def test_nothing_is_promised_for_users_functions_and_classes():
    class Own(metrics.Precision):
        pass

    changed = metrics.Precision()
    changed.result = lambda: 0.0
    by_function = metrics.MeanMetricWrapper(gazelle.losses.mean_squared_error)
    assert not any(
        counts_samples(metric)
        for metric in (Own(), changed, by_function, metrics.Mean(), metrics.R2Score())
    )


@pytest.mark.parametrize(
    "metric",
    [
        metrics.PearsonCorrelation(axis=0),
        metrics.ConcordanceCorrelation(axis=(0, 1)),
        metrics.CosineSimilarity(axis=0),
        metrics.CategoricalCrossentropy(axis=0),
    ],
    ids=lambda metric: metric.name,
)
def test_nothing_is_promised_for_values_along_another_axis_than_the_last(metric):
    assert not counts_samples(metric)


def test_a_metric_along_the_samples_is_trained_with_batch_by_batch():
    x = rng.random((70, 3)).astype("float32")
    y = rng.random((70, 2)).astype("float32")
    model = gazelle.Sequential([gazelle.layers.Input((3,)), gazelle.layers.Dense(2)])
    metric = metrics.PearsonCorrelation(axis=0)
    model.compile(gazelle.optimizers.Adam(0.0), "mse", metrics=[metric])
    logs = model.fit(x, y, batch_size=32, shuffle=False, verbose=0).history
    expected = metrics.PearsonCorrelation(axis=0)
    for start in range(0, 70, 32):
        rows = slice(start, start + 32)
        expected.update_state(y[rows], model.predict(x[rows], verbose=0))
    np.testing.assert_allclose(logs["pearson_correlation"][-1], expected.result(), rtol=1e-5)
