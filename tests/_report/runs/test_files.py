import json
import math

import numpy as np
import pytest

from gazelle._core.errors import DataError
from gazelle._report import figures, runs, schema

NETWORK = b'{"name": "m", "layers": [%s], "parameters": 1, "trainable_parameters": 1}'


def make_config(**more):
    values = {
        "title": "Ä title",
        "task": "classification",
        "data": "toy",
        "splits": [schema.Split("train", 3, [1, 2])],
        "class_names": ["a", "b"],
        "settings": {"seed": 1, "rate": 0.5, "shuffle": True, "note": None},
        "durations": {"train": 2.0},
    }
    return schema.RunConfig(**{**values, **more})


def make_network():
    layers = [
        schema.LayerInfo("input", "InputLayer", [[None, 4]]),
        schema.LayerInfo("dense", "Dense", [[None, 2]], 10, 2, "softmax", True, ["input"]),
    ]
    return schema.NetworkInfo("model", layers, 10, 10)


def test_config_comes_back_as_it_was_written(tmp_path):
    config = make_config()
    runs.write_config(tmp_path, config)
    assert runs.read_config(tmp_path) == config


def test_network_comes_back_as_it_was_written(tmp_path):
    runs.write_network(tmp_path, make_network())
    assert runs.read_network(tmp_path) == make_network()


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_metrics_come_back_as_they_were_written(tmp_path, kind):
    if kind == "classification":
        metrics = figures.classification_metrics(
            [0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], ["a", "b"], loss=0.3
        )
    else:
        metrics = figures.regression_metrics([1.0, 2.0], [1.5, 2.0], loss=0.3)
    runs.write_metrics(tmp_path, metrics)
    assert runs.read_metrics(tmp_path) == metrics


def test_numbers_that_are_not_finite_become_null(tmp_path):
    metrics = figures.regression_metrics([1.0, 2.0], [1.5, 2.0], loss=math.nan)
    metrics.r2 = math.inf
    text = runs.write_metrics(tmp_path, metrics).read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["loss"] is None
    assert runs.read_metrics(tmp_path).r2 is None


def test_numpy_numbers_are_written_as_plain_ones(tmp_path):
    config = make_config(durations={"train": np.float32(0.5)}, settings={"seed": np.int64(3)})
    runs.write_config(tmp_path, config)
    assert runs.read_config(tmp_path).settings == {"seed": 3}


def test_history_comes_back_with_nan_and_infinity(tmp_path):
    history = {"loss": [0.1, 1 / 3, math.inf], "val_loss": [math.nan, 2e-30, 1.0]}
    runs.write_history(tmp_path, history, [3, 4, 5])
    epochs, found = runs.read_history(tmp_path)
    assert epochs == [3, 4, 5]
    np.testing.assert_array_equal(found["loss"], history["loss"])
    np.testing.assert_array_equal(found["val_loss"], history["val_loss"])


def test_history_of_other_tools_may_have_empty_cells(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n1,0.5,\n2,0.25,1\n")
    _, history = runs.read_history(tmp_path)
    np.testing.assert_array_equal(history["val_loss"], [math.nan, 1.0])


def test_history_of_uneven_columns_is_refused(tmp_path):
    with pytest.raises(DataError, match="have different lengths"):
        runs.write_history(tmp_path, {"loss": [1.0, 2.0], "val_loss": [1.0]})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b""),
        ("config.json", b"\xff\xfe\x00"),
        ("config.json", b'{"title": NaN}'),
        ("config.json", b"[1, 2]"),
        ("config.json", b"[" * 100_000),
        ("config.json", b'{"title": 1, "task": "regression", "data": "x", "splits": []}'),
        ("config.json", b'{"title": "x", "task": "magic", "data": "x", "splits": []}'),
        ("config.json", b'{"title": "x", "task": "regression", "data": "x", "splits": [], "a": 1}'),
        ("config.json", b'{"title": "x", "task": "regression", "data": "x"}'),
        ("history.csv", b""),
        ("history.csv", b"loss\n1\n"),
        ("history.csv", b"epoch,loss\n1\n"),
        ("history.csv", b"epoch,loss\n1,high\n"),
        ("history.csv", b"epoch,loss,loss\n1,2,3\n"),
        ("metrics.json", b"{}"),
        ("network.json", NETWORK % b'{"name": 3, "type": "Dense"}'),
        ("network.json", NETWORK % b'{"name": "a", "type": "D", "inbound": ["b"]}'),
        ("predictions.npz", b"PK\x03\x04 not a zip"),
        ("predictions.npz", b""),
        ("samples.npz", b"nothing"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, name, content):
    runs.write_config(tmp_path, make_config())
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        runs.read_run(tmp_path)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_config_is_named(tmp_path):
    with pytest.raises(DataError, match=r"config\.json"):
        runs.read_run(tmp_path)


def test_all_but_the_config_may_be_missing(tmp_path):
    runs.write_config(tmp_path, make_config())
    run = runs.read_run(tmp_path)
    assert (run.metrics, run.network, run.predictions, run.samples, run.history) == (
        None,
        None,
        None,
        None,
        {},
    )


def test_pickles_are_never_loaded(tmp_path):
    runs.write_config(tmp_path, make_config())
    np.savez(
        tmp_path / "predictions.npz", labels=np.array([{"a": 1}], dtype=object), outputs=np.zeros(1)
    )
    with pytest.raises(DataError, match=r"predictions\.npz"):
        runs.read_run(tmp_path)


def test_labels_out_of_range_are_damage(tmp_path):
    runs.write_config(tmp_path, make_config())
    runs.write_predictions(tmp_path, [0, 2], np.full((2, 2), 0.5))
    with pytest.raises(DataError, match=r"predictions\.npz"):
        runs.read_run(tmp_path)


def test_metrics_of_another_task_are_damage(tmp_path):
    runs.write_config(tmp_path, make_config())
    runs.write_metrics(tmp_path, figures.regression_metrics([1.0, 2.0], [1.0, 2.0]))
    with pytest.raises(DataError, match=r"metrics\.json"):
        runs.read_run(tmp_path)


def test_counts_that_do_not_match_the_names_are_not_written(tmp_path):
    with pytest.raises(DataError, match="class_counts"):
        runs.write_config(tmp_path, make_config(class_names=["a", "b", "c"]))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    runs.write_predictions(tmp_path, [0, 1], np.zeros((2, 2)))

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        runs.write_predictions(tmp_path, [1], np.ones((1, 2)))
    assert runs.read_predictions(tmp_path).labels.tolist() == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.npz"]


def test_folders_of_the_same_name_are_numbered(tmp_path):
    (tmp_path / "my-net-try-1-3").symlink_to("nowhere")
    placed = []
    for number in range(3):
        (tmp_path / ".draft").mkdir()
        (tmp_path / ".draft" / "note").write_text(str(number))
        placed.append(runs.place_folder(tmp_path / ".draft", "my net: try/1"))
    assert [folder.name for folder in placed] == [
        "my-net-try-1",
        "my-net-try-1-2",
        "my-net-try-1-4",
    ]
    assert [(folder / "note").read_text() for folder in placed] == ["0", "1", "2"]
    assert runs.folder_name("../..") == "run"
