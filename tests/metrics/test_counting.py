"""Metrics that count samples: together or batch by batch, with or without samples of weight 0, is the same."""

import inspect

import numpy as np
import pytest

import gazelle
from gazelle import metrics
from gazelle.metrics.counting import counts_samples, counts_whole_numbers

rng = np.random.default_rng(0)
ARGUMENTS = {
    "MeanIoU": {"num_classes": 3},
    "IoU": {"num_classes": 3, "target_class_ids": [1]},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [1]},
    "OneHotMeanIoU": {"num_classes": 3},
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
    - {metrics.Metric, metrics.Mean, metrics.Sum, metrics.MeanMetricWrapper, metrics.R2Score},
    key=lambda kind: kind.__name__,
)


def data(kind):
    """Targets and predictions that a metric takes, 60 of each."""
    probabilities = rng.dirichlet(np.ones(3), 60).astype("float32")
    labels = rng.integers(0, 3, 60)
    if kind.__name__.startswith("Sparse"):
        return labels, probabilities
    if kind.__name__ in ("IoU", "MeanIoU"):
        return labels, rng.integers(0, 3, 60)
    if kind.__name__ in ("BinaryIoU", "BinaryAccuracy") or "Hinge" in kind.__name__:
        return (labels[:, None] > 0).astype("float32"), probabilities[:, :1]
    return np.eye(3, dtype="float32")[labels], probabilities


def test_the_list_of_metrics_is_not_empty():
    assert len(CLASSES) > 35


@pytest.mark.parametrize("kind", CLASSES)
def test_together_is_the_same_as_batch_by_batch_and_weight_0_is_the_same_as_not_there(kind):
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
def test_an_update_adds_the_same_to_any_state_and_whole_numbers_where_it_says_so(kind):
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


def test_of_a_users_functions_and_classes_it_is_not_known():
    class Own(metrics.Precision):
        pass

    changed = metrics.Precision()
    changed.result = lambda: 0.0
    by_function = metrics.MeanMetricWrapper(gazelle.losses.mean_squared_error)
    assert not any(
        counts_samples(metric)
        for metric in (Own(), changed, by_function, metrics.Mean(), metrics.R2Score())
    )
