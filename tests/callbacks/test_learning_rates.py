import math

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gazelle.callbacks import LearningRateScheduler, ReduceLROnPlateau


def _epochs(values):
    return [{"loss": 1.0, "val_loss": value} for value in values]


# `drive` has no state that two examples could share.
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    first=st.sampled_from([0.5, 1.0]),
    rest=st.lists(st.sampled_from([0.0, 0.5, 0.99995, 1.0, 1.5, math.nan]), max_size=14),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 3),
    factor=st.sampled_from([0.1, 0.5]),
    mode=st.sampled_from(["min", "max"]),
    min_lr=st.sampled_from([0.0, 0.001, 0.03]),
    min_delta=st.sampled_from([1e-4, 0.0, 0.5, -0.5]),
)
def test_reduce_lr_on_plateau_sets_and_logs_the_rates_that_keras_does(
    drive, first, rest, patience, cooldown, factor, mode, min_lr, min_delta
):
    results = []
    for cls in (ReduceLROnPlateau, keras.callbacks.ReduceLROnPlateau):
        callback = cls(
            patience=patience,
            cooldown=cooldown,
            factor=factor,
            mode=mode,
            min_lr=min_lr,
            min_delta=min_delta,
        )
        model, seen = drive(callback, _epochs([first, *rest]))
        results.append(
            ([logs["learning_rate"] for logs in seen], model.optimizer.learning_rate, callback.wait)
        )
    assert results[0] == results[1]


def _lines(text):
    return [line for line in text.splitlines() if line]


def test_the_messages_are_keras_messages(drive, capsys):
    outputs = []
    for library in (None, keras.callbacks):
        reduce = library.ReduceLROnPlateau if library else ReduceLROnPlateau
        schedule = library.LearningRateScheduler if library else LearningRateScheduler
        drive(reduce(patience=1, verbose=1), _epochs([1, 1, 1]))
        drive(schedule(lambda epoch, rate: rate * 0.5, verbose=1), _epochs([1, 1]))
        outputs.append(_lines(capsys.readouterr().out))
    assert outputs[0] == outputs[1] != []


def test_the_rate_is_also_logged_if_the_monitor_is_missing(drive):
    with pytest.warns(
        UserWarning, match="Learning rate reduction is conditioned on metric `val_loss`"
    ):
        _, seen = drive(ReduceLROnPlateau(), [{"loss": 1.0}])
    assert seen[0]["learning_rate"] == float(np.float32(0.1))


def test_a_factor_of_one_is_refused():
    with pytest.raises(ValueError, match=r"does not support a factor >= 1\.0"):
        ReduceLROnPlateau(factor=1.0)


def test_epsilon_is_the_old_name_of_min_delta_and_others_warn():
    assert ReduceLROnPlateau(epsilon=0.3).min_delta == 0.3
    with pytest.warns(UserWarning, match=r"unknown arguments \['lr'\]"):
        ReduceLROnPlateau(lr=0.1)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate * 0.9,
        lambda epoch: 0.1 / (epoch + 1),
        lambda epoch: np.float32(0.1) / np.float32(epoch + 2),
    ],
)
def test_schedules_of_one_or_two_arguments_give_the_rates_of_keras(drive, schedule):
    ours = drive(LearningRateScheduler(schedule), _epochs([1] * 4))[1]
    theirs = drive(keras.callbacks.LearningRateScheduler(schedule), _epochs([1] * 4))[1]
    assert ours == theirs


def test_a_type_error_inside_a_schedule_is_not_hidden(drive):
    def schedule(epoch, rate):
        return rate + "a"

    with pytest.raises(TypeError, match="unsupported operand"):
        drive(LearningRateScheduler(schedule), _epochs([1]))


@pytest.mark.parametrize("value", [1, "0.1", None, np.array([0.1])])
def test_a_schedule_must_return_a_float(drive, value):
    with pytest.raises(ValueError, match="should be a float"):
        drive(LearningRateScheduler(lambda epoch: value), _epochs([1]))
