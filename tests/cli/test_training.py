"""gazelle train: what it prints, writes, refuses and survives."""

import contextlib
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from gazelle import native, runs
from gazelle.callbacks import LambdaCallback
from gazelle.cli import train as training
from gazelle.datasets import cifar10

from .conftest import DIGITS, folder_of, paint

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
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_it_prints_data_network_epochs_and_figures_as_plain_text_when_piped(gazelle):
    answer = gazelle("train", "digits", *QUICK)
    assert (answer.status, answer.err) == (0, "")
    assert "\x1b" not in answer.out
    assert "\r" not in answer.out
    lines = answer.out.splitlines()
    assert lines[0] == "digits: 1,438 images to train, 359 to test; 8 x 8, 10 classes"
    epochs = [line for line in lines if line.startswith("Epoch ")]
    assert [line.split(" - ")[:2] for line in epochs] == [["Epoch 1/2", "45/45"], ["Epoch 2/2", "45/45"]]
    assert all("loss: " in line and "val_accuracy: " in line for line in epochs)
    assert lines[-2].startswith("Test accuracy 0.")
    assert lines[-1] == "Report: runs/digits/report.html"
    assert {path.name for path in Path("runs/digits").iterdir()} == FILES


def test_the_record_says_what_was_asked_and_how_long_it_took(digits_run):
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
        "engine": native.state().text,
    }
    assert set(config.durations) == {"load", "train", "evaluate"}
    assert min(config.durations.values()) > 0
    assert [(split.name, split.rows) for split in config.splits] == [("train", 1438), ("test", 359)]
    assert "core" in config.device
    assert runs.read_history(digits_run)[0] == [1, 2]


def test_the_same_seed_gives_the_same_network_bit_for_bit_and_another_seed_another(gazelle, digits_run):
    for seed, name in ((0, "again"), (1, "other")):
        gazelle("train", "digits", *DIGITS, "-q", "--seed", seed, "--name", name)
    first, again, other = weights(digits_run), weights(Path("runs/again")), weights(Path("runs/other"))
    assert first.keys() == again.keys()
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert any(first[name].tobytes() != other[name].tobytes() for name in first)


def test_a_run_never_overwrites_another_and_quiet_prints_its_path_only(gazelle, images):
    for folder in ("my-shades", "my-shades-2"):
        answer = gazelle("train", images, *QUICK, "-q", "--name", "my shades!")
        assert answer == (0, f"runs/{folder}/report.html\n", "")


def test_ctrl_c_ends_training_and_keeps_what_was_learned(gazelle, images, monkeypatch):
    class Press(training.Interrupt):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "Interrupt", Press)
    before = signal.getsignal(signal.SIGINT)
    answer = gazelle("train", images, "--epochs", "500", "--hidden", "4")
    assert signal.getsignal(signal.SIGINT) is before
    assert (answer.status, answer.err) == (130, "")
    assert "Interrupted: this is the network as it was then." in answer.out
    folder = Path("runs/shades")
    assert {path.name for path in folder.iterdir()} == FILES
    assert runs.read_history(folder)[0] == [1, 2]
    assert runs.read_config(folder).stop_reason == "Interrupted in epoch 2 of 500."
    assert gazelle("evaluate", folder).status == 0


def test_a_second_ctrl_c_ends_the_program_and_leaves_nothing(gazelle, images, monkeypatch, tmp_path):
    class PressTwice(training.Interrupt):
        def on_epoch_end(self, epoch, logs=None):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "Interrupt", PressTwice)
    assert gazelle("train", images, *QUICK, "-q") == (130, "", "gazelle: interrupted\n")
    assert list((tmp_path / "runs").iterdir()) == []


def test_ctrl_c_before_the_first_step_is_heard(gazelle, images, monkeypatch):
    class PressAtOnce(training.Interrupt):
        def heard(self, model):
            self.pressed = True
            return contextlib.nullcontext()

    monkeypatch.setattr(training, "Interrupt", PressAtOnce)
    assert gazelle("train", images, "--epochs", "500", "--hidden", "4", "-q").status == 130
    assert runs.read_history(Path("runs/shades"))[0] == [1]


def test_a_job_in_the_background_goes_on_ignoring_ctrl_c():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with training.Interrupt().heard(model=None):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_patience_watches_a_tenth_of_the_training_images_and_keeps_the_best_weights(gazelle, tmp_path):
    folder_of("data", count=20)
    answer = gazelle(
        "train", "data", "--epochs", "60", "--hidden", "", "--learning-rate", "0.3", "--patience", "2", "-q"
    )
    folder = Path(answer.out).parent
    config = runs.read_config(folder)
    assert [(split.name, split.rows) for split in config.splits] == [("train", 28), ("validation", 4), ("test", 8)]
    assert config.settings["patience"] == 2
    epochs, history = runs.read_history(folder)
    assert len(epochs) == 60 or epochs[-1] - epochs[int(np.argmin(history["val_loss"]))] == 2
    assert bool(config.stop_reason) == (len(epochs) < 60)


def test_a_training_that_diverges_is_refused(gazelle, images, tmp_path):
    answer = gazelle("train", images, *QUICK, "--optimizer", "sgd", "--learning-rate", "1e30", "-q")
    assert answer.status == 1
    assert answer.err.splitlines()[0].startswith("gazelle: The training diverged in epoch")
    assert "--learning-rate" in answer.err
    assert list((tmp_path / "runs").iterdir()) == []


def refused(answer, *words):
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("gazelle: ")
    assert "\n\n" not in answer.err
    assert all(word in answer.err for word in words), answer.err
    assert not Path("runs").exists() or list(Path("runs").iterdir()) == []


def test_an_unknown_source_is_refused(gazelle):
    refused(gazelle("train", "nowhere"), "nowhere", "digits", "check the spelling")


def test_a_file_in_place_of_a_folder_is_refused(gazelle, tmp_path):
    (tmp_path / "images.zip").write_bytes(b"PK")
    refused(gazelle("train", "images.zip"), "received: a file", "unpack")


def test_images_of_several_sizes_are_refused_until_a_size_is_given(gazelle):
    folder_of("data")
    paint(Path("data/light/9.png"), size=(7, 6))
    refused(gazelle("train", "data"), "9.png", "7 x 6", "--image-size 6x6")
    answer = gazelle("train", "data", *QUICK, "--image-size", "5x4", "-q")
    assert answer.status == 0
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
    refused(gazelle("train", folder_of("data", classes=("dark",))), "one class only", "dark")


def test_images_without_folders_are_refused(gazelle):
    paint(Path("data/a.png"))
    refused(gazelle("train", "data"), "put the images of each class into a folder")


def test_training_without_test_images_is_refused_where_there_are_parts(gazelle):
    folder_of("data/train")
    refused(gazelle("train", "data"), "no folder test", "add test")


def test_other_classes_for_testing_are_refused(gazelle):
    folder_of("data/train")
    folder_of("data/test", classes=("dark", "bright"))
    refused(gazelle("train", "data"), "different classes", "dark, light", "bright, dark")


def test_test_images_of_another_size_are_refused(gazelle):
    folder_of("data/train")
    folder_of("data/test", size=(4, 4))
    refused(gazelle("train", "data"), "another size", "6 x 6", "4 x 4", "--image-size 6x6")


def test_a_share_for_testing_is_refused_where_there_are_test_images(gazelle):
    folder_of("data/train")
    folder_of("data/test")
    refused(gazelle("train", "data", "--test-share", "0.3"), "test images of its own")


def test_the_digits_take_a_share_for_testing(gazelle):
    assert gazelle("train", "digits", *QUICK, "--test-share", "0.5", "-q").status == 0
    assert runs.read_config(Path("runs/digits")).split("test").rows == pytest.approx(898, abs=5)


def test_cifar10_that_is_not_there_says_where_it_is_looked_for(gazelle, monkeypatch):
    monkeypatch.setenv(cifar10.VARIABLE, "no/such/place")
    refused(gazelle("train", "cifar10"), "no/such/place", cifar10.VARIABLE)


def test_a_folder_that_cannot_be_made_is_refused_before_the_training(gazelle, images, tmp_path):
    (tmp_path / "file").write_text("")
    answer = gazelle("train", images, "--out", "file/runs")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("gazelle: Not a directory")


def test_a_full_disk_is_refused_before_the_training(gazelle, images, monkeypatch):
    usage = type(shutil.disk_usage("."))(total=10**9, used=10**9 - 1000, free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    refused(gazelle("train", images), "too full", "--out")


def test_a_disk_that_becomes_full_is_told_without_a_traceback(gazelle, images, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "runs/shades/metrics.json")

    monkeypatch.setattr(runs, "write_metrics", full)
    answer = gazelle("train", images, *QUICK, "-q")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("gazelle: No space left on device: runs/shades/metrics.json\n  fix: make room")
    assert not [path for path in Path("runs/shades").iterdir() if path.name.startswith(".")]


def test_dropout_and_no_hidden_layers_are_built_as_asked():
    images = training.Images("x", "x", 255, ["a", "b"], (np.zeros((2, 3, 3), np.uint8), np.arange(2)), (None, None))
    kinds = [type(layer).__name__ for layer in training.build(images, training.Settings((5,), dropout=0.5)).layers]
    assert kinds == ["Rescaling", "Flatten", "Dense", "Dropout", "Dense"]
    assert len(training.build(images, training.Settings(())).layers) == 3


def test_a_callback_of_training_that_stops_early_gives_a_reason():
    history = LambdaCallback()
    history.epoch = [0, 1, 2]
    assert training._stop_reason(history, 3, False, None) == ""
    assert "3 of 9 epochs" in training._stop_reason(history, 9, False, 2)
