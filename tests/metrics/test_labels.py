"""Metrics take labels in every usual form and equal scikit-learn; NaN is never correct."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from gazelle import metrics
from gazelle._core.errors import ShapeError

pytestmark = pytest.mark.slow

N, CLASSES = 24, 3
RNG = np.random.default_rng(11)
BINARY = RNG.integers(0, 2, N)
SCORES = RNG.random(N).astype("float32")
LABELS = RNG.integers(0, CLASSES, N)
PROBABILITIES = RNG.dirichlet(np.ones(CLASSES), N).astype("float32")
WEIGHTS = (RNG.random(N) + 0.1).astype("float32")

BINARY_FORMS = {
    "int": BINARY,
    "int-column": BINARY[:, None],
    "bool": BINARY.astype(bool),
    "float": BINARY.astype("float32"),
    "float-column": BINARY[:, None].astype("float64"),
    "uint8": BINARY.astype("uint8"),
}
CLASS_FORMS = {
    "int": LABELS,
    "int-column": LABELS[:, None],
    "float": LABELS.astype("float32"),
    "one-hot": np.eye(CLASSES, dtype="float32")[LABELS],
    "one-hot-bool": np.eye(CLASSES)[LABELS].astype(bool),
}


@pytest.mark.parametrize("column", [False, True], ids=["scores-1d", "scores-2d"])
@pytest.mark.parametrize("form", BINARY_FORMS)
@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.Precision, oracle.precision_score(BINARY, SCORES > 0.5, sample_weight=WEIGHTS)),
        (metrics.Recall, oracle.recall_score(BINARY, SCORES > 0.5, sample_weight=WEIGHTS)),
        (metrics.TruePositives, WEIGHTS[(BINARY == 1) & (SCORES > 0.5)].sum()),
        (metrics.TrueNegatives, WEIGHTS[(BINARY == 0) & (SCORES <= 0.5)].sum()),
        (metrics.FalsePositives, WEIGHTS[(BINARY == 0) & (SCORES > 0.5)].sum()),
        (metrics.FalseNegatives, WEIGHTS[(BINARY == 1) & (SCORES <= 0.5)].sum()),
        (metrics.F1Score, [oracle.f1_score(BINARY, SCORES > 0.5, sample_weight=WEIGHTS)]),
        (
            metrics.BinaryAccuracy,
            oracle.accuracy_score(BINARY, SCORES > 0.5, sample_weight=WEIGHTS),
        ),
    ],
)
def test_binary_labels_of_every_form_give_the_value_of_scikit_learn(metric, expected, form, column):
    result = metric()(BINARY_FORMS[form], SCORES[:, None] if column else SCORES, WEIGHTS)
    np.testing.assert_allclose(np.asarray(result), expected, rtol=2e-6)


@pytest.mark.parametrize("form", CLASS_FORMS)
@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_f_scores_of_class_labels_of_every_form_equal_scikit_learn(form, average):
    predicted = PROBABILITIES.argmax(axis=1)
    for metric, beta in (
        (metrics.F1Score(average), 1.0),
        (metrics.FBetaScore(average, beta=0.5), 0.5),
    ):
        expected = oracle.fbeta_score(
            LABELS, predicted, beta=beta, average=average, sample_weight=WEIGHTS
        )
        np.testing.assert_allclose(
            np.asarray(metric(CLASS_FORMS[form], PROBABILITIES, WEIGHTS)), expected, rtol=2e-6
        )


def test_perfect_predictions_have_an_f1_of_exactly_one():
    assert float(metrics.F1Score("macro")(LABELS, np.eye(CLASSES)[LABELS])) == 1.0


@pytest.mark.parametrize("form", CLASS_FORMS)
def test_precision_of_class_labels_counts_every_entry_of_their_one_hot_form(form):
    truth = np.eye(CLASSES)[LABELS]
    got = [
        metric(thresholds=0.4)(CLASS_FORMS[form], PROBABILITIES)
        for metric in (metrics.Precision, metrics.Recall)
    ]
    above = (PROBABILITIES > 0.4).ravel()
    expected = [
        oracle.precision_score(truth.ravel(), above),
        oracle.recall_score(truth.ravel(), above),
    ]
    np.testing.assert_allclose(got, expected, rtol=2e-6)


def test_top_k_accuracies_equal_scikit_learn():
    expected = oracle.top_k_accuracy_score(LABELS, PROBABILITIES, k=2, sample_weight=WEIGHTS)
    for metric, y_true in (
        (metrics.SparseTopKCategoricalAccuracy(2), LABELS),
        (metrics.TopKCategoricalAccuracy(2), np.eye(CLASSES)[LABELS]),
    ):
        np.testing.assert_allclose(
            float(metric(y_true, PROBABILITIES, WEIGHTS)), expected, rtol=2e-6
        )


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_r2_equals_scikit_learn_for_targets_near_and_far_from_zero(offset):
    y = (RNG.normal(size=(N, 2)) * 3 + offset).astype("float32")
    p = (y + RNG.normal(size=y.shape)).astype("float32")
    metric = metrics.R2Score()
    for part in (slice(0, 5), slice(5, N)):
        metric.update_state(y[part], p[part], WEIGHTS[part])
    y64, p64 = y.astype("float64"), p.astype("float64")
    assert float(metric.result()) == pytest.approx(
        oracle.r2_score(y64, p64, sample_weight=WEIGHTS), rel=2e-6
    )


def test_r2_of_constant_targets_is_that_of_scikit_learn():
    constant = np.full(4, 2.0)
    assert (
        float(metrics.R2Score()(constant, constant[:, None]))
        == oracle.r2_score(constant, constant)
        == 1.0
    )
    assert (
        float(metrics.R2Score()(constant, constant + 1))
        == oracle.r2_score(constant, constant + 1)
        == 0.0
    )


def test_auc_with_thresholds_at_every_score_is_the_exact_area():
    metric = metrics.AUC(thresholds=np.sort(SCORES)[:-1])
    assert float(metric(BINARY, SCORES)) == pytest.approx(
        oracle.roc_auc_score(BINARY, SCORES), rel=1e-6
    )


@pytest.mark.parametrize(
    ("metric", "y_true", "shape"),
    [
        (metrics.BinaryAccuracy(), np.zeros(4), (4, 1)),
        (metrics.CategoricalAccuracy(), np.eye(3)[[0, 0, 1, 2]], (4, 3)),
        (metrics.SparseCategoricalAccuracy(), np.zeros(4, int), (4, 3)),
        (metrics.TopKCategoricalAccuracy(3), np.eye(3)[[0, 0, 1, 2]], (4, 3)),
        (metrics.SparseTopKCategoricalAccuracy(1), np.zeros(4, int), (4, 3)),
        (metrics.Accuracy(), np.zeros(4), (4,)),
        (metrics.F1Score("micro"), np.zeros(4, int), (4, 3)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, metrics.Metric) else "",
)
def test_nan_predictions_are_never_correct(metric, y_true, shape):
    assert float(metric(y_true, np.full(shape, np.nan, "float32"))) == 0.0


def test_one_nan_in_a_row_makes_its_sample_wrong():
    y_pred = np.array([[0.9, 0.1, np.nan], [0.9, 0.1, 0.0]])
    assert float(metrics.SparseCategoricalAccuracy()(np.array([0, 0]), y_pred)) == 0.5


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_never_among_the_top_k(label):
    y_pred = np.array([[-0.1, -0.2, -0.3]])
    assert (
        float(metrics.sparse_top_k_categorical_accuracy(np.array([label]), y_pred, k=3)[0]) == 0.0
    )
    assert float(metrics.sparse_categorical_accuracy(np.array([label]), y_pred)[0]) == 0.0


def test_categorical_accuracy_takes_class_labels_too():
    expected = oracle.accuracy_score(LABELS, PROBABILITIES.argmax(axis=1))
    for form in CLASS_FORMS.values():
        assert float(metrics.CategoricalAccuracy()(form, PROBABILITIES)) == pytest.approx(
            expected, rel=1e-6
        )


@pytest.mark.parametrize(
    ("metric", "true_shape", "pred_shape"),
    [
        (metrics.Precision(), (4, 2), (4, 3)),
        (metrics.F1Score(), (3,), (4, 3)),
        (metrics.F1Score(), (4, 2, 3), (4, 2, 3)),
        (metrics.BinaryAccuracy(), (4,), (4, 3)),
        (metrics.SparseCategoricalAccuracy(), (4, 3), (4, 3)),
        (metrics.R2Score(), (4, 2), (4, 3)),
        (metrics.AUC(multi_label=True), (4,), (4,)),
        (metrics.Precision(top_k=4), (4, 3), (4, 3)),
        (metrics.Recall(class_id=3), (4, 3), (4, 3)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_both_named(metric, true_shape, pred_shape):
    with pytest.raises(ShapeError, match=r"expected: (.|\n)*received: "):
        metric.update_state(np.zeros(true_shape), np.zeros(pred_shape))


def test_sample_weights_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="sample_weight"):
        metrics.BinaryAccuracy().update_state(BINARY, SCORES, np.ones(N - 1))
