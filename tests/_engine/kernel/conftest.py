"""Fixtures for the tests of the kernel, which are skipped where it was not built."""

from collections import OrderedDict

import numpy as np
import pytest

import gazelle
from gazelle._engine import engine, programs, pure_steps
from gazelle._engine import kernel as native
from gazelle._engine.kernel import library
from gazelle._engine.steps import Steps


@pytest.fixture
def kernel(monkeypatch):
    """`kernel(on, threads)` switches the kernel on or off and sets the number of its threads."""
    monkeypatch.delenv("GAZELLE_NATIVE", raising=False)
    # Programs that other tests have compiled are not reused.
    monkeypatch.setattr(programs, "_shared", OrderedDict())
    if not native.available():
        pytest.skip("the kernel was not built for this machine: Gazelle trains with XLA alone")

    def switch(on, threads=1):
        monkeypatch.setenv("GAZELLE_NATIVE", "" if on else "off")
        monkeypatch.setattr(library, "cores", lambda: threads)
        monkeypatch.setattr(native.plan, "ONE_THREAD", 0)

    return switch


@pytest.fixture
def plans(kernel, monkeypatch):
    """The plans that were made for models and their data; None for XLA."""
    found, seen, current = [], [], []
    describe = Steps.describe

    def described(steps):
        current[:] = [steps]
        return describe(steps)

    def recorded(step, data, *args, **kwargs):
        plan = native.plan_for(step, data, *args, **kwargs)
        shapes = [None if array is None else array.shape for array in data]
        # A plan is made before a program is traced, and again while it is.
        if (current[0], shapes, kwargs) not in seen:
            seen.append((current[0], shapes, kwargs))
            found.append(plan)
        return plan

    monkeypatch.setattr(Steps, "describe", described)
    for module in (engine, pure_steps):
        monkeypatch.setattr(module, "plan_for", recorded)
    return found


@pytest.fixture
def network():
    """`network(x, sizes, ...)` is a compiled chain of Dense layers with fixed initial weights."""

    def make(
        x,
        sizes,
        head,
        loss,
        activation="relu",
        *,
        before=(),
        bias=True,
        metrics=("accuracy",),
        **compiled,
    ):
        last = len(sizes) - 1
        dense = [
            gazelle.layers.Dense(n, head if i == last else activation, use_bias=bias)
            for i, n in enumerate(sizes)
        ]
        model = gazelle.Sequential(
            [gazelle.Input(x.shape[1:], dtype=str(x.dtype)), *before, *dense]
        )
        rng = np.random.default_rng(1)
        model.set_weights(
            [rng.normal(size=w.shape, scale=(w.shape[0] + 1) ** -0.5) for w in model.weights]
        )
        model.compile(**{"optimizer": "adam", "loss": loss, "metrics": list(metrics), **compiled})
        return model

    return make
