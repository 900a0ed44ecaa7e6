"""Signals at random moments: a run folder is whole or not there, and the exit status tells the signal."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from gazelle.cli import signals as module
from gazelle.cli.signals import Ended, Signals, listening

from .test_training import FILES

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def harmless():
    """A signal that comes after the command has ended does nothing."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("presses", [1, 2])
def test_at_any_moment_the_run_is_whole_or_not_there(
    number, presses, gazelle, harmless, images, shades_run
):
    # shades_run: a module that is broken off while it is loaded stays half loaded in this process.
    moments = random.Random(int(number) + presses)
    for trial in range(6):
        name = f"trial-{trial}"
        timers = [
            threading.Timer(moments.uniform(0, 1.2), os.kill, (os.getpid(), number))
            for _ in range(presses)
        ]
        for timer in timers:
            timer.start()
        answer = gazelle("train", images, "--epochs", "30", "--hidden", "4", "--name", name)
        for timer in timers:
            timer.join()
        assert answer.status in (0, 128 + number)
        assert "Traceback" not in answer.err
        assert "ignored" not in answer.err
        left = {path.name for path in Path("runs").iterdir()} if Path("runs").exists() else set()
        assert not [entry for entry in left if entry.startswith(".")]
        if name in left:
            assert {path.name for path in (Path("runs") / name).iterdir()} == FILES
            assert f"Report: runs/{name}/report.html" in answer.out
        else:
            assert answer.status == 128 + number
            assert "Report: " not in answer.out
            assert presses == 2 or "Epoch 1/" not in answer.out, "one signal lost what was learned"


def test_the_first_signal_asks_the_second_ends_and_none_undoes_what_is_done():
    asked = []
    signals = Signals()
    signals.keep(lambda: asked.append(True))
    signals.hear(signal.SIGTERM, None)
    assert (asked, signals.asked, signals.ending, signals.status(0)) == ([True], True, False, 143)
    signals.finish()
    signals.hear(signal.SIGINT, None)
    assert signals.status(0) == 143
    signals = Signals()
    signals.keep(lambda: None)
    signals.hear(signal.SIGINT, None)
    with pytest.raises(Ended):
        signals.hear(signal.SIGINT, None)
    signals.hear(signal.SIGINT, None)  # does not disturb the cleaning up
    with pytest.raises(Ended):
        signals.finish()


def test_handlers_and_the_hook_are_those_of_before_afterwards():
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = [signal.getsignal(number) for number in numbers], module.sys.unraisablehook
    with listening() as heard:
        assert signal.getsignal(signal.SIGHUP) == heard.hear
    assert ([signal.getsignal(number) for number in numbers], module.sys.unraisablehook) == before
