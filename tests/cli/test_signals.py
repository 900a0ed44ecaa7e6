"""Signals at random moments: a run folder is complete or absent, and the status is the signal's."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from gazelle.cli import signals as module
from gazelle.cli.signals import Ended, Signals, handling

from .test_training import FILES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]


@pytest.fixture
def harmless():
    """A signal that comes after the command has ended does nothing."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# A signal between `open` and `with` leaves it to the garbage collector to close the file.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("presses", [1, 2])
def test_at_any_moment_the_run_is_complete_or_absent(
    number, presses, gazelle, harmless, images, shades_run
):
    # shades_run has imported all modules: an interrupted import would leave one half loaded.
    moments = random.Random(int(number) + presses)
    for trial in range(6):
        name = f"trial-{trial}"
        timers = [
            threading.Timer(moments.uniform(0, 1.2), os.kill, (os.getpid(), number))
            for _ in range(presses)
        ]
        for timer in timers:
            timer.start()
        result = gazelle("train", images, "--epochs", "30", "--hidden", "4", "--name", name)
        for timer in timers:
            timer.join()
        assert result.status in (0, 128 + number)
        assert "Traceback" not in result.err
        assert "ignored" not in result.err
        left = {path.name for path in Path("runs").iterdir()} if Path("runs").exists() else set()
        assert [entry for entry in left if entry.startswith(".")] in ([], [".interrupted"])
        if name in left:
            files = {path.name for path in (Path("runs") / name).iterdir()}
            assert files in (FILES, FILES - {"history.csv"})  # of a training without an epoch
            assert f"Report: runs/{name}/report.html" in result.out
        else:
            assert result.status == 128 + number
            assert "Report: " not in result.out
            assert presses == 2 or "Epoch 1/" not in result.out, "one signal lost the results"


def test_the_first_signal_asks_the_second_ends_and_none_undoes_finished_work():
    asked = []
    signals = Signals()
    signals.keep(lambda: asked.append(True))
    signals.handle(signal.SIGTERM, None)
    assert asked == [True]
    assert (signals.stop_requested, signals.ending, signals.status(0)) == (True, False, 143)
    signals.finish()
    signals.handle(signal.SIGINT, None)
    assert signals.status(0) == 143
    signals = Signals()
    signals.keep(lambda: None)
    signals.handle(signal.SIGINT, None)
    with pytest.raises(Ended):
        signals.handle(signal.SIGINT, None)
    signals.handle(signal.SIGINT, None)  # does not disturb the cleanup
    with pytest.raises(Ended):
        signals.finish()


def test_handlers_and_the_hook_are_restored():
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.getsignal(number) for number in numbers], module.sys.unraisablehook
    with handling() as signals:
        assert signal.getsignal(signal.SIGHUP) == signals.handle
    assert ([signal.getsignal(number) for number in numbers], module.sys.unraisablehook) == before
