import math

import keras
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gazelle.callbacks import EarlyStopping

VALUES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 1.5])
STATE = ("best", "best_epoch", "wait", "stopped_epoch")


def _epochs(values, monitor="val_loss"):
    return [{"loss": 1.0, monitor: value} for value in values]


# `drive` has no state that two examples could share.
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    first=VALUES,
    rest=st.lists(st.one_of(VALUES, st.just(math.nan)), max_size=11),
    patience=st.integers(0, 4),
    min_delta=st.sampled_from([0, 0.25, 0.3, -0.25]),
    mode=st.sampled_from(["min", "max"]),
    baseline=st.sampled_from([None, 0.5, 0.75]),
    restore=st.booleans(),
    start=st.integers(0, 5),
)
def test_it_stops_and_restores_as_keras_does(
    drive, first, rest, patience, min_delta, mode, baseline, restore, start
):
    arguments = {
        "patience": patience,
        "min_delta": min_delta,
        "mode": mode,
        "baseline": baseline,
        "restore_best_weights": restore,
        "start_from_epoch": start,
    }
    if start and rest and math.isnan(rest[min(start, len(rest)) - 1]):
        return  # in Keras, a NaN as the first value stays the best
    results = []
    for cls in (EarlyStopping, keras.callbacks.EarlyStopping):
        callback = cls(**arguments)
        model, seen = drive(callback, _epochs([first, *rest]))
        results.append((len(seen), model.number, {name: getattr(callback, name) for name in STATE}))
    assert results[0] == results[1]


def test_a_nan_never_becomes_the_best_value(drive):
    callback = EarlyStopping(patience=3, restore_best_weights=True)
    model, seen = drive(callback, _epochs([math.nan, 3.0, 2.0, math.nan, math.nan, math.nan, 1.0]))
    assert callback.best == 2.0
    assert model.number == callback.best_epoch == 2
    assert len(seen) == 6


def test_nan_from_the_start_ends_training_after_patience(drive):
    _, seen = drive(EarlyStopping(patience=2), _epochs([math.nan] * 9))
    assert len(seen) == 2


def test_the_messages_are_keras_messages(drive, capsys):
    outputs = []
    for cls in (EarlyStopping, keras.callbacks.EarlyStopping):
        drive(cls(patience=2, verbose=1, restore_best_weights=True), _epochs([3, 2, 2.5, 2.6, 1]))
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != ""


def test_auto_mode_takes_accuracy_to_rise(drive):
    callback = EarlyStopping(monitor="val_accuracy", patience=1)
    _, seen = drive(callback, _epochs([0.1, 0.2, 0.3, 0.2], "val_accuracy"))
    assert (len(seen), callback.best) == (4, 0.3)


def test_a_second_run_starts_from_the_initial_state(drive):
    callback = EarlyStopping(patience=1, restore_best_weights=True)
    drive(callback, _epochs([0.1, 0.2, 0.3]))
    model, seen = drive(callback, _epochs([3.0, 2.0, 1.0]))
    assert (len(seen), model.number, callback.stopped_epoch) == (3, 2, 0)
