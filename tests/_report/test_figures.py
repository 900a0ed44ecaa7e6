import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from gazelle._core.errors import DataError
from gazelle._report import figures


def case(seed, rows, classes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    probabilities = rng.dirichlet(np.full(classes, 0.4), rows)
    return labels, probabilities


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 7))
def test_every_figure_of_a_classifier_equals_scikit_learns(seed, rows, classes):
    labels, probabilities = case(seed, rows, classes)
    found = figures.classification_metrics(labels, probabilities)
    predicted = probabilities.argmax(axis=1)
    report = sk.classification_report(
        labels, predicted, labels=range(classes), output_dict=True, zero_division=0
    )  # fmt: skip
    assert found.accuracy == sk.accuracy_score(labels, predicted)
    for index, scores in enumerate(found.classes):
        expected = report[str(index)]
        assert scores.precision == pytest.approx(expected["precision"], abs=1e-12)
        assert scores.recall == pytest.approx(expected["recall"], abs=1e-12)
        assert scores.f1 == pytest.approx(expected["f1-score"], abs=1e-12)
        assert scores.support == expected["support"]
    for mean, name in ((found.macro, "macro avg"), (found.weighted, "weighted avg")):
        expected = report[name]
        assert mean.f1 == pytest.approx(expected["f1-score"], abs=1e-12)
        assert mean.precision == pytest.approx(expected["precision"], abs=1e-12)
        assert mean.recall == pytest.approx(expected["recall"], abs=1e-12)
    np.testing.assert_array_equal(
        found.confusion, sk.confusion_matrix(labels, predicted, labels=range(classes))
    )


def test_calibration_equals_scikit_learns_curve():
    labels, probabilities = case(3, 800, 4)
    found = figures.classification_metrics(labels, probabilities)
    correct = probabilities.argmax(axis=1) == labels
    right, mean = calibration_curve(correct, probabilities.max(axis=1), n_bins=10)
    full = [part for part in found.calibration if part.count]
    np.testing.assert_allclose([part.accuracy for part in full], right)
    np.testing.assert_allclose([part.confidence for part in full], mean)
    weights = np.array([part.count for part in full]) / 800
    assert found.ece == pytest.approx(float(weights @ np.abs(right - mean)))
    assert sum(part.count for part in found.calibration) == 800


def test_one_sigmoid_output_is_two_classes():
    rng = np.random.default_rng(0)
    labels, probability = rng.integers(0, 2, 50), rng.random(50)
    both = np.stack([1 - probability, probability], axis=1)
    expected = figures.classification_metrics(labels, both)
    assert figures.classification_metrics(labels, probability) == expected
    assert figures.classification_metrics(labels[:, None], probability[:, None]) == expected
    assert expected.accuracy == sk.accuracy_score(labels, probability > 0.5)


def test_chance_is_the_share_of_the_most_common_class():
    found = figures.classification_metrics([0, 0, 0, 1], np.full((4, 2), 0.5))
    assert found.chance == 0.75


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 50), st.integers(1, 3))
def test_every_figure_of_a_regression_equals_scikit_learns(seed, rows, targets):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(rows, targets))
    predicted = true + rng.normal(size=(rows, targets))
    found = figures.regression_metrics(true, predicted)
    assert found.mae == pytest.approx(sk.mean_absolute_error(true, predicted))
    assert found.rmse == pytest.approx(np.sqrt(np.mean((true - predicted) ** 2)))
    assert found.r2 == pytest.approx(sk.r2_score(true, predicted))
    assert found.baseline_rmse == pytest.approx(np.sqrt(np.mean((true - true.mean(axis=0)) ** 2)))
    assert found.baseline_mae == pytest.approx(np.mean(np.abs(true - np.median(true, axis=0))))


def test_a_column_of_predictions_matches_flat_targets():
    assert figures.regression_metrics([1.0, 2.0], [[1.0], [4.0]]).mae == 1.0


def test_r2_of_one_row_is_none():
    assert figures.regression_metrics([1.0], [2.0]).r2 is None


@pytest.mark.parametrize(
    ("labels", "probabilities", "words"),
    [
        ([0, 2], np.full((2, 2), 0.5), "not a class number"),
        ([0, -1], np.full((2, 2), 0.5), "not a class number"),
        ([0.5, 1], np.full((2, 2), 0.5), "not a class number"),
        ([np.nan, 1], np.full((2, 2), 0.5), "not a class number"),
        ([0, 1, 1], np.full((2, 2), 0.5), "do not match"),
        ([], np.zeros((0, 2)), "do not match"),
        (np.eye(2), np.full((2, 2), 0.5), "do not match"),
        ([0, 1], np.array([[0.5, 0.5], [np.nan, 0.5]]), "NaN or infinity"),
    ],
)
def test_labels_and_probabilities_that_do_not_match_are_refused(labels, probabilities, words):
    with pytest.raises(DataError, match=words):
        figures.classification_metrics(labels, probabilities)


def test_wrong_number_of_names_is_refused():
    with pytest.raises(DataError, match="class_names"):
        figures.classification_metrics([0, 1], np.full((2, 2), 0.5), ["only one"])


def test_targets_and_predictions_that_do_not_match_are_refused():
    with pytest.raises(DataError, match="do not match"):
        figures.regression_metrics([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="NaN or infinity"):
        figures.regression_metrics([1.0, 2.0], [1.0, np.inf])


@pytest.mark.parametrize(("right", "rows"), [(0, 5), (5, 5), (137, 143), (1, 1), (500, 10_000)])
def test_the_interval_is_the_one_of_scipy(right, rows):
    from scipy.stats import binomtest

    expected = binomtest(right, rows).proportion_ci(method="wilson")
    assert figures.wilson(right / rows, rows) == pytest.approx(
        (expected.low, expected.high), abs=1e-6
    )


def test_two_classes_have_the_curves_and_thresholds_of_scikit_learn():
    from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    positive = np.clip(0.3 * y + 0.7 * rng.random(300), 0, 1)
    two = figures.classification_metrics(y, positive).two_classes
    assert two.auc == pytest.approx(roc_auc_score(y, positive))
    assert two.average_precision == pytest.approx(average_precision_score(y, positive))
    for cut in two.cuts:
        table = confusion_matrix(y, positive >= cut.threshold)
        assert [[cut.passed, cut.raised], [cut.missed, cut.found]] == table.tolist()
    assert len(two.roc.x) <= 200
    assert figures.classification_metrics([1, 1], [0.2, 0.9]).two_classes.auc is None


def test_each_target_has_its_own_figures():
    true = np.array([[1.0, 100.0], [2.0, 200.0], [3.0, 300.0]])
    metrics = figures.regression_metrics(true, true + np.array([0.5, 10.0]), names=["a", "b"])
    assert [(target.name, target.mae, target.rmse) for target in metrics.each] == [
        ("a", 0.5, 0.5),
        ("b", 10.0, 10.0),
    ]
    assert metrics.mae == pytest.approx(5.25)
