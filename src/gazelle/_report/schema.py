"""The content of the files of a run folder, as plain dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gazelle._data.fit_record import Fit

Scalar = str | int | float | bool | None


@dataclass
class Split:
    """One part of the data.

    Args:
        name: `"train"`, `"validation"` or `"test"`.
        rows: Number of rows.
        class_counts: Rows of each class, in the order of `RunConfig.class_names`; empty for
            regression.
    """

    name: str
    rows: int
    class_counts: list[int] = field(default_factory=list)


@dataclass
class Seen:
    """Whether the rows of the report were seen in training, according to digests of some rows.

    Args:
        train: Share of the sampled training rows that are among the rows of the report; None if
            unknown.
        validation: The same for the validation rows of the last fit.
        sampled: Number of sampled training rows.
    """

    train: float | None = None
    validation: float | None = None
    sampled: int = 0


@dataclass
class RunConfig:
    """`config.json`: the data and settings of a run, and where and when it was made.

    Args:
        title: Title of the report.
        task: `"classification"`, `"multilabel"` or `"regression"`.
        data: Name of the data set.
        splits: The parts of the data, training first.
        question: The question that the network answers, in one or two sentences.
        input_shape: Shape of one row without the batch axis: `[32, 32, 3]`.
        class_names: Names of the classes (or labels) in the order of their numbers; empty for
            regression.
        settings: Name and value of each setting, in the order to show. Usual names: `optimizer`,
            `learning_rate`, `batch_size`, `epochs`, `loss`, `seed`.
        versions: Version of each package: `gazelle`, `jax`, `numpy`, `python`.
        device: The machine in words: `"cpu (2 cores)"`.
        started: Start of the training, ISO 8601.
        durations: Seconds of each stage: `load`, `compile`, `train`, `evaluate`.
        stop_reason: Why training ended, as a sentence; empty if all epochs were run.
        fits: The record of each call of `fit`, in order; empty without records.
        weights_changed: Whether weights were set after the last `fit` (`load_weights`,
            `set_weights`); None if unknown.
        seen: Whether the rows of the report were seen in training.
        target_names: Names of the numbers that a regression predicts; empty without names.
    """

    title: str
    task: str
    data: str
    splits: list[Split]
    question: str = ""
    input_shape: list[int] = field(default_factory=list)
    class_names: list[str] = field(default_factory=list)
    settings: dict[str, Scalar] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    started: str = ""
    durations: dict[str, float] = field(default_factory=dict)
    stop_reason: str = ""
    fits: list[Fit] = field(default_factory=list)
    weights_changed: bool | None = None
    seen: Seen = field(default_factory=Seen)
    target_names: list[str] = field(default_factory=list)

    def split(self, name: str) -> Split | None:
        """The part of the data with this name; None if there is none."""
        for split in self.splits:
            if split.name == name:
                return split
        return None


@dataclass
class LayerInfo:
    """One box in the drawing of a network.

    Args:
        name: Unique name within the network.
        type: Class name: `"Dense"`.
        output_shapes: Shape of each output with the batch axis, None for an unknown size: `[[None,
            10]]`.
        parameters: Number of weights.
        units: Width of the layer; None if it has none.
        activation: Name of its activation; None for no activation or a linear one.
        trainable: Whether training changes its weights.
        inbound: Names of the layers whose outputs it takes; they come before it in the list.
    """

    name: str
    type: str
    output_shapes: list[list[int | None]] = field(default_factory=list)
    parameters: int = 0
    units: int | None = None
    activation: str | None = None
    trainable: bool = True
    inbound: list[str] = field(default_factory=list)


@dataclass
class NetworkInfo:
    """`network.json`: the layers in the order of computation, and the totals.

    Args:
        name: Name of the model.
        layers: One entry per call of a layer. A shared layer has several, with unique names.
        parameters: Number of all weights.
        trainable_parameters: Number of weights that training changes.
        rows: Number of layers that `summary` lists; None if unknown.
    """

    name: str
    layers: list[LayerInfo]
    parameters: int
    trainable_parameters: int
    rows: int | None = None


@dataclass
class ClassScores:
    """Figures of one class: scores in [0, 1], and `support`, its number of test rows."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass
class Average:
    """Scores averaged over the classes, in [0, 1]."""

    precision: float
    recall: float
    f1: float


@dataclass
class CalibrationBin:
    """Test rows with a confidence in (`low`, `high`].

    Args:
        low: Lower end of the interval.
        high: Upper end of the interval.
        count: Number of rows.
        confidence: Mean confidence; None without rows.
        accuracy: Share of right predictions; None without rows.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass
class Curve:
    """Points of a curve, each with the threshold above which a row counts as positive."""

    x: list[float]
    y: list[float]
    thresholds: list[float | None]


@dataclass
class Cut:
    """The confusion matrix at one threshold.

    Args:
        threshold: Probability from which on a row counts as positive.
        found: True positives.
        missed: False negatives.
        raised: False positives (false alarms).
        passed: True negatives.
    """

    threshold: float
    found: int
    missed: int
    raised: int
    passed: int


@dataclass
class TwoClasses:
    """Further figures for two classes, of which the second is the positive one.

    Args:
        auc: Area under the ROC curve; None if only one class occurs.
        average_precision: Area under the precision-recall curve; None if only one class occurs.
        roc: False positive rate (x) and true positive rate (y).
        precision_recall: Recall (x) and precision (y).
        cuts: Confusion matrices at the thresholds 0.1 to 0.9.
    """

    auc: float | None
    average_precision: float | None
    roc: Curve
    precision_recall: Curve
    cuts: list[Cut]


@dataclass
class ClassificationMetrics:
    """`metrics.json` of a classification.

    Args:
        rows: Number of test rows.
        loss: The test loss; None if unknown or not finite.
        accuracy: Share of right predictions.
        chance: Accuracy of always predicting the most common class of the test rows.
        classes: Figures of each class.
        macro: Mean over the classes.
        weighted: Mean over the classes, weighted by support.
        confusion: `confusion[i][j]`: rows of class i that were predicted as class j.
        calibration: Ten bins of confidence.
        ece: Expected calibration error: mean difference between confidence and accuracy over the
            bins.
        two_classes: Curves and thresholds, for two classes only.
        compiled: The metrics of `compile` by name, as `evaluate` returns them; None if not finite.
    """

    rows: int
    loss: float | None
    accuracy: float
    chance: float
    classes: list[ClassScores]
    macro: Average
    weighted: Average
    confusion: list[list[int]]
    calibration: list[CalibrationBin]
    ece: float
    two_classes: TwoClasses | None = None
    compiled: dict[str, float | None] = field(default_factory=dict)
    task: str = "classification"


@dataclass
class LabelScores:
    """Figures of one of several labels: scores in [0, 1] and two numbers of rows.

    `support` is the number of rows that have the label, `named` that of rows for which the model
    predicts it.
    """

    name: str
    precision: float
    recall: float
    f1: float
    accuracy: float
    support: int
    named: int
    auc: float | None


@dataclass
class MultiLabelMetrics:
    """`metrics.json` of a task with several labels per row.

    A label is predicted if its probability is at least 0.5.

    Args:
        rows: Number of rows.
        loss: The loss; None if unknown or not finite.
        exact: Share of rows with all labels right.
        accuracy: Share of right predictions over all labels.
        baseline: The same for always predicting the more common value of each label.
        labels: Figures of each label.
        macro: Mean over the labels.
        micro: Scores over all predictions together.
        compiled: The metrics of `compile` by name, as `evaluate` returns them; None if not finite.
    """

    rows: int
    loss: float | None
    exact: float
    accuracy: float
    baseline: float
    labels: list[LabelScores]
    macro: Average
    micro: Average
    compiled: dict[str, float | None] = field(default_factory=dict)
    task: str = "multilabel"


@dataclass
class TargetScores:
    """Figures of one of several predicted numbers; see `RegressionMetrics`."""

    name: str
    mae: float
    rmse: float
    r2: float | None
    baseline_rmse: float
    baseline_mae: float


@dataclass
class RegressionMetrics:
    """`metrics.json` of a regression; the errors are in the target's unit.

    Args:
        rows: Number of test rows.
        loss: The test loss; None if unknown or not finite.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        r2: Share of the target's variance that the predictions explain, at most 1; None for fewer
            than two rows.
        baseline_rmse: RMSE of always predicting the mean of the test targets.
        baseline_mae: MAE of always predicting their median.
        targets: Number of targets per row.
        each: Figures of each target; empty for a single one.
        compiled: The metrics of `compile` by name, as `evaluate` returns them; None if not finite.
    """

    rows: int
    loss: float | None
    mae: float
    rmse: float
    r2: float | None
    baseline_rmse: float
    baseline_mae: float
    targets: int = 1
    each: list[TargetScores] = field(default_factory=list)
    compiled: dict[str, float | None] = field(default_factory=dict)
    task: str = "regression"


@dataclass
class WorstRow:
    """A row of a table: its number (from 0), its index label, and its cells as text."""

    place: int
    index: str
    values: list[str]


@dataclass
class WorstRows:
    """`worst_rows.json`: the rows of a table with the largest errors, largest first.

    Args:
        columns: Names of the columns.
        rows: The rows.
    """

    columns: list[str]
    rows: list[WorstRow]


Metrics = ClassificationMetrics | MultiLabelMetrics | RegressionMetrics


@dataclass
class Predictions:
    """`predictions.npz`: the predictions for the test rows.

    Args:
        labels: Classes `(rows,)` int32, or the targets of a regression, float32 `(rows,)` or
            `(rows, targets)`.
        outputs: Probabilities `(rows, classes)` float16 or float32 (one column for a sigmoid), or
            predicted values of the shape of `labels`, float32.
    """

    labels: np.ndarray
    outputs: np.ndarray


@dataclass
class Samples:
    """`samples.npz`: sample images, uint8 `(count, height, width)` or `(count, height, width, 3)`.

    Args:
        images: Some images of each class.
        labels: Their classes, `(count,)`.
        wrong_images: The most confident mistakes, most confident first.
        wrong_labels: Their true classes.
        wrong_predictions: Their predicted classes.
        wrong_confidences: The probabilities of the predicted classes, in [0, 1].
    """

    images: np.ndarray
    labels: np.ndarray
    wrong_images: np.ndarray
    wrong_labels: np.ndarray
    wrong_predictions: np.ndarray
    wrong_confidences: np.ndarray
