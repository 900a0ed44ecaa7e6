"""The figures of a report: how good predictions are, and which sample images to show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gazelle._core.errors import DataError
from gazelle._report.schema import (
    Average,
    CalibrationBin,
    ClassificationMetrics,
    ClassScores,
    Curve,
    Cut,
    LabelScores,
    MultiLabelMetrics,
    RegressionMetrics,
    Samples,
    TargetScores,
    TwoClasses,
)

CALIBRATION_BINS = 10
_CURVE_POINTS = 200
_MOST_BYTES = 32 << 20  # of the sample images, and of the wrongly classified ones


def classification_metrics(
    y_true: Any,
    probabilities: Any,
    class_names: Sequence[str] | None = None,
    loss: float | None = None,
) -> ClassificationMetrics:
    """Compute the figures of a classifier on test rows.

    Args:
        y_true: Labels 0 to classes - 1, `(rows,)`.
        probabilities: `(rows, classes)`; `(rows,)` or `(rows, 1)` for the probability of class 1 of
            two.
        class_names: Names of the classes; None for their numbers.
        loss: The test loss.

    Returns:
        The figures. A score that cannot be computed, since the class never occurs or is never
        predicted, is 0.

    Raises:
        DataError: There are no rows, shapes do not match, labels are out of range or probabilities
            are not finite.
    """
    from sklearn import metrics

    probabilities = two_columns(probabilities)
    labels = checked_labels(y_true, probabilities)
    count = probabilities.shape[1]
    names = [str(name) for name in (range(count) if class_names is None else class_names)]
    if len(names) != count:
        raise DataError(
            "class_names has the wrong length.",
            expected=f"{count} names, one per column",
            received=len(names),
        )
    numbers = list(range(count))
    predicted = probabilities.argmax(axis=1)
    # `Any`, since scikit-learn's annotations forbid the number 0 for zero_division.
    score: Any = metrics.precision_recall_fscore_support
    scores = score(labels, predicted, labels=numbers, zero_division=0)

    def average(kind: Any) -> Average:
        found = score(labels, predicted, labels=numbers, average=kind, zero_division=0)
        return Average(*(float(value) for value in found[:3]))

    classes = [
        ClassScores(name, *(float(column[i]) for column in scores[:3]), support=int(scores[3][i]))
        for i, name in enumerate(names)
    ]
    bins = calibration_bins(labels == predicted, probabilities.max(axis=1))
    gaps = [
        bin_.count * abs((bin_.accuracy or 0.0) - (bin_.confidence or 0.0))
        for bin_ in bins
        if bin_.count
    ]
    return ClassificationMetrics(
        rows=len(labels),
        loss=_number(loss),
        accuracy=float(metrics.accuracy_score(labels, predicted)),
        chance=float(np.bincount(labels).max() / len(labels)),
        classes=classes,
        macro=average("macro"),
        weighted=average("weighted"),
        confusion=metrics.confusion_matrix(labels, predicted, labels=numbers).tolist(),
        calibration=bins,
        ece=float(sum(gaps) / len(labels)),
        two_classes=_two_classes(labels, probabilities[:, 1]) if count == 2 else None,
    )


def multilabel_metrics(
    y_true: Any, probabilities: Any, names: Sequence[str], loss: float | None = None
) -> MultiLabelMetrics:
    """Compute the figures of a model that predicts any number of labels per row.

    A label is predicted if its probability is at least 0.5.

    Args:
        y_true: 0 and 1, `(rows, labels)`.
        probabilities: `(rows, labels)`.
        names: Names of the labels.
        loss: The loss.

    Raises:
        DataError: The shapes differ, there are no rows, or probabilities are not finite.
    """
    from sklearn import metrics

    true, table = np.asarray(y_true).astype(np.int64), np.asarray(probabilities, np.float64)
    if true.shape != table.shape or true.ndim != 2 or not true.size or len(names) != true.shape[1]:
        raise DataError(
            "The shapes of labels and probabilities do not match.",
            expected=f"two arrays (rows, {len(names)}) with at least one row",
            received=f"shapes {true.shape} and {table.shape}",
        )
    _check_finite(table, "The probabilities")
    predicted = (table >= 0.5).astype(np.int64)
    score: Any = metrics.precision_recall_fscore_support

    def average(kind: str) -> Average:
        found = score(true, predicted, average=kind, zero_division=0)
        return Average(*(float(value) for value in found[:3]))

    precision, recall, f1, _ = score(true, predicted, average=None, zero_division=0)
    labels = []
    for i, name in enumerate(names):
        support = int(true[:, i].sum())
        auc = None
        if 0 < support < len(true):
            auc = float(metrics.roc_auc_score(true[:, i], table[:, i]))
        labels.append(
            LabelScores(
                name=str(name),
                precision=float(precision[i]),
                recall=float(recall[i]),
                f1=float(f1[i]),
                accuracy=float((true[:, i] == predicted[:, i]).mean()),
                support=support,
                named=int(predicted[:, i].sum()),
                auc=auc,
            )
        )
    share = true.mean(axis=0)
    return MultiLabelMetrics(
        rows=len(true),
        loss=_number(loss),
        exact=float((true == predicted).all(axis=1).mean()),
        accuracy=float((true == predicted).mean()),
        baseline=float(np.maximum(share, 1 - share).mean()),
        labels=labels,
        macro=average("macro"),
        micro=average("micro"),
    )


def regression_metrics(
    y_true: Any, y_pred: Any, loss: float | None = None, names: Sequence[str] | None = None
) -> RegressionMetrics:
    """Compute the figures of a regression on test rows.

    Args:
        y_true: Targets, `(rows,)` or `(rows, targets)`.
        y_pred: Predictions of the same shape; `(rows, 1)` matches `(rows,)`.
        loss: The test loss.
        names: Names of the targets if there are several; None or empty for numbers.

    Raises:
        DataError: There are no rows, the shapes differ, or numbers are not finite.
    """
    true, predicted = _as_table(y_true), _as_table(y_pred)
    if true.shape != predicted.shape or true.size == 0:
        raise DataError(
            "The shapes of y_true and y_pred do not match.",
            expected="two arrays of the same shape with at least one row",
            received=f"shapes {np.shape(y_true)} and {np.shape(y_pred)}",
        )
    _check_finite(predicted, "The predictions")
    _check_finite(true, "The targets")
    total = _target_scores("", true, predicted)
    count = true.shape[1]
    if names is None or len(names) != count:
        names = [f"target {number}" for number in range(1, count + 1)]
    each = []
    if count > 1:
        each = [
            _target_scores(name, true[:, [i]], predicted[:, [i]]) for i, name in enumerate(names)
        ]
    return RegressionMetrics(
        rows=len(true),
        loss=_number(loss),
        mae=total.mae,
        rmse=total.rmse,
        r2=total.r2,
        baseline_rmse=total.baseline_rmse,
        baseline_mae=total.baseline_mae,
        targets=count,
        each=each,
    )


def _as_table(values: Any) -> np.ndarray:
    """Values as float64 `(rows, targets)`; a scalar stays one."""
    array = np.asarray(values, dtype=np.float64)
    return array.reshape(len(array), -1) if array.ndim else array


def _target_scores(name: str, true: np.ndarray, predicted: np.ndarray) -> TargetScores:
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    mean = np.broadcast_to(true.mean(axis=0), true.shape)
    median = np.broadcast_to(np.median(true, axis=0), true.shape)
    return TargetScores(
        name=str(name),
        mae=float(mean_absolute_error(true, predicted)),
        rmse=math.sqrt(mean_squared_error(true, predicted)),
        r2=float(r2_score(true, predicted)) if len(true) > 1 else None,
        baseline_rmse=math.sqrt(mean_squared_error(true, mean)),
        baseline_mae=float(mean_absolute_error(true, median)),
    )


def wilson(right: float, rows: int) -> tuple[float, float]:
    """The 95% confidence interval of a share (Wilson 1927).

    Args:
        right: The observed share, in [0, 1].
        rows: Number of independent rows in which it was observed.

    Returns:
        The ends of the interval; 0 and 1 if there are no rows.
    """
    if rows <= 0:
        return 0.0, 1.0
    z = 1.959964
    scale = 1 + z * z / rows
    middle = (right + z * z / (2 * rows)) / scale
    half = z / scale * math.sqrt(right * (1 - right) / rows + z * z / (4 * rows * rows))
    return max(0.0, middle - half), min(1.0, middle + half)


def _two_classes(labels: np.ndarray, positive: np.ndarray) -> TwoClasses:
    """Curves and thresholds for two classes.

    Args:
        labels: 0 and 1, `(rows,)`; 1 is the positive class.
        positive: Probability of class 1, `(rows,)`.
    """
    from sklearn import metrics

    roc = precision_recall = Curve([], [], [])
    auc = average = None
    both_occur = 0 < labels.sum() < len(labels)
    if both_occur:
        false, true, thresholds = metrics.roc_curve(labels, positive)
        roc, auc = _curve(false, true, thresholds), float(metrics.roc_auc_score(labels, positive))
        precision, recall, thresholds = metrics.precision_recall_curve(labels, positive)
        thresholds = np.append(thresholds, np.inf)
        precision_recall = _curve(recall[::-1], precision[::-1], thresholds[::-1])
        average = float(metrics.average_precision_score(labels, positive))
    positives = int((labels == 1).sum())
    negatives = int((labels == 0).sum())
    cuts = []
    for tenth in range(1, 10):
        alarm = positive >= tenth / 10
        found, raised = int((alarm & (labels == 1)).sum()), int((alarm & (labels == 0)).sum())
        cuts.append(Cut(tenth / 10, found, positives - found, raised, negatives - raised))
    return TwoClasses(auc, average, roc, precision_recall, cuts)


def _curve(x: np.ndarray, y: np.ndarray, thresholds: np.ndarray) -> Curve:
    """A curve thinned to at most 200 points."""
    count = min(len(x), _CURVE_POINTS)
    places = np.unique(np.linspace(0, len(x) - 1, count).round().astype(np.int64))
    kept = [float(value) if np.isfinite(value) else None for value in thresholds[places]]
    return Curve(x[places].astype(float).tolist(), y[places].astype(float).tolist(), kept)


def calibration_bins(
    correct: np.ndarray, confidence: np.ndarray, bins: int = CALIBRATION_BINS
) -> list[CalibrationBin]:
    """Group rows by confidence into equal intervals (low, high] of [0, 1].

    Args:
        correct: Whether each prediction is right, `(rows,)`.
        confidence: Predicted probability of the predicted class, `(rows,)`.
        bins: Number of intervals.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence)
    result = []
    for index in range(bins):
        inside = place == index
        count = int(inside.sum())
        mean = float(np.mean(confidence[inside], dtype=np.float64)) if count else None
        right = float(np.mean(correct[inside])) if count else None
        result.append(
            CalibrationBin(float(edges[index]), float(edges[index + 1]), count, mean, right)
        )
    return result


def two_columns(probabilities: Any) -> np.ndarray:
    """Probabilities as `(rows, classes)`; a single output p becomes the columns 1 - p and p."""
    array = np.asarray(probabilities)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim == 2 and array.shape[1] == 1:
        array = array.astype(np.float32) if array.dtype.itemsize < 4 else array
        return np.concatenate([1 - array, array], axis=1)
    return array


def checked_labels(y_true: Any, probabilities: np.ndarray) -> np.ndarray:
    """Check labels and convert them to integers `(rows,)`.

    Args:
        y_true: Labels `(rows,)` or `(rows, 1)`.
        probabilities: `(rows, classes)`; they are checked too.

    Raises:
        DataError: Shapes do not match, labels are out of range or probabilities are not finite.
    """
    labels = np.asarray(y_true)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.reshape(-1)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or labels.size == 0:
        raise DataError(
            "The shapes of labels and probabilities do not match.",
            expected="labels (rows,) and probabilities (rows, classes) with at least one row",
            received=f"shapes {np.shape(y_true)} and {probabilities.shape}",
            fix="pass labels as class numbers, not one-hot",
        )
    whole = np.nan_to_num(labels).astype(np.int64)
    in_range = whole.min() >= 0 and whole.max() < probabilities.shape[1]
    if not in_range or not np.array_equal(whole, labels):
        raise DataError(
            "A label is not a class number.",
            expected=f"whole numbers from 0 to {probabilities.shape[1] - 1}",
            received=f"labels from {labels.min()} to {labels.max()}",
        )
    _check_finite(probabilities, "The probabilities")
    return whole


def _check_finite(values: np.ndarray, what: str) -> None:
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise DataError(
            f"{what} contain NaN or infinity.",
            expected="finite numbers",
            received=f"{bad} of {values.size} are not finite",
            fix="if training has diverged, lower the learning rate; also check the inputs for NaN",
        )


def _number(value: float | None) -> float | None:
    """A number; None if it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def choose_samples(
    images: Any,
    y_true: Any,
    probabilities: Any = None,
    *,
    per_class: int = 6,
    wrong: int = 18,
    seed: int = 0,
) -> Samples:
    """Choose sample images: random ones of each class, and the most confident mistakes.

    Args:
        images: Images of the test rows, `(rows, height, width)` or with 1 or 3 channels at the end;
            see `as_bytes`.
        y_true: Their classes, `(rows,)`.
        probabilities: Predictions, see `classification_metrics`; None for no mistakes.
        per_class: Number of images per class, at most.
        wrong: Number of mistakes, at most.
        seed: Seed of the random choice.
    """
    images = as_bytes(images)
    most = max(1, _MOST_BYTES // max(1, images[:1].nbytes))
    labels = np.asarray(y_true).reshape(-1).astype(np.int64)
    rng = np.random.default_rng(seed)
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:per_class] for label in np.unique(labels)
    ]
    shown = np.concatenate(chosen)[:most] if chosen else np.zeros(0, np.int64)
    if probabilities is None:
        mistakes, predicted, confidence = np.zeros(0, np.int64), labels, np.zeros(len(labels))
    else:
        table = two_columns(probabilities)
        predicted, confidence = table.argmax(axis=1), table.max(axis=1)
        mistakes = most_confidently_wrong(y_true, table, min(wrong, most))
    return Samples(
        images=images[shown],
        labels=labels[shown],
        wrong_images=images[mistakes],
        wrong_labels=labels[mistakes],
        wrong_predictions=predicted[mistakes],
        wrong_confidences=confidence[mistakes],
    )


def most_confidently_wrong(y_true: Any, probabilities: Any, count: int) -> np.ndarray:
    """Numbers of at most `count` rows with wrong predictions, most confident first."""
    table = two_columns(probabilities)
    labels = checked_labels(y_true, table)
    wrong = np.flatnonzero(table.argmax(axis=1) != labels)
    order = np.argsort(-table.max(axis=1)[wrong].astype(np.float64), kind="stable")
    return wrong[order][:count]


def as_bytes(images: Any) -> np.ndarray:
    """Convert images to uint8 `(rows, height, width)` or `(rows, height, width, 3)`.

    Floats are scaled so that 0 is black and the largest value (at least 1) is white.

    Raises:
        DataError: The array does not have the shape of images.
    """
    array = np.asarray(images)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] != 3):
        raise DataError(
            "The array cannot be shown as images.",
            expected="(rows, height, width), or with 1 or 3 channels at the end",
            received=f"shape {np.shape(images)}",
        )
    if array.dtype == np.uint8:
        return array
    values = np.nan_to_num(array.astype(np.float32))
    white = max(1.0, float(values.max())) if values.size else 1.0
    return np.round(np.clip(values / white, 0, 1) * 255).astype(np.uint8)
