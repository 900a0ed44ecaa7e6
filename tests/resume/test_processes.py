"""Whole programs that are killed, or end by a signal, and are run again."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from resume.kills import run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]


def test_killed_trainings_end_with_the_same_results():
    found = run(count=6, seed=3)
    assert (found["failed"], found["differing"]) == (0, 0)


PROGRAM = """
    import json, os, signal, sys
    import numpy as np
    import gazelle
    from gazelle import callbacks, layers

    number, epoch = int(sys.argv[1]), int(sys.argv[2])

    class Signals(callbacks.Callback):
        def on_epoch_begin(self, now, logs=None):
            if now == epoch:
                os.kill(os.getpid(), number)

    gazelle.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(300, 5)).astype("float32")
    model = gazelle.Sequential([layers.Input((5,)), layers.Dropout(0.3), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(
        x, x[:, :1], epochs=5, verbose=2, callbacks=[Signals(), callbacks.BackupAndRestore("b")]
    )
    print(json.dumps([weight.tolist() for weight in model.get_weights()]))
"""


def run_program(folder, number, epoch):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(int(number)), str(epoch)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("number", "statuses"), [(signal.SIGTERM, (143,)), (signal.SIGINT, (130, -signal.SIGINT))]
)
def test_a_signal_saves_ends_the_program_and_says_how_to_go_on(tmp_path, number, statuses):
    whole = run_program(tmp_path, number, 99)
    cut = run_program(tmp_path, number, 2)
    assert cut.returncode in statuses
    assert "Interrupted in epoch 3: the training is saved in b/latest.weights.h5." in cut.stdout
    assert "Run the same program again to go on." in cut.stdout
    assert (tmp_path / "b" / "latest.weights.h5").exists()
    resumed = run_program(tmp_path, number, 99)
    assert "of epoch 3, from 'b/latest.weights.h5'." in resumed.stdout
    assert json.loads(resumed.stdout.splitlines()[-1]) == json.loads(whole.stdout.splitlines()[-1])
    assert not (tmp_path / "b").exists()
