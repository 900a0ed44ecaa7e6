"""What the files of a run folder hold: plain dataclasses, one for each file and its parts."""

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
    """Whether the rows of the report were met in training, as far as digests of some rows can tell.

    Args:
        train: Share of the sampled training rows that are among the report's rows; None where it is
            not known.
        validation: The same of the validation rows of the last fit.
        sampled: How many training rows were sampled.
    """

    train: float | None = None
    validation: float | None = None
    sampled: int = 0


@dataclass
class RunConfig:
    """`config.json`: what was asked, of which data, with which settings, where and when.

    Args:
        title: Headline of the report.
        task: `"classification"`, `"multilabel"` or `"regression"`.
        data: Name of the data set.
        splits: The parts of the data, training first.
        question: One or two sentences: what the network is to find out.
        input_shape: Shape of one row without the batch axis: `[32, 32, 3]`.
        class_names: Names of the classes (or labels) in the order of their numbers; empty for
            regression.
        settings: Name and value of each setting, in the order in which they are to be shown. Usual
            names: `optimizer`, `learning_rate`, `batch_size`, `epochs`, `loss`, `seed`.
        versions: Version of each package: `gazelle`, `jax`, `numpy`, `python`.
        device: The machine in words: `"cpu (2 cores)"`.
        started: Start of the training, ISO 8601.
        durations: Seconds of each stage: `load`, `compile`, `train`, `evaluate`.
        stop_reason: Why training ended, a sentence; empty when all epochs were run.
        fits: What each call of `fit` recorded, in order; empty where nothing was.
        weights_changed: Whether weights were set after the last `fit` (`load_weights`,
            `set_weights`); None where it is not known.
        seen: Whether the report's rows were met in training.
        target_names: Names of the numbers that a regression predicts; empty where they have none.
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
        """The part of the data called `name`, None where there is none."""
        return next((split for split in self.splits if split.name == name), None)


@dataclass
class LayerInfo:
    """One box in the drawing of a network.

    Args:
        name: Unique name within the network.
        type: Class name: `"Dense"`.
        output_shapes: Shape of each output with the batch axis, None for an unknown size: `[[None,
            10]]`.
        parameters: Number of weights.
        units: Width of the layer, None where the layer has no such number.
        activation: Name of its activation; None for none and for linear.
        trainable: Whether training changes its weights.
        inbound: Names of the layers whose outputs it takes; each of them stands before it in the
            list.
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
        layers: One entry for each call of a layer (a shared layer has one for each call, names made
            unique).
        parameters: All weights.
        trainable_parameters: Weights that training changes.
        rows: How many layers `summary` lists; None where unknown.
    """

    name: str
    layers: list[LayerInfo]
    parameters: int
    trainable_parameters: int
    rows: int | None = None


@dataclass
class ClassScores:
    """Figures of one class, each score in [0, 1]; `support` is the number of test rows of the class."""

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
    """Test rows whose confidence lies in (`low`, `high`]: their number, mean confidence and share of right answers."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass
class Curve:
    """Points of a curve, thinned, each with the threshold from which on a row counts as positive."""

    x: list[float]
    y: list[float]
    thresholds: list[float | None]


@dataclass
class Cut:
    """What a threshold costs: rows of the positive class found and missed, of the other one raised and passed."""

    threshold: float
    found: int
    missed: int
    raised: int
    passed: int


@dataclass
class TwoClasses:
    """What can be said of two classes beside the scores; the second class is the positive one.

    Args:
        auc: Area under the ROC curve; None where only one class occurs.
        average_precision: Area under the precision-recall curve; None where the positive class does
            not occur.
        roc: False positive rate against true positive rate.
        precision_recall: Recall against precision.
        cuts: Thresholds from 0.1 to 0.9, and what each costs.
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
        loss: The test loss, None where unknown or not finite.
        accuracy: Share of right answers.
        chance: Accuracy of always naming the commonest class of the test rows.
        classes: Figures of each class.
        macro: Plain mean over the classes.
        weighted: Mean over the classes weighted by support.
        confusion: `confusion[i][j]` rows of class i were taken for class j.
        calibration: Ten bins of confidence.
        ece: Expected calibration error: mean distance between confidence and accuracy over the
            bins.
        two_classes: Of two classes: curves and thresholds.
        compiled: The user's own metrics by name, as `evaluate` gives them; None where not finite.
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
    """Figures of one label of several, each in [0, 1].

    `support` is the number of rows that have it, `named` of those to which the model gives it.
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
    """`metrics.json` where each row may have several labels; a label counts as named from 0.5 on.

    Args:
        rows: Number of rows.
        loss: The loss, None where unknown or not finite.
        exact: Share of rows of which all labels are right.
        accuracy: Share of right answers over all labels.
        baseline: The same, always giving each label's commoner answer.
        labels: Figures of each label.
        macro: Plain mean over the labels.
        micro: Over all answers together.
        compiled: The user's own metrics by name.
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
    """Figures of one of several numbers that are predicted; see `RegressionMetrics`."""

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
        loss: The test loss, None where unknown or not finite.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        r2: Share of the target's variance that the predictions explain, at most 1; None for fewer
            than two rows.
        baseline_rmse: RMSE of always answering the mean of the test targets.
        baseline_mae: MAE of always answering their median.
        targets: Number of numbers that are predicted for each row.
        each: Figures of each of several targets; empty for one.
        compiled: The user's own metrics by name, as `evaluate` gives them; None where not finite.
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
    """A row with its place (from 0), the name of its index, and the values of its columns as text."""

    place: int
    index: str
    values: list[str]


@dataclass
class WorstRows:
    """`worst_rows.json`: rows of a table on which the model was most wrong, worst first.

    Args:
        columns: Names of the columns.
        rows: The rows.
    """

    columns: list[str]
    rows: list[WorstRow]


Metrics = ClassificationMetrics | MultiLabelMetrics | RegressionMetrics


@dataclass
class Predictions:
    """The answers for the test rows.

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
    """Pictures to show, uint8 `(count, height, width)` or `(count, height, width, 3)`, with what is known of each.

    Args:
        images: Some pictures of each class.
        labels: Their classes, `(count,)`.
        wrong_images: The pictures on which the model was wrong and most sure of itself, worst
            first.
        wrong_labels: Their true classes.
        wrong_predictions: The classes that the model named.
        wrong_confidences: The probabilities that it gave to these, in [0, 1].
    """

    images: np.ndarray
    labels: np.ndarray
    wrong_images: np.ndarray
    wrong_labels: np.ndarray
    wrong_predictions: np.ndarray
    wrong_confidences: np.ndarray
