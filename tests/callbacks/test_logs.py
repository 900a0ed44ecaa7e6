import csv
import math
import sys
import types

import keras
import numpy as np
import pytest

import gazelle
from gazelle.callbacks import CallbackList, CSVLogger, History, LambdaCallback, TerminateOnNaN
from gazelle.callbacks._base import HOOKS


def test_history_records_as_keras_does_over_two_runs(drive):
    ours, theirs = History(), keras.callbacks.History()
    for epochs in ([{"loss": 2.0, "val_loss": 1.0}, {"loss": 1.0}], [{"loss": 0.5, "mae": 3.0}]):
        drive(ours, epochs)
        drive(theirs, epochs)
        assert (ours.history, ours.epoch, ours.params) == (
            theirs.history,
            theirs.epoch,
            theirs.params,
        )


class _Figure:
    def __init__(self, *arguments):
        self.arguments = arguments
        self.saved = []

    def savefig(self, path):
        path.write_bytes(b"picture")
        self.saved.append(path.suffix)


def test_plot_passes_the_chosen_curves_to_the_plots_package(drive, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gazelle._plots", types.SimpleNamespace(curves=_Figure))
    history = History()
    drive(history, [{"loss": 2.0, "mae": 1.0, "val_loss": 1.0}])
    assert history.plot().arguments == (history.history, [1])
    figure = history.plot(tmp_path / "a.png", metrics="loss")
    assert figure.arguments == ({"loss": [2.0], "val_loss": [1.0]}, [1])
    assert [path.name for path in tmp_path.iterdir()] == [
        "a.png"
    ]  # complete, and no temporary file is left
    assert figure.saved == [".png"]
    with pytest.raises(ValueError, match=r"No metric 'mea' was recorded(.|\n)*'mae'"):
        history.plot(metrics=["mea"])
    with pytest.raises(ValueError, match="no epoch was run"):
        History().plot()


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize(
    "epochs",
    [
        [
            {"loss": 1.0, "acc": np.float32(0.5)},
            {"loss": 0.5, "acc": 0.25, "val_loss": 3.0, "val_acc": 0.1},
        ],
        [{"loss": 1.0, "val_loss": 0.5}, {"loss": 1.0}, {"loss": 1, "other": 4}],
        [{"loss": 1.0, "a": np.array([1, 2]), "b": "text", "learning_rate": 0.1}],
        [],
    ],
)
def test_the_csv_file_is_the_one_that_keras_writes(drive, tmp_path, epochs, separator):
    drive(CSVLogger(tmp_path / "ours.csv", separator), epochs)
    drive(keras.callbacks.CSVLogger(str(tmp_path / "theirs.csv"), separator), epochs)
    assert (tmp_path / "ours.csv").read_text() == (tmp_path / "theirs.csv").read_text()


def test_append_continues_a_file_with_its_columns(drive, tmp_path):
    path = tmp_path / "log.csv"
    drive(CSVLogger(path), [{"loss": 2.0, "val_loss": 1.0}])
    drive(
        CSVLogger(path, append=True), [{"acc": 0.5, "loss": 3.0, "val_acc": 0.1, "val_loss": 4.0}]
    )
    with open(path) as file:
        assert list(csv.reader(file)) == [
            ["epoch", "loss", "val_loss"],
            ["0", "2.0", "1.0"],
            ["0", "3.0", "4.0"],
        ]


def test_append_to_a_missing_or_empty_file_writes_a_header(drive, tmp_path):
    (tmp_path / "empty.csv").touch()
    for name in ("empty.csv", "absent.csv"):
        drive(CSVLogger(tmp_path / name, append=True), [{"loss": 2.0, "val_loss": 1.0}])
        assert (tmp_path / name).read_text() == "epoch,loss,val_loss\n0,2.0,1.0\n"


def test_a_line_is_in_the_file_when_its_epoch_has_ended(tmp_path):
    callback = CSVLogger(tmp_path / "log.csv")
    callback.on_train_begin()
    callback.on_epoch_end(0, {"val_loss": 1.0})
    assert (tmp_path / "log.csv").read_text() == "epoch,val_loss\n0,1.0\n"
    callback.on_train_end()


def test_without_append_a_second_run_replaces_the_file(drive, tmp_path):
    callback = CSVLogger(tmp_path / "log.csv")
    drive(callback, [{"val_loss": 1.0}])
    drive(callback, [{"val_mae": 2.0}])
    assert (tmp_path / "log.csv").read_text() == "epoch,val_mae\n0,2.0\n"


def test_lambda_callback_calls_the_functions_it_was_given(drive):
    calls = []
    callback = LambdaCallback(
        on_train_begin=lambda logs: calls.append("begin"),
        on_epoch_end=lambda epoch, logs: calls.append((epoch, logs["loss"])),
        on_test_end=lambda logs: calls.append(("test", logs)),
    )
    drive(callback, [{"loss": 1.0}])
    CallbackList(callback).on_test_end({"loss": 2.0})
    assert calls == ["begin", (0, 1.0), ("test", {"loss": 2.0})]


def test_lambda_callback_has_every_hook_of_a_run():
    calls = []

    def noted(name):
        return lambda *given: calls.append(name)

    hooks = [
        name for name in HOOKS if name not in ("on_batch_begin", "on_batch_end", "on_progress")
    ]
    callback = LambdaCallback(**{name: noted(name) for name in hooks})
    model = gazelle.Sequential([gazelle.Input((2,)), gazelle.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2))
    model.fit(x, x[:, :1], verbose=0, validation_data=(x, x[:, :1]), callbacks=[callback])
    model.predict(x, callbacks=[callback])
    assert sorted(set(calls)) == sorted(hooks)
    assert (callback.model, callback.params) == (model, {"verbose": 0, "epochs": 1, "steps": 1})


def test_lambda_callback_refuses_functions_that_would_never_be_called():
    with pytest.raises(TypeError, match=r"no hook 'on_epoch_ends'(.|\n)*on_epoch_end"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="on_epoch_end is not callable"):
        LambdaCallback(on_epoch_end="print")


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32("nan")])
def test_terminate_on_nan_stops_inside_the_epoch_without_batch_hooks(fake_model, capsys, value):
    model = fake_model()
    callbacks = CallbackList(TerminateOnNaN(), model=model, steps=9)
    assert not callbacks.has_batch_hooks("train")
    callbacks.on_train_begin()
    callbacks.on_progress("train", 2, {"loss": 1.0})
    callbacks.on_progress("test", 2, {"loss": value})
    assert not model.stop_training
    callbacks.on_progress("train", 4, {"loss": value})
    assert model.stop_training
    callbacks.on_epoch_end(0, {"loss": value})
    assert capsys.readouterr().out == "Batch 3: Invalid loss, terminating training\n"


def test_terminate_on_nan_stops_at_an_epochs_end(drive):
    model, seen = drive(TerminateOnNaN(), [{"loss": 1.0}, {"loss": math.nan}, {"loss": 1.0}])
    assert model.stop_training
    assert len(seen) == 2


def test_terminate_on_nan_raises_when_asked_to():
    with pytest.raises(
        RuntimeError, match=r"NaN or Inf loss encountered at batch 3\. Loss value: inf\."
    ):
        TerminateOnNaN(raise_error=True).on_progress("train", 4, {"loss": math.inf})
