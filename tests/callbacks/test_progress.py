import contextlib
import io
import re
import sys
import time
import types

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gazelle
from gazelle._engine.engine import Engine
from gazelle.callbacks import CallbackList, LambdaCallback
from gazelle.callbacks._progress import Progbar, _duration, _metric

LOGS = {"accuracy": 0.5, "loss": 0.25, "val_accuracy": 0.4, "val_loss": 0.0001}


class Model:
    stop_training = False


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set: `clock.now`."""
    clock = types.SimpleNamespace(now=1000.0)
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return clock


def _fit(verbose=1, epochs=2, steps=4, callbacks=(), clock=None, step_time=0.5, logs=LOGS):
    run = CallbackList(
        list(callbacks),
        add_progbar=True,
        model=Model(),
        verbose=verbose,
        epochs=epochs,
        steps=steps,
    )
    run.on_train_begin()
    for epoch in range(epochs):
        run.on_epoch_begin(epoch)
        for step in range(steps or 4):
            if clock:
                clock.now += step_time
            run.on_progress("train", step + 1, {"loss": 1.0 / (step + 1)})
        run.on_test_begin()
        run.on_progress("test", 1, {"loss": 9.0})
        run.on_test_end({"loss": 9.0})
        run.on_epoch_end(epoch, dict(logs))
    run.on_train_end()


def test_a_terminal_shows_one_line_per_epoch(terminal, clock):
    stream = terminal(120)
    _fit(clock=clock)
    tail = (
        "4/4 2.0s 500ms/step - accuracy: 0.5000 - loss: 0.2500 - val_accuracy: 0.4000 - val_loss:"
        " 1.0000e-04"
    )
    assert stream.rows() == [f"Epoch {n}/2 ━━━━━━━━━ {tail}" for n in (1, 2)] + [""]


def test_the_live_line_shows_steps_remaining_time_and_running_values(terminal, clock):
    stream = terminal(100)
    bar = Progbar(4, interval=0.1, head="Epoch 1/2")
    clock.now += 2.0
    bar.show(1, {"loss": 0.5})
    assert stream.rows() == [
        "Epoch 1/2 ━━━━━─────────────── 1/4 6.0s left 2.0s/step - loss: 0.5000"
    ]


def test_it_redraws_at_most_ten_times_per_second(terminal, clock):
    stream = terminal()
    _fit(epochs=1, steps=1000, clock=clock, step_time=0.001)
    assert 5 <= stream.getvalue().count("\r") <= 13


def test_the_end_of_a_run_leaves_the_cursor_on_a_new_line(terminal, clock):
    stream = terminal()
    run = CallbackList([], add_progbar=True, verbose=1, epochs=3, steps=4)
    run.on_train_begin()
    run.on_epoch_begin(0)
    clock.now += 1.0
    run.on_progress("train", 2, {"loss": 1.0})
    assert stream.rows() != [""]
    run.on_train_end()  # interrupted
    assert stream.rows() == [""]


def test_text_that_a_callback_prints_at_an_epochs_end_is_on_a_separate_line(terminal, clock):
    stream = terminal(120)
    _fit(
        clock=clock,
        epochs=1,
        callbacks=[LambdaCallback(on_epoch_end=lambda epoch, logs: print("hello"))],
    )
    assert stream.rows()[0] == "hello"
    assert stream.rows()[1].startswith("━━━━")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    columns=st.integers(2, 140),
    count=st.integers(0, 6),
    epochs=st.sampled_from([1, 1000]),
    steps=st.sampled_from([None, 1, 7]),
    color=st.booleans(),
)
def test_no_line_wraps_and_no_value_is_lost_at_any_width(
    terminal, clock, columns, count, epochs, steps, color
):
    stream = terminal(columns, color=color)
    logs = {f"{'val_' if i % 2 else ''}metric_{i}": i / 7 + 0.01 for i in range(count)}
    _fit(epochs=min(epochs, 2), steps=steps, clock=clock, logs=logs)
    shown = " ".join(stream.rows())
    if columns > 24:
        assert all(
            shown.count(_metric(name, value)) == min(epochs, 2) for name, value in logs.items()
        )


def test_long_results_continue_on_a_second_line_with_the_validation_together(terminal, clock):
    stream = terminal(80)
    _fit(clock=clock, epochs=1)
    assert stream.rows() == [
        "4/4 2.0s 500ms/step - accuracy: 0.5000 - loss: 0.2500",
        "  val_accuracy: 0.4000 - val_loss: 1.0000e-04",
        "",
    ]


def test_an_encoding_without_the_bar_gets_ascii(terminal, clock):
    stream = terminal(120, encoding="cp1252")
    bar = Progbar(4, head="größe")
    clock.now += 1.0
    bar.update(1, [("größe", 0.5), ("λ", 0.5)])
    assert stream.rows() == [
        "größe =====............... 1/4 3.0s left 1.0s/step - größe: 0.5000 - \\u03bb: 0.5000"
    ]


def test_colors_are_used_only_in_a_terminal_and_not_with_no_color(terminal, clock):
    for color in (True, False):
        stream = terminal(color=color)
        _fit(clock=clock)
        assert ("\033[" in stream.getvalue()) == color


@pytest.mark.parametrize("verbose", [1, 2, "auto", True])
def test_without_a_terminal_there_is_one_plain_line_per_epoch(capsys, clock, verbose):
    _fit(verbose, clock=clock)
    tail = (
        "4/4 - 2.0s - 500ms/step - accuracy: 0.5000 - loss: 0.2500 - val_accuracy: 0.4000 -"
        " val_loss: 1.0000e-04"
    )
    assert capsys.readouterr().out == "".join(f"Epoch {n}/2 - {tail}\n" for n in (1, 2))


def test_verbose_2_is_also_plain_in_a_terminal(terminal, clock):
    stream = terminal(40, color=True)
    _fit(2, clock=clock)
    assert re.fullmatch(r"(Epoch [12]/2 - [^\r\033\b\n]*\n){2}", stream.getvalue())


@pytest.mark.parametrize("verbose", [0, False])
def test_verbose_0_writes_nothing(capsys, verbose):
    _fit(verbose)
    assert capsys.readouterr().out == ""


def test_a_dumb_terminal_gets_plain_lines(terminal, clock, monkeypatch):
    stream = terminal()
    monkeypatch.setenv("TERM", "dumb")
    _fit(clock=clock)
    assert "\r" not in stream.getvalue()


def test_missing_standard_output_is_not_an_error(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    _fit()


def test_unknown_steps_are_counted_and_known_from_the_second_epoch(terminal, clock):
    stream = terminal(120)
    run = CallbackList([], add_progbar=True, verbose=1, epochs=2, steps=None)
    run.on_train_begin()
    for epoch in range(2):
        run.on_epoch_begin(epoch)
        clock.now += 1.0
        run.on_progress("train", 1, {})
        assert stream.rows()[-1].endswith(["1/? 1.0s 1.0s/step", "1/2 1.0s left 1.0s/step"][epoch])
        clock.now += 1.0
        run.on_progress("train", 2, {})
        run.on_epoch_end(epoch, {})


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_evaluate_and_predict_also_have_a_line(capsys, clock, stage):
    run = CallbackList([], add_progbar=True, verbose=1, steps=5)
    getattr(run, f"on_{stage}_begin")()
    clock.now += 1.0
    run.on_progress(stage, 5, {"outputs": [1, 2]} if stage == "predict" else {"loss": 0.5})
    getattr(run, f"on_{stage}_end")({"loss": 0.5})
    assert capsys.readouterr().out == "5/5 - 1.0s - 200ms/step" + (
        " - loss: 0.5000\n" if stage == "test" else "\n"
    )


class FakeNotebook:
    """A fake of IPython's display and of a notebook's standard output."""

    def __init__(self, monkeypatch):
        self.bundles = []
        self.count = 0
        stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
        module = types.ModuleType("IPython.display")
        module.display = self.display
        monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
        monkeypatch.setitem(sys.modules, "IPython.display", module)
        monkeypatch.setattr("sys.stdout", stream)
        self.stream = stream

    def display(self, bundle, raw, display_id):
        self.count += 1
        self.bundles.append(bundle)
        return self

    def update(self, bundle, raw):
        self.bundles.append(bundle)


def test_a_notebook_gets_one_small_output_that_is_updated(monkeypatch, clock):
    notebook = FakeNotebook(monkeypatch)
    _fit(epochs=1000, steps=1, clock=clock, step_time=0.001)
    text = notebook.bundles[-1]["text/plain"]
    assert notebook.count == 1
    assert notebook.stream.getvalue() == ""
    assert len(notebook.bundles) < 30  # within one second
    assert len(text) < 20_000
    assert text.splitlines()[0] == "(980 earlier lines)"
    assert text.splitlines()[-1].startswith("Epoch 1000/1000 ")


def _final_values(text):
    return re.findall(r"- (\w+): (\S+)", text)


@pytest.mark.parametrize("stateful", [None, [], ["b"]])
@pytest.mark.parametrize("final", [[], [(9, [("a", 7.0)], True)], [(9, None, True)]])
def test_progbar_averages_values_as_keras_does(stateful, final):
    calls = [
        (1, [("a", 1.0), ("b", 2.0)]),
        (3, [("a", 5.0), ("b", 4.0)]),
        (8, [("a", 0.5)]),
        *final,
    ]
    outputs = []
    for cls in (Progbar, keras.utils.Progbar):
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            bar = cls(10, verbose=2, stateful_metrics=stateful)
            for call in calls:
                bar.update(*call)
            bar.add(10 - calls[-1][0])
        outputs.append(_final_values(stream.getvalue())[:2])
    assert outputs[0] == outputs[1] != []


def test_progbar_counts_units_of_any_name(capsys, clock):
    bar = Progbar(4, unit_name="file")
    for _ in range(4):
        clock.now += 1.0
        bar.add(1)
    bar.update(4, finalize=True)
    assert capsys.readouterr().out == "4/4 - 4.0s - 1.0s/file\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5000"),
        (0.001, "1.0000e-03"),
        (0, "0.0000"),
        (2e9, "2.0000e+09"),
        (float("nan"), "nan"),
        ([1, 2], "1.5000"),
    ],
)
def test_values_are_shown_with_four_digits(value, text):
    assert _metric("x", value) == f"x: {text}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2e-6, "2us"),
        (0.048, "48ms"),
        (3.14, "3.1s"),
        (42.4, "42s"),
        (125, "2:05"),
        (3725, "1:02:05"),
    ],
)
def test_durations_are_short(seconds, text):
    assert _duration(seconds) == text


def test_overlapping_epochs_are_shown_with_their_own_times(capsys, monkeypatch):
    clock = [0.0]
    train = Engine.train

    def train_for_two_seconds(*args, **kwargs):
        logs = train(*args, **kwargs)
        np.asarray(logs.scalars)
        clock[0] += 2.0
        return logs

    model = gazelle.Sequential([gazelle.Input((3,)), gazelle.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((64, 3), "float32")
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(Engine, "train", train_for_two_seconds)
    model.fit(x, x[:, :1], epochs=5, verbose=2)
    assert (
        re.findall(r"2/2 - ([^ ]+) - ([^ ]+)", capsys.readouterr().out)
        == [("2.0s", "1.0s/step")] * 5
    )


def test_values_that_are_not_averaged():
    names = ("loss", "lr")
    for options, expected in (
        ({}, {"loss": 2.0, "lr": 2.0}),
        ({"stateful_metrics": ["lr"]}, {"loss": 2.0, "lr": 3.0}),
        ({"stateless_metrics": ["lr"]}, {"loss": 3.0, "lr": 2.0}),
    ):
        bar = Progbar(5, verbose=0, **options)
        shown = {}
        bar.show = lambda current, means, finalize, shown=shown: shown.update(means)
        for step, value in ((1, 1.0), (2, 3.0)):
            bar._seen = step - 1
            bar.update(step, [(name, value) for name in names])
        assert shown == expected
    with pytest.raises(ValueError, match="one of them"):
        Progbar(5, stateful_metrics=["a"], stateless_metrics=["b"])
