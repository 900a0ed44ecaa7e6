"""Several runs on one page."""

import re

import numpy as np
import pytest

from gazelle._core.errors import ArgumentError, DataError
from gazelle._report import figures, pages, runs, schema


def make(folder, data_seed, **settings):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(data_seed)
    labels = np.arange(60) % 2
    positive = np.clip(0.4 * labels + 0.6 * rng.random(60), 0, 1)
    splits = [schema.Split("train", 100), schema.Split("test", 60)]
    config = schema.RunConfig(
        "t", "classification", "toy", splits, class_names=["<a>", "b"], settings=settings
    )
    runs.write_config(folder, config)
    runs.write_metrics(
        folder, figures.classification_metrics(labels, positive, ["<a>", "b"], loss=0.5)
    )
    runs.write_history(folder, {"loss": [1.0, 0.5], "val_loss": [np.nan, 0.7]})
    return folder


def test_figures_and_settings_that_differ_are_side_by_side(tmp_path):
    one = make(tmp_path / "x" / "run", 0, seed=1, units=8, note="<script>")
    two = make(tmp_path / "y" / "run", 1, seed=1, units=16)
    text = pages.write_comparison([one, two], tmp_path / "comparison.html").read_text()
    for folder in (one, two):
        metrics = runs.read_metrics(folder)
        assert f"{100 * metrics.accuracy:.1f}%" in text
        assert f'<th scope="row" title="{folder}">{folder}</th>' in text  # both are called run
    assert re.search(r"Units</th><td>8</td><td>16</td>", text)
    assert ">Seed</th>" not in text
    assert "<script>" not in text
    assert "<title>" in text


def test_runs_evaluated_on_different_data_are_pointed_out(tmp_path, digits_run, binary_run):
    text = pages.write_comparison([digits_run, binary_run], tmp_path / "c.html").read_text()
    assert "were not evaluated on the same data" in text


def test_one_run_or_a_damaged_one_is_refused(tmp_path):
    one, two = make(tmp_path / "one", 0), make(tmp_path / "two", 1)
    with pytest.raises(ArgumentError, match="several runs"):
        pages.write_comparison([one], tmp_path / "c.html")
    (two / "metrics.json").write_text("{")
    with pytest.raises(DataError, match=r"two/metrics\.json"):
        pages.write_comparison([one, two], tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()
