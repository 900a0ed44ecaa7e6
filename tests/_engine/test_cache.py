"""The compile cache: damaged or swapped entries do no harm."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.slow

SCRIPT = textwrap.dedent("""
    import numpy as np, gazelle
    from gazelle.layers import Dense
    x = np.ones((64, 4), "float32")
    for units in (8, 9):
        gazelle.utils.set_random_seed(0)
        model = gazelle.Sequential([gazelle.Input((4,)), Dense(units, activation="tanh"), Dense(1)])
        model.compile("sgd", "mse")
        print(model.fit(x, x[:, :1], epochs=3, verbose=0).history["loss"])
    """)


@pytest.fixture
def run(tmp_path):
    """`run()` trains two models in a new process, with one cache folder, and returns its output."""
    environment = {**os.environ, "GAZELLE_COMPILE_CACHE": str(tmp_path)}

    def once():
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return once


def test_swapped_entries_are_dropped_and_compiled_again(run, tmp_path):
    expected = run()
    first, second = tmp_path.glob("jit_train_chunk-*-cache")
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert run() == expected
    assert not (first.exists() and first.read_bytes() == other)
    assert not (second.exists() and second.read_bytes() == one)
    assert run() == expected


def test_truncated_and_changed_entries_are_compiled_again(run, tmp_path):
    expected = run()
    first, second = tmp_path.glob("jit_train_chunk-*-cache")
    first.write_bytes(first.read_bytes()[:3000])
    second.write_bytes(second.read_bytes()[:500] + b"\0" * 100 + second.read_bytes()[600:])
    assert run() == expected
