"""Kills trainings with SIGKILL at random moments and begins them again, until they are complete.

`python tests/resume/kills.py --count 200 --seed 1` kills 200 times and compares every result with
that of a training that was not killed. Dropout, batch normalization, shuffling, EarlyStopping,
ReduceLROnPlateau, CSVLogger and a callback of a user's are on, and every second training saves in
the middle of epochs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_CHILD = """
import json, sys, time
sys.path.insert(0, {tests!r})
from gazelle import callbacks
from resume import trainings

class Slow(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.05)  # so that kills meet all moments, not only the compilation

print("ready", flush=True)
outcome = trainings.train({folder!r}, {source!r}, {optimizer!r}, {save_freq!r}, also=[Slow()])
print(json.dumps(outcome), flush=True)
"""


def child(folder: Path, source: str, optimizer: str, save_freq: Any) -> subprocess.Popen[str]:
    """A process that trains, or goes on with it, and prints the outcome."""
    script = _CHILD.format(
        tests=str(Path(__file__).parents[1]),
        folder=str(folder),
        source=source,
        optimizer=optimizer,
        save_freq=save_freq,
    )
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )


def outcome_of(process: subprocess.Popen[str]) -> tuple[dict[str, Any] | None, str]:
    """What a process has printed at its end, None if it was killed; and its errors."""
    out, errors = process.communicate()
    lines = out.splitlines()
    return (json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None), errors


def run(count: int, seed: int) -> dict[str, int]:
    """Kill `count` times; returns how many kills, trainings, failures and differing outcomes."""
    moments = random.Random(seed)
    found = {"kills": 0, "trainings": 0, "failed": 0, "differing": 0, "resumed": 0}
    kinds = [
        ("arrays", "adam", "epoch"),
        ("arrays", "average", 1),
        ("a generator", "momentum", "epoch"),
        ("a data set", "schedule", 3),
    ]
    expected: dict[Any, Any] = {}
    while found["kills"] < count:
        kind = kinds[found["trainings"] % len(kinds)]
        with tempfile.TemporaryDirectory() as folder:
            if kind not in expected:
                (Path(folder) / "whole").mkdir()
                expected[kind], errors = outcome_of(child(Path(folder) / "whole", *kind))
                assert expected[kind] is not None, errors
            outcome = None
            while outcome is None:
                process = child(Path(folder), *kind)
                assert process.stdout is not None
                process.stdout.readline()
                found["resumed"] += (Path(folder) / "backup" / "latest.weights.h5").exists()
                if found["kills"] < count:
                    time.sleep(moments.uniform(0.0, 4.0))
                    process.kill()
                outcome, errors = outcome_of(process)
                if outcome is None and process.returncode != -9:
                    found["failed"] += 1
                    print(errors[-2000:])
                    break
                found["kills"] += process.returncode == -9
            found["trainings"] += 1
            if outcome is not None and outcome != expected[kind]:
                found["differing"] += 1
                print(f"differs: {kind}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args()
    results = run(options.count, options.seed)
    print(", ".join(f"{name} {number}" for name, number in results.items()))
    if options.record:
        sys.path.insert(0, str(Path(__file__).parents[1] / "security"))
        import long_runs

        long_runs.keep("killed trainings", {**results, "seed": options.seed})
    sys.exit(bool(results["failed"] or results["differing"]))
