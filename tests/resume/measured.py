"""The figures of trainings that are interrupted or go wrong, for docs/security.md."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from resume import kills, trainings

import gazelle
from gazelle import layers


def killed(count: int) -> dict[str, int]:
    """Trainings that are killed and begun again: kills, trainings, failed and differing ones."""
    return kills.run(count, seed=1)


def every_step(kinds: int = 4) -> tuple[int, int]:
    """Interrupt at every step and at the end of every epoch: trials, and those that differ."""
    trials = differing = 0
    pairs = [
        ("arrays", "adam"),
        ("fewer steps", "average"),
        ("a data set", "schedule"),
        ("a generator", "momentum"),
    ]
    for source, optimizer in pairs[:kinds]:
        with tempfile.TemporaryDirectory() as folder:
            whole = trainings.train(folder, source, optimizer, save_freq=False)
        steps = sum(1 for _ in range(trainings.EPOCHS * trainings.STEPS))
        places = [{"step": step} for step in range(1, steps + 1)]
        places += [{"epoch": epoch} for epoch in range(1, trainings.EPOCHS)]
        for place in places:
            with tempfile.TemporaryDirectory() as folder:
                frequency: Any = 1 if "step" in place else "epoch"
                interrupter = trainings.Interrupter(**place)
                try:
                    trainings.train(folder, source, optimizer, frequency, also=[interrupter])
                except trainings.Interruption:
                    trials += 1
                    again = trainings.train(folder, source, optimizer, frequency)
                    differing += again != whole
    return trials, differing


_SIGNALLED = """
    import numpy as np
    import gazelle
    from gazelle import callbacks, layers

    gazelle.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(20_000, 50)).astype("float32")
    model = gazelle.Sequential(
        [layers.Input((50,)), layers.Dense(256, "relu"), layers.Dropout(0.3), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    print("ready", flush=True)
    model.fit(
        x, x[:, :1], batch_size=16, epochs=1000, verbose=2, validation_split=0.1,
        callbacks=callbacks.BackupAndRestore("b"),
    )
"""


def signals(count: int) -> dict[str, Any]:
    """Signals at random moments of a training: how many were saved, statuses, seconds to exit."""
    moments = random.Random(0)
    found: dict[str, Any] = {"sent": 0, "saved": 0, "right status": 0, "slowest": 0.0}
    for trial in range(count):
        number, status = [(signal.SIGTERM, (143,)), (signal.SIGINT, (130, -2))][trial % 2]
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(_SIGNALLED)],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert process.stdout is not None
            process.stdout.readline()
            backup = Path(folder) / "b" / "latest.weights.h5"
            while not backup.exists():  # the first epoch is over, and so is compiling
                time.sleep(0.05)
            time.sleep(moments.uniform(0, 1))
            before, begun = backup.stat().st_mtime_ns, time.perf_counter()
            process.send_signal(number)
            out, _ = process.communicate()
            found["slowest"] = max(found["slowest"], time.perf_counter() - begun)
            found["sent"] += 1
            found["saved"] += backup.stat().st_mtime_ns > before and "is saved in" in out
            found["right status"] += process.returncode in status
    return found


def spoiled() -> dict[str, int]:
    """Values that are not finite, put into a training: found in time, weights kept, cause named."""
    random_rows = np.random.default_rng(0)
    x = random_rows.normal(size=(400, 6)).astype("float32")
    y = random_rows.normal(size=(400, 1)).astype("float32")

    def root(y_true: Any, y_pred: Any) -> Any:
        """A loss whose gradient is infinite where a target is 5."""
        error = jnp.mean((y_true - y_pred) ** 2, axis=-1)
        is_five = (y_true[:, 0] == 5).astype("float32")
        return error + jnp.sqrt((error - jax.lax.stop_gradient(error)) * is_five + 1 - is_five)

    class Spoil(gazelle.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 6:
                weights = self.model.get_weights()
                self.model.set_weights([np.full_like(weight, np.nan) for weight in weights])

    at_200 = np.arange(400)[:, None] == 200  # in step 7 of batches of 32
    cases: list[tuple[str, Any, Any, Any, Any, str]] = []
    for optimizer in ("adam", "sgd"):
        nan_x, nan_y = np.where(at_200, np.nan, x), np.where(at_200, np.nan, y)
        huge_y = np.where(at_200, np.float32(3e38), y)
        cases += [
            (optimizer, "mse", nan_x, y, None, "NaN"),
            (optimizer, "mse", x, nan_y, None, "NaN"),
            (optimizer, "mse", x, huge_y, None, "targets are as large as"),
            (optimizer, "mse", x, y, Spoil(), "were set to values that are not finite"),
            (optimizer, root, x, np.where(at_200, np.float32(5), y), None, "gradients of the step"),
        ]
    found = {"cases": 0, "in time": 0, "weights kept": 0, "cause named": 0}
    for optimizer, loss, inputs, targets, callback, words in cases:
        gazelle.utils.set_random_seed(0)
        model = gazelle.Sequential(
            [layers.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(1)]
        )
        model.compile(optimizer, loss)
        text = ""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model.fit(inputs, targets, shuffle=False, epochs=3, verbose=0, callbacks=callback)
            except gazelle.errors.DataError as error:
                text = str(error)
        text = text or str(caught[0].message)
        found["cases"] += 1
        # Step 7 is the first that shows it; an infinite gradient shows in the step after.
        found["in time"] += any(one in text for one in ("NaN", "step 7 of", "step 8 of"))
        found["weights kept"] += all(np.isfinite(weight).all() for weight in model.get_weights())
        found["cause named"] += words in text
    return found
