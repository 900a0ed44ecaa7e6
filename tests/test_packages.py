"""Without optional packages: functions that need one say so before any work, and the rest works."""

import os
import subprocess
import sys

import numpy as np
import pytest

import gazelle
from gazelle._core.errors import PackageError
from gazelle._report.pages import write_comparison, write_report
from gazelle.callbacks import History, TensorBoard
from gazelle.cli import start
from gazelle.datasets import digits
from gazelle.utils import array_to_img, image_dataset_from_directory, load_img, plot_model

pytestmark = pytest.mark.slow

FIX = "pip install 'gazelle[all]'"


def model():
    made = gazelle.Sequential([gazelle.Input((3,)), gazelle.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


# The calls, and the packages that each of them needs.
CALLS = {
    "report": (
        lambda: gazelle.report(model(), np.zeros((4, 3)), np.zeros(4)),
        ["matplotlib", "sklearn", "PIL"],
    ),
    "history.plot": (lambda: History().plot(), ["matplotlib"]),
    "plot_model": (lambda: plot_model(model()), ["matplotlib"]),
    "write_report": (lambda: write_report("nowhere"), ["matplotlib", "PIL"]),
    "write_comparison": (lambda: write_comparison(["a", "b"], "c"), ["matplotlib"]),
    "digits": (lambda: digits.load_data(), ["sklearn"]),
    "load_img": (lambda: load_img("nowhere.png"), ["PIL"]),
    "array_to_img": (lambda: array_to_img(np.zeros((2, 2, 1))), ["PIL"]),
    "TensorBoard": (lambda: TensorBoard(write_images=True), ["tensorboardX", "PIL"]),
    "image folder": (lambda: image_dataset_from_directory("nowhere"), ["PIL"]),
}
PIP = {"matplotlib": "matplotlib", "sklearn": "scikit-learn", "PIL": "pillow"}
FIXES = {"tensorboardX": "pip install 'gazelle[tensorboard]'"}


@pytest.mark.parametrize(
    ("name", "package"), [(name, package) for name in CALLS for package in CALLS[name][1]]
)
def test_a_missing_package_is_reported_before_anything_is_written(
    name, package, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    for optional in CALLS[name][1]:
        monkeypatch.setitem(sys.modules, optional, sys)  # there
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PackageError) as caught:
        CALLS[name][0]()
    problem, fix = str(caught.value).splitlines()
    assert problem.endswith(f" needs {PIP.get(package, package)}, which is not installed.")
    assert fix == f"  fix: {FIXES.get(package, FIX)}"
    assert list(tmp_path.iterdir()) == []


def test_several_missing_packages_are_named_together(monkeypatch):
    for package in PIP:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ImportError,
        match="A report needs matplotlib and scikit-learn and pillow, which are not installed",
    ):
        CALLS["report"][0]()


@pytest.mark.parametrize("package", ["matplotlib", "sklearn", "PIL"])
def test_gazelle_train_checks_its_packages_before_it_trains(package, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    assert start(["train", "digits"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"gazelle: A report needs {PIP[package]}, which is not installed.",
        f"  fix: {FIX}",
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_command_without_typer_is_two_lines(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typer", None)
    assert start(["--help"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        f"gazelle: The command gazelle needs typer, which is not installed.\n  fix: {FIX}\n",
    )


WITHOUT = """
import sys
for name in ("matplotlib", "sklearn", "PIL", "typer", "pandas", "keras"):
    sys.modules[name] = None
import numpy as np, gazelle
x, y = np.random.default_rng(0).normal(size=(90, 4)), np.arange(90) % 3
model = gazelle.Sequential()
model.add(gazelle.Input((4,)))
model.add(gazelle.layers.Dense(5, "relu"))
model.add(gazelle.layers.Dense(3, "softmax"))
gazelle.metrics.AUC(name="a")
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()
stopping = gazelle.callbacks.EarlyStopping()
model.fit(x, y, epochs=2, validation_split=0.2, callbacks=[stopping], class_weight="balanced")
model.evaluate(x, y)
model.predict(x)
model.save_weights("a.weights.h5")
model.load_weights("a.weights.h5")
gazelle.models.model_from_json(model.to_json())
"""


def test_the_core_trains_saves_and_prints_without_any_of_them(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Epoch 2/2" in done.stdout
