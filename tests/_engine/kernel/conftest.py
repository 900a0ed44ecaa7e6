"""What the tests of the kernel share: it is there and used, or the test is skipped and says why."""

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
    """`kernel(on, threads)`: switches the kernel on or off, on so many threads; skips where there is none."""
    monkeypatch.delenv("GAZELLE_NATIVE", raising=False)
    monkeypatch.setattr(
        programs, "_shared", OrderedDict()
    )  # nothing compiled before is found again
    if not native.available():
        pytest.skip(
            "no library of the kernel was built for this machine: gazelle trains with XLA alone"
        )

    def switch(on, threads=1):
        monkeypatch.setenv("GAZELLE_NATIVE", "" if on else "off")
        monkeypatch.setattr(library, "cores", lambda: threads)
        monkeypatch.setattr(native.plan, "ONE_THREAD", 0)

    return switch


@pytest.fixture
def plans(kernel, monkeypatch):
    """The plans that models were given for data of a kind; None for XLA."""
    found, seen, asking = [], [], []
    describe = Steps.describe

    def described(steps):
        asking[:] = [steps]
        return describe(steps)

    def noting(step, data, *args, **kwargs):
        plan = native.plan_for(step, data, *args, **kwargs)
        question = asking[0], [array if array is None else array.shape for array in data], kwargs
        if question not in seen:  # asked before a program is traced, and again while it is
            seen.append(question)
            found.append(plan)
        return plan

    monkeypatch.setattr(Steps, "describe", described)
    for module in (engine, pure_steps):
        monkeypatch.setattr(module, "plan_for", noting)
    return found


@pytest.fixture
def network():
    """`network(x, sizes, ...)`: a compiled chain of Dense layers whose first weights are the same in every call."""

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
