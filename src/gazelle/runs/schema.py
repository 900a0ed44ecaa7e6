"""What the JSON files of a run folder hold: plain dataclasses, one for each file and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

Scalar = str | int | float | bool | None


@dataclass
class Split:
    """One part of the data.

    Args:
        name: `"train"`, `"validation"` or `"test"`.
        rows: Number of rows.
        class_counts: Rows of each class, in the order of `RunConfig.class_names`; empty for regression.
    """

    name: str
    rows: int
    class_counts: list[int] = field(default_factory=list)


@dataclass
class RunConfig:
    """`config.json`: what was asked, of which data, with which settings, where and when.

    Args:
        title: Headline of the report.
        task: `"classification"` or `"regression"`.
        data: Name of the data set.
        splits: The parts of the data, training first.
        question: One or two sentences: what the network is to find out.
        input_shape: Shape of one row without the batch axis: `[32, 32, 3]`.
        class_names: Names of the classes in the order of their numbers; empty for regression.
        settings: Name and value of each setting, in the order in which they are to be shown. Usual names: `optimizer`,
            `learning_rate`, `batch_size`, `epochs`, `loss`, `seed`.
        versions: Version of each package: `gazelle`, `jax`, `numpy`, `python`.
        device: The machine in words: `"cpu (2 cores)"`.
        started: Start of the training, ISO 8601.
        durations: Seconds of each stage: `load`, `compile`, `train`, `evaluate`.
        stop_reason: Why training ended, a sentence; empty when all epochs were run.
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

    def split(self, name: str) -> Split | None:
        """The part of the data called `name`, None where there is none."""
        return next((split for split in self.splits if split.name == name), None)


@dataclass
class LayerInfo:
    """One box in the drawing of a network.

    Args:
        name: Unique name within the network.
        type: Class name: `"Dense"`.
        output_shapes: Shape of each output with the batch axis, None for an unknown size: `[[None, 10]]`.
        parameters: Number of weights.
        units: Width of the layer, None where the layer has no such number.
        activation: Name of its activation; None for none and for linear.
        trainable: Whether training changes its weights.
        inbound: Names of the layers whose outputs it takes; each of them stands before it in the list.
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
        layers: One entry for each call of a layer (a shared layer has one for each call, names made unique).
        parameters: All weights.
        trainable_parameters: Weights that training changes.
    """

    name: str
    layers: list[LayerInfo]
    parameters: int
    trainable_parameters: int


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
        ece: Expected calibration error: mean distance between confidence and accuracy over the bins.
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
    task: str = "classification"


@dataclass
class RegressionMetrics:
    """`metrics.json` of a regression; the errors are in the target's unit.

    Args:
        rows: Number of test rows.
        loss: The test loss, None where unknown or not finite.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        r2: Share of the target's variance that the predictions explain, at most 1; None for fewer than two rows.
        baseline_rmse: RMSE of always answering the mean of the test targets.
        baseline_mae: MAE of always answering their median.
        targets: Number of numbers that are predicted for each row.
    """

    rows: int
    loss: float | None
    mae: float
    rmse: float
    r2: float | None
    baseline_rmse: float
    baseline_mae: float
    targets: int = 1
    task: str = "regression"


Metrics = ClassificationMetrics | RegressionMetrics
