import warnings

import pytest

from gazelle.callbacks import EarlyStopping
from gazelle.callbacks._monitor import direction

RISING = [
    "acc",
    "val_acc",
    "sparse_categorical_accuracy",
    "auc",
    "val_auc_1",
    "precision",
    "recall",
    "top_5",
    "fmeasure",
]
RISING += ["f1", "f1_score", "r2", "val_out_r2_score", "fbeta_score", "top_k_categorical_accuracy"]
FALLING = [
    "mse",
    "val_mse",
    "mean_squared_error",
    "mae",
    "rmse",
    "binary_crossentropy",
    "kl_divergence",
    "mse_layer2",
    "hinge",
]


class Metric:
    def __init__(self, name, way=None, metrics=()):
        self.name = name
        self._direction = way
        self.metrics = list(metrics)


@pytest.mark.parametrize(
    "monitor", ["loss", "val_loss", "val_out_loss", "out_loss", "val_loss_loss"]
)
def test_losses_fall(monitor):
    assert direction(monitor) == "min"


@pytest.mark.parametrize(
    ("monitor", "way"),
    [
        ("gain", "max"),
        ("val_gain", "max"),
        ("val_out_gain", "max"),
        ("accuracy", "min"),
        ("val_accuracy", "min"),
    ],
)
def test_the_direction_of_a_metric_takes_precedence_over_its_name(monitor, way):
    metrics = [
        Metric("loss"),
        Metric("compile_metrics", metrics=[Metric("gain", "up"), Metric("accuracy", "down")]),
    ]
    assert direction(monitor, metrics) == way


def test_the_longest_metric_name_at_the_end_of_the_monitor_wins():
    metrics = [Metric("error", "down"), Metric("explained_error", "up")]
    assert direction("val_out_explained_error", metrics) == "max"
    assert direction("val_out_error", metrics) == "min"


@pytest.mark.parametrize("name", RISING)
def test_names_of_scores_are_guessed_to_rise(name):
    assert direction(name) == "max"


@pytest.mark.parametrize("name", FALLING)
def test_names_of_errors_are_guessed_to_fall(name):
    assert direction(name) == "min"


def test_an_unknown_name_is_taken_to_fall_with_a_warning():
    with pytest.warns(UserWarning, match="cannot tell whether 'val_weirdness' should rise or fall"):
        assert direction("val_weirdness") == "min"


def test_a_monitor_that_is_missing_warns_once_with_the_nearest_names_first(drive):
    callback = EarlyStopping(monitor="val_acuracy", patience=5)
    logs = {"loss": 1.0, "val_loss": 1.0, "val_accuracy": 0.5}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, _ = drive(callback, [logs] * 3)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "conditioned on metric `val_acuracy` which is not available" in text
    assert "Available metrics are: val_accuracy" in text
    assert not model.stop_training


def test_a_missing_val_monitor_without_validation_says_how_to_get_it(drive):
    with pytest.warns(
        UserWarning, match=r"validation_data or validation_split to fit, or monitor='loss'"
    ):
        drive(EarlyStopping(), [{"loss": 1.0}])


def test_epochs_without_validation_do_not_warn_once_the_value_was_seen(drive):
    callback = EarlyStopping(patience=2)
    _, seen = drive(
        callback,
        [{"val_loss": 1.0}, {"loss": 1.0}, {"val_loss": 2.0}, {"loss": 1.0}, {"val_loss": 3.0}, {}],
    )
    assert len(seen) == 5
    assert callback.stopped_epoch == 4


def test_an_unknown_mode_warns_and_falls_back_to_auto():
    with pytest.warns(
        UserWarning, match="EarlyStopping mode 'up' is unknown, fallback to auto mode"
    ):
        assert EarlyStopping(mode="up").mode == "auto"


def test_a_monitored_array_is_refused(drive):
    with pytest.raises(ValueError, match="not a single number"):
        drive(EarlyStopping(monitor="f1"), [{"f1": [0.5, 0.6]}])
