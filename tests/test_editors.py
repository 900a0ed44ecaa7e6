"""Type checkers find misspelled methods, arguments and names in users' code, and nothing else."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

USER = """
import gazelle
from gazelle import callbacks, layers, optimizers
from gazelle.layers import Dense
from gazelle.models import Model, Sequential

model = Sequential([Dense(3, activation="relu", input_shape=(4,)), layers.Dropout(0.1, name="d")])
model.compile(optimizer=optimizers.Adam(0.1), loss="mse")
history = model.fit([[1.0]], [[1.0]], epochs=2, callbacks=[callbacks.EarlyStopping(patience=2)])
units: int = Dense(3).units
x = gazelle.Input((3,))
functional = Model(x, Dense(1)(x), name="f")
functional.summary()
history.plot()
gazelle.utils.plot_model(model)


class Own(Model):
    def __init__(self) -> None:
        super().__init__(name="own")
        self.dense = Dense(2)


Own().fit([[1.0]], [[2.0]])
model.fitt()  # wrong
model.compile(optimiser="adam")  # wrong
Dense(3, activaton="relu")  # wrong
layers.Dens(3)  # wrong
gazelle.Sequentiel()  # wrong
Dense(3).unitz  # wrong
history.plott()  # wrong
callbacks.EarlyStopping(patients=3)  # wrong
optimizers.Adam(learningrate=0.1)  # wrong
gazelle.utils.to_categoricall([1])  # wrong
Sequential([], nam="x")  # wrong
Model(inputs=x, output=x)  # wrong
"""
WRONG = [number for number, line in enumerate(USER.splitlines(), 1) if line.endswith("# wrong")]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "user.py"
    path.write_text(USER)
    return path


def run(module, *arguments):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: `make lint` installs it")
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, cwd=os.getcwd()
    )


def test_pyright_finds_the_errors_and_nothing_else(path):
    found = run("pyright", "--outputjson", "--pythonpath", sys.executable, str(path))
    diagnostics = json.loads(found.stdout)["generalDiagnostics"]
    lines = {one["range"]["start"]["line"] + 1 for one in diagnostics if one["severity"] == "error"}
    assert sorted(lines) == WRONG, found.stdout


# To read JAX and NumPy takes mypy longer than all the rest, and no error here is about their types.
MYPY = """
[mypy]
[mypy-jax.*,numpy.*]
follow_imports = skip
"""


def test_mypy_finds_the_errors_and_nothing_else(path, tmp_path):
    (tmp_path / "mypy.ini").write_text(MYPY)
    settings = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path / "cache")]
    found = run("mypy", *settings, str(path))
    lines = {int(number) for number in re.findall(r"user\.py:(\d+): error", found.stdout)}
    assert sorted(lines) == WRONG, found.stdout
