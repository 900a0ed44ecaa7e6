"""Every metric gives Keras's value over batches of unequal size, with and without weights."""

import itertools

import keras
import numpy as np
import pytest

from gazelle import metrics

pytestmark = pytest.mark.slow

SIZES = (7, 4)
CLASSES = 3


def batches(kind, seed):
    """(y_true, y_pred) of each batch."""
    rng = np.random.default_rng(seed)
    for n in SIZES:
        probabilities = rng.random((n, CLASSES)).astype("float32")
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        labels = rng.integers(0, CLASSES, n)
        scores = rng.random((n, 1)).astype("float32")
        scores[0] = rng.choice([0.0, 0.25, 0.5, 1.0])  # on thresholds
        binary = rng.integers(0, 2, (n, 1))
        real = (3 * rng.normal(size=(n, CLASSES)) + 1).astype("float32")
        yield {
            "one-hot": (np.eye(CLASSES, dtype="float32")[labels], probabilities),
            "sparse": (labels, probabilities),
            "sparse-2d": (labels[:, None], probabilities),
            "ids": (labels, np.argsort(-probabilities, axis=1)),
            "logits": (np.eye(CLASSES, dtype="float32")[labels], real),
            "sparse-logits": (labels, real),
            "binary": (binary, scores),
            "binary-1d": (binary[:, 0], scores),
            "binary-logits": (binary, real[:, :1]),
            "multi-hot": (
                rng.integers(0, 2, (n, CLASSES)),
                rng.random((n, CLASSES)).astype("float32"),
            ),
            "real": (real, (real + rng.normal(size=real.shape)).astype("float32")),
            "real-1": (real[:, :1], (real[:, :1] + rng.normal(size=(n, 1))).astype("float32")),
            "positive": (
                np.abs(real) + 0.1,
                np.abs(real) + rng.random(real.shape).astype("float32"),
            ),
            "equal": (labels, rng.integers(0, CLASSES, n)),
        }[kind]


def options(**choices):
    """All combinations of keyword arguments."""
    return [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]


AVERAGES = (None, "micro", "macro", "weighted")
THRESHOLDS = (None, 0.3, [0.2, 0.7], [0.0, 0.5, 1.0])
CASES = [
    ("Accuracy", "equal", {}),
    ("BinaryAccuracy", "binary", {}),
    ("BinaryAccuracy", "binary-1d", {"threshold": 0.3}),
    ("BinaryAccuracy", "multi-hot", {}),
    ("CategoricalAccuracy", "one-hot", {}),
    ("SparseCategoricalAccuracy", "sparse", {}),
    ("SparseCategoricalAccuracy", "sparse-2d", {}),
    ("TopKCategoricalAccuracy", "one-hot", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", "sparse", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", "sparse-2d", {"k": 1}),
    ("SparseTopKCategoricalAccuracy", "ids", {"k": 2, "from_sorted_ids": True}),
    *[
        (name, "binary", {"thresholds": t})
        for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")
        for t in THRESHOLDS
    ],
    *[(name, "binary", {"thresholds": t}) for name in ("Precision", "Recall") for t in THRESHOLDS],
    *[
        (name, "one-hot", {"thresholds": t, **o})
        for name in ("Precision", "Recall")
        for t in (None, [0.2, 0.7])
        for o in ({}, {"top_k": 2}, {"class_id": 1}, {"top_k": 1, "class_id": 2})
    ],
    *[
        ("AUC", "binary", o)
        for o in options(
            curve=("ROC", "PR", "PRGAIN"),
            summation_method=("interpolation", "minoring", "majoring"),
        )
    ],
    *[("AUC", "multi-hot", {"multi_label": True, "curve": c}) for c in ("ROC", "PR", "PRGAIN")],
    (
        "AUC",
        "multi-hot",
        {"multi_label": True, "num_labels": CLASSES, "label_weights": [1.0, 2.0, 0.5]},
    ),
    ("AUC", "multi-hot", {"label_weights": [1.0, 2.0, 0.5]}),
    ("AUC", "binary-logits", {"from_logits": True}),
    ("AUC", "binary", {"thresholds": [0.1, 0.2, 0.9]}),
    ("AUC", "binary", {"thresholds": [0.75, 0.25, 0.5]}),
    *[
        (name, kind, {argument: value, **o})
        for name, argument in (
            ("PrecisionAtRecall", "recall"),
            ("RecallAtPrecision", "precision"),
            ("SensitivityAtSpecificity", "specificity"),
            ("SpecificityAtSensitivity", "sensitivity"),
        )
        for value, kind, o in (
            (0.4, "binary", {}),
            (0.8, "binary", {"num_thresholds": 5}),
            (0.5, "binary", {"num_thresholds": 1}),
            (0.6, "multi-hot", {"class_id": 1}),
        )
    ],
    *[("F1Score", "one-hot", {"average": a}) for a in AVERAGES],
    *[("F1Score", "multi-hot", {"average": a, "threshold": 0.4}) for a in AVERAGES],
    *[("FBetaScore", "one-hot", {"average": a, "beta": 2.0}) for a in AVERAGES],
    ("FBetaScore", "binary", {"threshold": 0.5, "beta": 0.5}),
    *[
        ("R2Score", "real", o)
        for o in options(
            class_aggregation=(None, "uniform_average", "variance_weighted_average"),
            num_regressors=(0, 2),
        )
    ],
    ("R2Score", "real-1", {"num_regressors": 3}),
    ("R2Score", "real-1", {"num_regressors": 10}),
    ("R2Score", "real-1", {"num_regressors": 20}),
    *[
        (name, "real", {})
        for name in (
            "MeanSquaredError",
            "RootMeanSquaredError",
            "MeanAbsoluteError",
            "MeanAbsolutePercentageError",
            "LogCoshError",
            "CosineSimilarity",
            "PearsonCorrelation",
            "ConcordanceCorrelation",
        )
    ],
    ("MeanSquaredLogarithmicError", "positive", {}),
    ("Poisson", "positive", {}),
    ("KLDivergence", "one-hot", {}),
    ("BinaryCrossentropy", "binary", {"label_smoothing": 0.1}),
    ("BinaryCrossentropy", "binary-logits", {"from_logits": True}),
    ("CategoricalCrossentropy", "one-hot", {"label_smoothing": 0.1}),
    ("CategoricalCrossentropy", "logits", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", "sparse", {"ignore_class": 1}),
    ("SparseCategoricalCrossentropy", "sparse-logits", {"from_logits": True}),
    ("Hinge", "binary", {}),
    ("SquaredHinge", "binary", {}),
    ("CategoricalHinge", "one-hot", {}),
]


@pytest.mark.filterwarnings(
    "ignore:.*adjusted R2 score.*:UserWarning", "ignore:.*Adjusted R2 Score.*:UserWarning"
)
@pytest.mark.parametrize(
    ("name", "kind", "arguments"),
    CASES,
    ids=[f"{n}-{k}-{'-'.join(map(str, a.values()))}" for n, k, a in CASES],
)
def test_metric_equals_keras_without_and_then_with_weights(name, kind, arguments):
    rng = np.random.default_rng(7)
    ours, theirs = getattr(metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
    data = list(batches(kind, seed=len(name)))
    for weighted in (False, True):
        weights = [
            (rng.random(len(p)) + 0.1).astype("float32") if weighted else None for _, p in data
        ]
        for (y_true, y_pred), weight in zip(data, weights, strict=True):
            ours.update_state(y_true, y_pred, weight)
        y_true, y_pred = (np.concatenate(arrays) for arrays in zip(*data, strict=True))
        theirs.update_state(
            y_true, y_pred, sample_weight=np.concatenate(weights) if weighted else None
        )
        result, expected = np.asarray(ours.result()), np.asarray(theirs.result())
        np.testing.assert_allclose(result, expected, rtol=2e-6, atol=1e-6)
        assert result.shape == expected.shape
        ours.reset_state()
        theirs.reset_state()


@pytest.mark.parametrize("axis", [0, (0, 1), -1])
@pytest.mark.parametrize("name", ["PearsonCorrelation", "ConcordanceCorrelation"])
def test_correlation_along_other_axes_equals_keras(name, axis):
    (y_true, y_pred), *_ = batches("real", seed=3)
    ours, theirs = getattr(metrics, name)(axis=axis), getattr(keras.metrics, name)(axis=axis)
    np.testing.assert_allclose(
        np.asarray(ours(y_true, y_pred)), np.asarray(theirs(y_true, y_pred)), rtol=1e-6
    )


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize(
    ("shape", "weight_shape"),
    [
        *[((), weight) for weight in (None, ())],
        *[((4,), weight) for weight in (None, (), (1,), (4,), (4, 1))],
        *[((4, 2), weight) for weight in (None, (), (4,), (4, 1), (1, 2), (4, 2))],
        *[((4, 2, 3), weight) for weight in (None, (4,), (4, 2))],
    ],
)
def test_mean_and_sum_equal_keras_for_all_shapes_of_weights(name, shape, weight_shape):
    rng = np.random.default_rng(0)
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    for _ in range(2):
        values = rng.normal(size=shape).astype("float32")
        weight = None if weight_shape is None else rng.random(weight_shape).astype("float32")
        ours.update_state(values, weight)
        theirs.update_state(values, sample_weight=weight)
    np.testing.assert_allclose(
        np.asarray(ours.result()), np.asarray(theirs.result()), rtol=2e-6, atol=1e-6
    )


FUNCTIONS = [
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "top_k_categorical_accuracy",
]
FUNCTIONS += ["sparse_top_k_categorical_accuracy"]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("middle", [(), (2,)], ids=["2d", "3d"])
def test_accuracy_function_equals_keras(name, middle):
    rng = np.random.default_rng(2)
    y_pred = rng.random((6, *middle, 4)).astype("float32")
    y_true = rng.integers(0, 4, (6, *middle))
    if not name.startswith("sparse"):
        y_true = np.eye(4)[y_true]
    further = {"k": 2} if "top_k" in name else {}
    ours, theirs = (
        getattr(metrics, name)(y_true, y_pred, **further),
        getattr(keras.metrics, name)(y_true, y_pred, **further),
    )
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
