"""Figures of a report: how good a model is on rows that it has not seen, and which samples to show."""

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
_MOST_BYTES = 32 << 20  # of the pictures to show, and of the wrong ones


def classification_metrics(
    y_true: Any,
    probabilities: Any,
    class_names: Sequence[str] | None = None,
    loss: float | None = None,
) -> ClassificationMetrics:
    """Figures of a classifier on test rows.

    Args:
        y_true: Labels 0 to classes - 1, `(rows,)`.
        probabilities: `(rows, classes)`; `(rows,)` or `(rows, 1)` for the probability of class 1 of
            two.
        class_names: Names of the classes; their numbers when None.
        loss: The test loss.

    Returns:
        The figures. A score of a class that cannot be computed (it never occurs, or is never
        predicted) is 0.

    Raises:
        DataError: No rows, shapes that do not fit, labels out of range or probabilities that are
            not finite.
    """
    from sklearn import metrics

    probabilities = two_columns(probabilities)
    labels = class_labels(y_true, probabilities)
    count = probabilities.shape[1]
    names = (
        [str(name) for name in class_names]
        if class_names is not None
        else [str(i) for i in range(count)]
    )
    if len(names) != count:
        raise DataError(
            "class_names has the wrong length.",
            expected=f"{count} names, one for each column",
            received=len(names),
        )
    numbers = list(range(count))
    predicted = probabilities.argmax(axis=1)
    score: Any = (
        metrics.precision_recall_fscore_support
    )  # its annotations forbid the number 0 for zero_division
    scores = score(labels, predicted, labels=numbers, zero_division=0)

    def average(kind: Any) -> Average:
        found = score(labels, predicted, labels=numbers, average=kind, zero_division=0)
        return Average(*(float(value) for value in found[:3]))

    classes = [
        ClassScores(name, *(float(column[i]) for column in scores[:3]), support=int(scores[3][i]))
        for i, name in enumerate(names)
    ]
    bins = calibration_bins(labels == predicted, probabilities.max(axis=1))
    gaps = [b.count * abs((b.accuracy or 0.0) - (b.confidence or 0.0)) for b in bins if b.count]
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
    """Figures of a model that gives each row any number of labels, each from a probability of 0.5 on.

    Args:
        y_true: 0 and 1, `(rows, labels)`.
        probabilities: Of the same shape.
        names: Names of the labels.
        loss: The loss.

    Raises:
        DataError: Shapes that differ, no rows, or probabilities that are not finite.
    """
    from sklearn import metrics

    true, table = np.asarray(y_true).astype(np.int64), np.asarray(probabilities, np.float64)
    if true.shape != table.shape or true.ndim != 2 or not true.size or len(names) != true.shape[1]:
        raise DataError(
            "Labels and probabilities do not fit together.",
            expected=f"two arrays (rows, {len(names)}) with at least one row",
            received=f"shapes {true.shape} and {table.shape}",
        )
    _check_finite(table, "The probabilities")
    said = (table >= 0.5).astype(np.int64)
    score: Any = metrics.precision_recall_fscore_support
    each = score(true, said, average=None, zero_division=0)
    averages = {}
    for kind in ("macro", "micro"):
        averages[kind] = Average(
            *(float(value) for value in score(true, said, average=kind, zero_division=0)[:3])
        )
    labels = [
        LabelScores(
            name=str(name),
            precision=float(each[0][i]),
            recall=float(each[1][i]),
            f1=float(each[2][i]),
            accuracy=float((true[:, i] == said[:, i]).mean()),
            support=int(true[:, i].sum()),
            named=int(said[:, i].sum()),
            auc=(
                float(metrics.roc_auc_score(true[:, i], table[:, i]))
                if 0 < true[:, i].sum() < len(true)
                else None
            ),
        )
        for i, name in enumerate(names)
    ]
    share = true.mean(axis=0)
    return MultiLabelMetrics(
        rows=len(true),
        loss=_number(loss),
        exact=float((true == said).all(axis=1).mean()),
        accuracy=float((true == said).mean()),
        baseline=float(np.maximum(share, 1 - share).mean()),
        labels=labels,
        macro=averages["macro"],
        micro=averages["micro"],
    )


def regression_metrics(
    y_true: Any, y_pred: Any, loss: float | None = None, names: Sequence[str] | None = None
) -> RegressionMetrics:
    """Figures of a regression on test rows.

    Args:
        y_true: Targets, `(rows,)` or `(rows, targets)`.
        y_pred: Predictions of the same shape; `(rows, 1)` fits `(rows,)`.
        loss: The test loss.
        names: Names of the targets where there are several; their numbers when None or empty.

    Raises:
        DataError: No rows, shapes that differ, or numbers that are not finite.
    """
    true, predicted = (np.asarray(values, dtype=np.float64) for values in (y_true, y_pred))
    true, predicted = (
        values.reshape(len(values), -1) if values.ndim else values for values in (true, predicted)
    )
    if true.shape != predicted.shape or true.size == 0:
        raise DataError(
            "y_true and y_pred do not fit together.",
            expected="two arrays of the same shape with at least one row",
            received=f"shapes {np.shape(y_true)} and {np.shape(y_pred)}",
        )
    _check_finite(predicted, "The predictions")
    _check_finite(true, "The targets")
    whole = _target_scores("", true, predicted)
    count = true.shape[1]
    named = (
        list(names or ())
        if len(names or ()) == count
        else [f"target {place + 1}" for place in range(count)]
    )
    columns = [(name, true[:, [i]], predicted[:, [i]]) for i, name in enumerate(named)]
    return RegressionMetrics(
        rows=len(true),
        loss=_number(loss),
        mae=whole.mae,
        rmse=whole.rmse,
        r2=whole.r2,
        baseline_rmse=whole.baseline_rmse,
        baseline_mae=whole.baseline_mae,
        targets=count,
        each=[_target_scores(*column) for column in columns] if count > 1 else [],
    )


def _target_scores(name: str, true: np.ndarray, predicted: np.ndarray) -> TargetScores:
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    return TargetScores(
        name=str(name),
        mae=float(mean_absolute_error(true, predicted)),
        rmse=math.sqrt(mean_squared_error(true, predicted)),
        r2=float(r2_score(true, predicted)) if len(true) > 1 else None,
        baseline_rmse=math.sqrt(
            mean_squared_error(true, np.broadcast_to(true.mean(axis=0), true.shape))
        ),
        baseline_mae=float(
            mean_absolute_error(true, np.broadcast_to(np.median(true, axis=0), true.shape))
        ),
    )


def wilson(right: float, rows: int) -> tuple[float, float]:
    """The interval that holds a share with 95% confidence, found in `rows` independent rows (Wilson 1927).

    Args:
        right: The share that was found, in [0, 1].
        rows: How many rows it was found in.

    Returns:
        Its ends; 0 and 1 where there are no rows.
    """
    if rows <= 0:
        return 0.0, 1.0
    z = 1.959964
    middle = (right + z * z / (2 * rows)) / (1 + z * z / rows)
    half = (
        z / (1 + z * z / rows) * math.sqrt(right * (1 - right) / rows + z * z / (4 * rows * rows))
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def _two_classes(labels: np.ndarray, positive: np.ndarray) -> TwoClasses:
    """Curves and thresholds, the second class being the positive one."""
    from sklearn import metrics

    both = 0 < labels.sum() < len(labels)
    roc = precision_recall = Curve([], [], [])
    auc = average = None
    if both:
        false, true, thresholds = metrics.roc_curve(labels, positive)
        roc, auc = _curve(false, true, thresholds), float(metrics.roc_auc_score(labels, positive))
        precision, recall, thresholds = metrics.precision_recall_curve(labels, positive)
        precision_recall = _curve(
            recall[::-1], precision[::-1], np.append(thresholds, np.inf)[::-1]
        )
        average = float(metrics.average_precision_score(labels, positive))
    cuts = []
    for tenth in range(1, 10):
        said = positive >= tenth / 10
        found, raised = int((said & (labels == 1)).sum()), int((said & (labels == 0)).sum())
        missed, passed = int(labels.sum()) - found, int((labels == 0).sum()) - raised
        cuts.append(Cut(tenth / 10, found, missed, raised, passed))
    return TwoClasses(auc, average, roc, precision_recall, cuts)


def _curve(x: np.ndarray, y: np.ndarray, thresholds: np.ndarray) -> Curve:
    places = np.unique(
        np.linspace(0, len(x) - 1, min(len(x), _CURVE_POINTS)).round().astype(np.int64)
    )
    kept = [float(value) if np.isfinite(value) else None for value in thresholds[places]]
    return Curve([float(value) for value in x[places]], [float(value) for value in y[places]], kept)


def calibration_bins(
    correct: np.ndarray, confidence: np.ndarray, bins: int = CALIBRATION_BINS
) -> list[CalibrationBin]:
    """Rows grouped by confidence into `bins` equal intervals (low, high] of (0, 1], the first with 0 too.

    Args:
        correct: Whether each answer was right, `(rows,)`.
        confidence: The probability given to that answer, `(rows,)`.
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
    """Probabilities as `(rows, classes)`: the single output of a sigmoid becomes the columns 1 - p and p."""
    array = np.asarray(probabilities)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim == 2 and array.shape[1] == 1:
        array = array.astype(np.float32) if array.dtype.itemsize < 4 else array
        return np.concatenate([1 - array, array], axis=1)
    return array


def class_labels(y_true: Any, probabilities: np.ndarray) -> np.ndarray:
    """Labels as `(rows,)` integers, checked against `(rows, classes)` probabilities.

    Raises:
        DataError: Shapes that do not fit, labels out of range or probabilities that are not finite.
    """
    labels = np.asarray(y_true)
    labels = labels.reshape(-1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or labels.size == 0:
        raise DataError(
            "Labels and probabilities do not fit together.",
            expected="labels (rows,) and probabilities (rows, classes) with at least one row",
            received=f"shapes {np.shape(y_true)} and {probabilities.shape}",
            fix="pass labels as numbers of classes, not one-hot",
        )
    whole = np.nan_to_num(labels).astype(np.int64)
    if (
        not np.array_equal(whole, labels)
        or whole.min() < 0
        or whole.max() >= probabilities.shape[1]
    ):
        raise DataError(
            "A label is not the number of a class.",
            expected=f"whole numbers from 0 to {probabilities.shape[1] - 1}",
            received=f"labels from {labels.min()} to {labels.max()}",
        )
    _check_finite(probabilities, "The probabilities")
    return whole


def _check_finite(values: np.ndarray, what: str) -> None:
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise DataError(
            f"{what} hold NaN or infinity.",
            expected="finite numbers",
            received=f"{bad} of {values.size} are not finite",
            fix="the training has diverged: lower the learning rate, or look for NaN in the inputs",
        )


def _number(value: float | None) -> float | None:
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
    """Pick the pictures to show: some of each class by lot, and those on which the model was most sure and wrong.

    Args:
        images: Pictures of the test rows: uint8, or floats, which are stretched so that 0 is black
            and the largest value (1 where none is above 1) is white; `(rows, height, width)`, or
            with 1 or 3 channels at the end.
        y_true: Their classes, `(rows,)`.
        probabilities: What the model answers, as `classification_metrics` takes it; None for no
            wrong ones.
        per_class: How many of each class, at most.
        wrong: How many wrong ones, at most.
        seed: Seed of the lot.
    """
    images = as_bytes(images)
    fitting = max(1, _MOST_BYTES // max(1, images[:1].nbytes))
    labels = np.asarray(y_true).reshape(-1).astype(np.int64)
    lot = np.random.default_rng(seed)
    picked = [
        lot.permutation(np.flatnonzero(labels == label))[:per_class] for label in np.unique(labels)
    ]
    shown = np.concatenate(picked)[:fitting] if picked else np.zeros(0, np.int64)
    if probabilities is None:
        places, predicted, confidence = np.zeros(0, np.int64), labels, np.zeros(len(labels))
    else:
        table = two_columns(probabilities)
        predicted, confidence = table.argmax(axis=1), table.max(axis=1)
        places = most_confidently_wrong(y_true, table, min(wrong, fitting))
    return Samples(
        images[shown],
        labels[shown],
        images[places],
        labels[places],
        predicted[places],
        confidence[places],
    )


def most_confidently_wrong(y_true: Any, probabilities: Any, count: int) -> np.ndarray:
    """Places of the rows where the model is wrong, those of which it is most sure first, at most `count`."""
    table = two_columns(probabilities)
    labels = class_labels(y_true, table)
    wrong = np.flatnonzero(table.argmax(axis=1) != labels)
    order = np.argsort(-table.max(axis=1)[wrong].astype(np.float64), kind="stable")
    return wrong[order][:count]


def as_bytes(images: Any) -> np.ndarray:
    """Pictures as uint8 `(rows, height, width)` or `(rows, height, width, 3)`.

    Raises:
        DataError: The array has no shape of pictures.
    """
    array = np.asarray(images)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] != 3):
        raise DataError(
            "The array cannot be shown as pictures.",
            expected="(rows, height, width), or with 1 or 3 channels at the end",
            received=f"shape {np.shape(images)}",
        )
    if array.dtype == np.uint8:
        return array
    values = np.nan_to_num(array.astype(np.float32))
    top = float(values.max()) if values.size else 1.0
    return np.round(np.clip(values / (top if top > 1 else 1.0), 0, 1) * 255).astype(np.uint8)
