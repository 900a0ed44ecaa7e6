"""gazelle run and gazelle migrate, as a user calls them."""

import json
import subprocess
import sys

import pytest

from gazelle.compat._running import code_cells

SCRIPT = """\
# An old script
import sys
import numpy as np
from keras.layers.core import Dense, Dropout
from keras.models import Sequential
from keras.optimizers import SGD

model = Sequential()  # the model
model.add(Dense(output_dim=4, input_dim=3, init="uniform", activation="relu"))
model.add(Dropout(p=0.1))
model.add(Dense(1))
model.compile(loss="mse", optimizer=SGD(lr=0.1), metrics=["accuracy"])
history = model.fit(np.ones((8, 3)), np.ones(8), nb_epoch=2, verbose=0)
print(len(history.history["acc"]), sys.argv[1:], __name__)
"""
MODERN = """\
# An old script
import sys
import numpy as np
from gazelle.layers import Dense, Dropout
from gazelle.models import Sequential
from gazelle.optimizers import SGD

model = Sequential()  # the model
model.add(Dense(units=4, input_dim=3, kernel_initializer="uniform", activation="relu"))
model.add(Dropout(rate=0.1))
model.add(Dense(1))
model.compile(loss="mse", optimizer=SGD(learning_rate=0.1), metrics=["accuracy"])
history = model.fit(np.ones((8, 3)), np.ones(8), epochs=2, verbose=0)
print(len(history.history["accuracy"]), sys.argv[1:], __name__)
"""


def gazelle(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "gazelle", *arguments],
        capture_output=True, text=True, cwd=cwd, check=False,
    )  # fmt: skip


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "old.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize("command", [["run", "old.py"], ["old.py"]])
def test_a_script_runs_with_its_arguments(script, command):
    done = gazelle(*command, "--epochs", "3", cwd=script.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2 ['--epochs', '3'] __main__"
    assert "old.py:9: OldFormWarning: Dense(output_dim=) is an old form" in done.stderr


def test_a_script_that_is_out_of_scope_names_its_line(tmp_path):
    (tmp_path / "s.py").write_text("import keras\n\nkeras.Sequential([keras.layers.GRU(3)])\n")
    done = gazelle("run", "s.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("s.py:3: keras.layers.GRU is out of Gazelle's scope")


def test_the_traceback_of_a_script_begins_in_it(tmp_path):
    (tmp_path / "s.py").write_text("import keras\n\nkeras.layers.Dense(-1)\n")
    done = gazelle("run", "s.py", cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].strip().startswith('File "s.py", line 3')


@pytest.mark.parametrize(
    ("code", "status"), [("import sys\nsys.exit(3)", 3), ("raise SystemExit('no')", 1)]
)
def test_exit_statuses(tmp_path, code, status):
    (tmp_path / "s.py").write_text(code)
    assert gazelle("run", "s.py", cwd=tmp_path).returncode == status


def test_a_missing_script(tmp_path):
    done = gazelle("run", "nothing.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "There is no file nothing.py" in done.stderr


def notebook(*cells):
    kinds = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# x"]}, *kinds]})


def test_a_notebook(tmp_path):
    cells = [
        "%matplotlib inline\n!pip install keras\nimport keras\nx = 2",
        "%%bash\nls",
        "x * 3",
        "x * 5;",
        "keras.layers.Dense(nothing)",
    ]
    (tmp_path / "n.ipynb").write_text(notebook(*cells))
    done = gazelle("run", "n.ipynb", cwd=tmp_path)
    assert done.stdout.strip() == "6"
    assert done.returncode == 1
    assert 'File "n.ipynb[4]", line 1' in done.stderr
    assert "keras.layers.Dense(nothing)" in done.stderr


def test_what_is_not_a_notebook(tmp_path):
    (tmp_path / "n.ipynb").write_text("{}")
    with pytest.raises(ValueError, match="not a notebook"):
        list(code_cells(tmp_path / "n.ipynb"))


def test_plots_do_not_wait_for_a_screen(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "s.py").write_text(
        "import matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\n"
        "plt.plot([1, 2])\nplt.show()\nprint('shown')\n"
    )
    done = gazelle("run", "s.py", cwd=tmp_path)
    assert done.stdout.strip() == "shown"
    assert done.stderr == ""


def test_check(script):
    done = gazelle("run", "--check", "old.py", cwd=script.parent)
    assert done.returncode == 0
    lines = [line.split(maxsplit=2)[:2] for line in done.stdout.splitlines()[1:-1]]
    assert lines == [
        ["4", "old"],
        ["9", "old"],
        ["9", "old"],
        ["10", "old"],
        ["12", "old"],
        ["13", "old"],
    ]
    assert done.stdout.splitlines()[-1] == "old.py: all of it runs"


def test_check_finds_what_will_not_run(tmp_path):
    (tmp_path / "s.py").write_text(
        "import tensorflow as tf\nx = tf.keras.layers.LSTM(3)\ny = tf.keras.layers.Dens(3)\n"
    )
    done = gazelle("run", "--check", "s.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "2     out of scope  keras.layers.LSTM" in done.stdout
    assert "Did you mean 'Dense'" in done.stdout
    assert "s.py: 2 places will not run" in done.stdout


def test_migrate(script):
    done = gazelle("migrate", "old.py", "-o", "new.py", cwd=script.parent)
    assert done.returncode == 0, done.stderr
    assert (script.parent / "new.py").read_text() == MODERN
    assert "    9  output_dim= -> units=" in done.stderr
    assert script.read_text() == SCRIPT
    modern = subprocess.run(
        [sys.executable, "new.py"], cwd=script.parent, capture_output=True, text=True, check=True
    )
    assert modern.stdout.strip() == "2 [] __main__"


def test_migrate_to_keras(script):
    done = gazelle("migrate", "old.py", "--to", "keras", cwd=script.parent)
    assert done.stdout == MODERN.replace("gazelle", "keras")


def test_migrate_tensorflow(tmp_path):
    (tmp_path / "s.py").write_text(
        "import tensorflow as tf\nfrom tensorflow import keras as k\n\n"
        "m = tf.keras.Sequential([tf.keras.layers.Dense(3)])  # kept\n"
        "p = m.predict_classes(x)\nc = k.callbacks.EarlyStopping()\n"
    )
    done = gazelle("migrate", "s.py", cwd=tmp_path)
    assert done.stdout == (
        "import gazelle as keras\nimport gazelle as k\n\n"
        "m = keras.Sequential([keras.layers.Dense(3)])  # kept\n"
        "p = m.predict(x).argmax(axis=-1)\nc = k.callbacks.EarlyStopping()\n"
    )


def test_a_script_of_python_2(tmp_path):
    (tmp_path / "s.py").write_text("print 'x'\n")
    done = gazelle("migrate", "s.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot be read as Python 3" in done.stderr
