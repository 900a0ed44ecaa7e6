"""gazelle train: what it prints, writes, refuses and survives."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazelle._engine import kernel as native
from gazelle._report import runs
from gazelle.callbacks import LambdaCallback
from gazelle.cli import train as training
from gazelle.cli.signals import handling
from gazelle.datasets import cifar10

from .conftest import DIGITS, PROGRAM, folder_of, paint

pytestmark = pytest.mark.slow

QUICK = ("--epochs", "2", "--hidden", "4")
FILES = {
    "config.json",
    "history.csv",
    "metrics.json",
    "model.json",
    "model.weights.h5",
    "network.json",
    "network.svg",
    "predictions.npz",
    "report.html",
    "samples.npz",
}


def weights(folder):
    import h5py

    found = {}
    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def test_it_prints_data_network_epochs_and_figures_as_plain_text_into_a_pipe(gazelle):
    result = gazelle("train", "digits", *QUICK)
    assert (result.status, result.err) == (0, "")
    assert "\x1b" not in result.out
    assert "\r" not in result.out
    lines = result.out.splitlines()
    assert lines[0] == "digits: 1,438 images to train, 359 to test; 8 x 8, 10 classes"
    epochs = [line for line in lines if line.startswith("Epoch ")]
    assert [line.split(" - ")[:2] for line in epochs] == [
        ["Epoch 1/2", "45/45"],
        ["Epoch 2/2", "45/45"],
    ]
    assert all("loss: " in line and "val_accuracy: " in line for line in epochs)
    assert lines[-2].startswith("Test accuracy 0.")
    assert lines[-1] == "Report: runs/digits/report.html"
    assert {path.name for path in Path("runs/digits").iterdir()} == FILES


def test_the_config_has_the_settings_and_the_times(digits_run):
    config = runs.read_config(digits_run)
    assert config.settings == {
        "learning_rate": 0.01,
        "batch_size": 32,
        "epochs": 2,
        "hidden units": "16",
        "activation": "relu",
        "dropout": 0.0,
        "seed": 0,
        "source": "digits",
        "pixels": "0 to 16",
        "test share": 0.2,
        "loss": "sparse_categorical_crossentropy",
        "optimizer": "Adam",
        "optimizer arguments": "beta_1=0.9, beta_2=0.999, epsilon=1e-07",
        "engine": native.status().text,
    }
    assert set(config.durations) == {"load", "train", "evaluate"}
    assert min(config.durations.values()) > 0
    assert [(split.name, split.rows) for split in config.splits] == [("train", 1438), ("test", 359)]
    assert "core" in config.device
    assert runs.read_history(digits_run)[0] == [1, 2]


def test_the_same_seed_gives_the_same_network_bit_for_bit_and_another_seed_another(
    gazelle, digits_run
):
    for seed, name in ((0, "again"), (1, "other")):
        gazelle("train", "digits", *DIGITS, "-q", "--seed", seed, "--name", name)
    first, again, other = (
        weights(digits_run),
        weights(Path("runs/again")),
        weights(Path("runs/other")),
    )
    assert first.keys() == again.keys()
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert any(first[name].tobytes() != other[name].tobytes() for name in first)


def test_a_run_never_overwrites_another_and_quiet_prints_only_its_path(gazelle, images):
    for folder in ("my-shades", "my-shades-2"):
        result = gazelle("train", images, *QUICK, "-q", "--name", "my-shades")
        assert result == (0, f"runs/{folder}/report.html\n", "")


def signals_at(monkeypatch, epoch, *numbers):
    """Send signals at the end of an epoch, counted from 0."""

    class Sends(training.StopOnSignal):
        def on_epoch_end(self, now, logs=None):
            for number in numbers if now == epoch else ():
                signal.raise_signal(number)

    monkeypatch.setattr(training, "StopOnSignal", Sends)


SIGNALS = [(signal.SIGINT, 130)]
if hasattr(signal, "SIGHUP"):
    SIGNALS += [(signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_ends_training_and_keeps_the_results(number, status, gazelle, images, monkeypatch):
    signals_at(monkeypatch, 1, number)
    before = signal.getsignal(number)
    result = gazelle("train", images, "--epochs", "500", "--hidden", "4")
    assert signal.getsignal(number) is before
    assert (result.status, result.err) == (status, "")
    assert "Interrupted: these are the results up to that moment." in result.out
    folder = Path("runs/shades")
    assert {path.name for path in folder.iterdir()} == FILES
    assert runs.read_history(folder)[0] == [1, 2]
    assert runs.read_config(folder).stop_reason == "Interrupted after 2 of 500 epochs."
    assert gazelle("evaluate", folder).status == 0


LONG = ("--epochs", "6", "--hidden", "4", "--dropout", "0.2", "--patience", "3")


def numbers_of(folder):
    return [(Path(folder) / name).read_bytes() for name in ("history.csv", "model.weights.h5")]


def test_a_training_that_was_interrupted_is_resumed_to_the_same_results(
    gazelle, images, monkeypatch
):
    gazelle("train", images, *LONG, "--name", "whole")
    with monkeypatch.context() as patched:
        signals_at(patched, 2, signal.SIGTERM)
        result = gazelle("train", images, *LONG, "--name", "cut")
    assert result.status == 143
    assert "The same command with --resume goes on." in result.out
    result = gazelle("train", images, *LONG, "--name", "cut", "--resume")
    assert (result.status, result.err) == (0, "")
    assert "Resuming after epoch 3, from 'runs/.interrupted/cut/latest.weights.h5'." in result.out
    assert numbers_of("runs/cut-2") == numbers_of("runs/whole")
    assert not Path("runs/.interrupted").exists()


def test_a_training_with_other_settings_is_not_resumed(gazelle, images, monkeypatch):
    with monkeypatch.context() as patched:
        signals_at(patched, 2, signal.SIGINT)
        gazelle("train", images, *LONG)
    result = gazelle("train", images, *LONG, "--learning-rate", "0.5", "--resume")
    assert result.status == 1
    assert "the interrupted training had another --learning-rate" in result.err
    assert Path("runs/.interrupted/shades/latest.weights.h5").exists()


def test_a_new_training_puts_an_interrupted_one_aside(gazelle, images, monkeypatch):
    with monkeypatch.context() as patched:
        signals_at(patched, 2, signal.SIGINT)
        gazelle("train", images, *LONG)
    result = gazelle("train", images, *LONG)
    assert "is now runs/.interrupted/shades-old" in result.out
    assert Path("runs/.interrupted/shades-old/latest.weights.h5").exists()


def test_without_an_interrupted_training_resume_begins_one(gazelle, images):
    result = gazelle("train", images, *LONG, "--resume")
    assert result.status == 0
    assert "There is no interrupted training" in result.out


@pytest.mark.parametrize(
    ("numbers", "result"),
    [
        ((signal.SIGINT, signal.SIGINT), (130, "", "gazelle: interrupted\n")),
        ((signal.SIGTERM, signal.SIGINT), (143, "", "gazelle: terminated\n")),
    ],
)
def test_a_second_signal_ends_the_program_and_leaves_nothing(
    numbers, result, gazelle, images, monkeypatch, tmp_path
):
    signals_at(monkeypatch, 0, *numbers)
    assert gazelle("train", images, *QUICK, "-q") == result
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["record", "write_report"])
@pytest.mark.parametrize("presses", [1, 2])
def test_one_ctrl_c_while_results_are_written_loses_nothing_and_a_second_leaves_nothing(
    moment, presses, gazelle, images, monkeypatch, tmp_path
):
    write = getattr(training, moment)

    def press(*arguments, **options):
        done = write(*arguments, **options)
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(training, moment, press)
    result = gazelle("train", images, *QUICK, "-q")
    assert result.status == 130
    if presses == 1:
        assert {path.name for path in (tmp_path / "runs" / "shades").iterdir()} == FILES
        assert (result.out, result.err) == ("runs/shades/report.html\n", "")
    else:
        assert (result.out, result.err) == ("", "gazelle: interrupted\n")
        assert list(tmp_path.iterdir()) == []


def test_a_ctrl_c_after_the_run_folder_is_there_only_sets_the_status(gazelle, images, monkeypatch):
    def press(done):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return f"Report: {done.page}"

    monkeypatch.setattr(training, "closing", press)
    result = gazelle("train", images, *QUICK)
    assert (result.status, result.err) == (130, "")
    assert result.out.endswith("Report: runs/shades/report.html\n")
    assert {path.name for path in Path("runs/shades").iterdir()} == FILES


def test_a_ctrl_c_that_python_discards_is_still_handled(gazelle, images, monkeypatch, tmp_path):
    """For example one that comes in a callback of the garbage collector, such as JAX's."""
    load = training.load

    def loads_long(*arguments, **options):
        class Presses:
            def __del__(self):
                signal.raise_signal(signal.SIGINT)

        Presses()
        time.sleep(30)
        return load(*arguments, **options)

    monkeypatch.setattr(training, "load", loads_long)
    assert gazelle("train", images, *QUICK) == (130, "", "gazelle: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_before_the_first_step_is_handled(gazelle, images, monkeypatch):
    class PressAtOnce(training.StopOnSignal):
        def __init__(self, signals):
            super().__init__(signals)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "StopOnSignal", PressAtOnce)
    assert gazelle("train", images, "--epochs", "500", "--hidden", "4", "-q").status == 130
    files = {path.name for path in Path("runs/shades").iterdir()}
    assert files == FILES - {"history.csv"}  # no epoch was complete


def test_a_background_job_keeps_ignoring_ctrl_c():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with handling():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="a device that is always full")
@pytest.mark.parametrize(
    ("way", "status", "words"),
    [("full", 1, "could not be written"), ("head", 0, ""), ("closed", 0, "")],
)
def test_a_run_is_kept_whatever_happens_to_its_output(way, status, words, images, tmp_path):
    command = [sys.executable, "-c", PROGRAM, "train", str(images), *QUICK]
    shell = {
        "full": ' "$@" > /dev/full',
        "head": ' { "$@"; echo $? > status; } | head -1',
        "closed": ' "$@" >&-',
    }[way]
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *command], capture_output=True, text=True, check=False
    )
    code = int(Path("status").read_text()) if way == "head" else done.returncode
    assert (code, bool(done.stderr)) == (status, bool(words)), done.stderr
    assert words in done.stderr
    assert {path.name for path in Path("runs/shades").iterdir()} == FILES


def test_patience_monitors_a_tenth_of_the_training_images_and_keeps_the_best_weights(
    gazelle, tmp_path
):
    folder_of("data", count=20)
    options = ("--epochs", "60", "--hidden", "", "--learning-rate", "0.3", "--patience", "2", "-q")
    result = gazelle("train", "data", *options)
    folder = Path(result.out).parent
    config = runs.read_config(folder)
    assert [(split.name, split.rows) for split in config.splits] == [
        ("train", 28),
        ("validation", 4),
        ("test", 8),
    ]
    assert config.settings["patience"] == 2
    epochs, history = runs.read_history(folder)
    assert len(epochs) == 60 or epochs[-1] - epochs[int(np.argmin(history["val_loss"]))] == 2
    assert bool(config.stop_reason) == (len(epochs) < 60)


def test_a_training_that_diverges_is_refused(gazelle, images, tmp_path):
    result = gazelle("train", images, *QUICK, "--optimizer", "sgd", "--learning-rate", "1e30", "-q")
    assert result.status == 1
    assert result.err.splitlines()[0].startswith("gazelle: The training diverged in epoch")
    assert "--learning-rate" in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_is_not_kept_for_resume(gazelle, images, tmp_path, monkeypatch):
    monkeypatch.setattr("gazelle.cli.train._SAVE_EVERY", 0.0)
    monkeypatch.setattr("gazelle.cli.train._has_diverged", lambda history: True)
    result = gazelle("train", images, *QUICK, "-q")
    assert result.err.startswith("gazelle: The training diverged in epoch")
    assert not [*tmp_path.rglob("*.weights.h5")]


def refused(result, *words):
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("gazelle: ")
    assert "\n\n" not in result.err
    assert all(word in result.err for word in words), result.err
    assert not Path("runs").exists()


def test_an_unknown_source_is_refused(gazelle):
    refused(gazelle("train", "nowhere"), "nowhere", "digits", "check the spelling")


def test_a_file_instead_of_a_folder_is_refused(gazelle, tmp_path):
    (tmp_path / "images.zip").write_bytes(b"PK")
    refused(gazelle("train", "images.zip"), "received: an archive", "unpack")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digit", ["did you mean digits?"]),
        ("CIFAR-10", ["did you mean cifar10?"]),
        ("pictues", ["did you mean pictures?"]),
        ("table.csv", ["Tables are not supported yet", "received: a table", "in Python"]),
        ("images.tgz", ["an archive", "unpack it"]),
    ],
)
def test_wrong_data_is_refused_with_a_fix(name, words, gazelle):
    Path("pictures").mkdir()
    Path("table.csv").write_text("a,b\n1,2\n")
    Path("images.tgz").write_bytes(b"x")
    refused(gazelle("train", name), *words)


@pytest.mark.filterwarnings("default")
def test_black_strokes_on_transparency_are_learned_with_a_warning(gazelle):
    for number, name in enumerate(("bar", "line")):
        for i in range(12):
            pixels = np.zeros((6, 6, 4), np.uint8)
            pixels[..., 3][(slice(None), i % 6) if number else (i % 6, slice(None))] = 255
            path = Path("strokes") / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    result = gazelle(
        "train", "strokes", "--epochs", "150", "--hidden", "16", "--learning-rate", "0.01", "-q"
    )
    assert result.status == 0
    warning = (
        "gazelle: warning: {} transparent: the background becomes white (black if the image is"
        " nearly white).\n"
    )
    assert result.err == warning.format("24 of 24 images are")
    assert runs.read_metrics(Path("runs/strokes")).accuracy > 0.9
    result = gazelle("predict", "strokes", "strokes/bar/0.png", "--top", "1")
    assert (result.out.split()[1], result.err) == ("bar", warning.format("The image is"))


@pytest.mark.filterwarnings("default")
def test_bad_images_are_named_together_and_left_out_on_request(gazelle):
    folder_of("data", count=10)
    for name in ("dark/1.png", "light/2.png", "light/3.png"):
        (Path("data") / name).write_bytes(b"x")
    refused(
        gazelle("train", "data"),
        "3 of 20 images",
        "dark/1.png",
        "light/2.png",
        "light/3.png",
        "add --skip-bad",
    )
    result = gazelle("train", "data", *QUICK, "-q", "--skip-bad")
    assert result.status == 0
    assert (
        "gazelle: warning: 3 of 20 images cannot be read and are left out: data/dark/1.png, "
        in result.err
    )
    config = runs.read_config(Path("runs/data"))
    assert sum(split.rows for split in config.splits) == 17
    assert config.settings["bad images"] == "left out"
    result = gazelle("evaluate", "data")
    assert result.status == 0
    assert "left out" in result.err
    assert "has changed" not in result.err


def test_a_folder_in_a_folder_is_refused_and_the_right_one_named(gazelle):
    folder_of("seg_train/seg_train")
    refused(gazelle("train", "seg_train"), "it is not a class", "fix: pass seg_train/seg_train if")


def test_a_hidden_folder_is_not_part_of_the_data(gazelle):
    folder_of("data/train")
    folder_of("data/test")
    for hidden in ("data", "data/train", "data/test/dark"):
        folder_of(Path(hidden) / ".ipynb_checkpoints", classes=("x",))
    assert gazelle("train", "data", *QUICK, "-q").status == 0
    assert runs.read_config(Path("runs/data")).class_names == ["dark", "light"]


def test_images_of_several_sizes_are_refused_until_a_size_is_given(gazelle):
    folder_of("data")
    paint(Path("data/light/9.png"), size=(7, 6))
    refused(gazelle("train", "data"), "9.png", "7 x 6", "--image-size 6x6")
    result = gazelle("train", "data", *QUICK, "--image-size", "5x4", "-q")
    assert result.status == 0
    assert runs.read_config(Path("runs/data")).input_shape == [5, 4, 1]


def test_a_truncated_image_is_refused_by_name(gazelle):
    folder_of("data")
    file = Path("data/dark/3.png")
    file.write_bytes(file.read_bytes()[:60])
    refused(gazelle("train", "data"), str(file), "remove or replace")


def test_a_class_without_images_is_refused(gazelle):
    folder_of("data")
    Path("data/empty").mkdir()
    refused(gazelle("train", "data"), "'empty'", "no images")


def test_one_class_alone_is_refused(gazelle):
    refused(gazelle("train", folder_of("data", classes=("dark",))), "only one class", "dark")


def test_images_without_folders_are_refused(gazelle):
    paint(Path("data/a.png"))
    refused(gazelle("train", "data"), "put the images of each class into a folder")


def test_a_folder_with_train_but_no_test_images_is_refused(gazelle):
    folder_of("data/train")
    refused(gazelle("train", "data"), "no folder test", "add test")


def test_other_classes_for_testing_are_refused(gazelle):
    folder_of("data/train")
    folder_of("data/test", classes=("dark", "bright"))
    refused(gazelle("train", "data"), "different classes", "dark, light", "bright, dark")


def test_test_images_of_another_size_are_refused(gazelle):
    folder_of("data/train")
    folder_of("data/test", size=(4, 4))
    refused(gazelle("train", "data"), "different sizes", "6 x 6", "4 x 4", "--image-size 6x6")


def test_a_share_for_testing_is_refused_if_there_are_test_images(gazelle):
    folder_of("data/train")
    folder_of("data/test")
    refused(gazelle("train", "data", "--test-share", "0.3"), "its own test images")


def test_the_digits_accept_a_share_for_testing(gazelle):
    assert gazelle("train", "digits", *QUICK, "--test-share", "0.5", "-q").status == 0
    assert runs.read_config(Path("runs/digits")).split("test").rows == pytest.approx(898, abs=5)


def test_a_missing_cifar10_is_reported_with_its_path(gazelle, monkeypatch):
    monkeypatch.setenv(cifar10.VARIABLE, "no/such/place")
    refused(gazelle("train", "cifar10"), "no/such/place", cifar10.VARIABLE)


def test_a_folder_that_cannot_be_created_is_refused_before_the_training(gazelle, images, tmp_path):
    (tmp_path / "file").write_text("")
    for out in ("file/runs", "file"):
        refused(gazelle("train", images, "--out", out), f"cannot be created in {out}", "--out")


def test_a_full_disk_is_refused_before_the_training(gazelle, images, monkeypatch):
    usage = type(shutil.disk_usage("."))(total=10**9, used=10**9 - 1000, free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    refused(gazelle("train", images), "too full", "--out")


def test_a_disk_that_becomes_full_is_reported_without_a_traceback(gazelle, images, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "runs/shades/metrics.json")

    monkeypatch.setattr(runs, "write_metrics", full)
    result = gazelle("train", images, *QUICK, "-q")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(
        "gazelle: No space left on device: runs/shades/metrics.json\n  fix: free some disk space"
    )
    assert not Path("runs").exists()


def test_dropout_and_no_hidden_layers_are_built_as_asked():
    images = training.Images(
        "x", "x", 255, ["a", "b"], (np.zeros((2, 3, 3), np.uint8), np.arange(2)), (None, None)
    )
    kinds = [
        type(layer).__name__
        for layer in training.build(images, training.Settings((5,), dropout=0.5)).layers
    ]
    assert kinds == ["Rescaling", "Flatten", "Dense", "Dropout", "Dense"]
    assert len(training.build(images, training.Settings(())).layers) == 3


def test_a_training_that_stops_early_has_a_reason():
    history = LambdaCallback()
    history.epoch = [0, 1, 2]
    assert training._stop_reason(history, 3, False, None) == ""
    assert "3 of 9 epochs" in training._stop_reason(history, 9, False, 2)
