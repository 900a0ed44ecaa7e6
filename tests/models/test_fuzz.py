"""Model files that are damaged at random: refused in one line, or loaded as they say."""

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import gazelle
from gazelle import layers, models
from gazelle.errors import ModelFileError

sys.path.insert(0, str(Path(__file__).parent))
import fuzz
import mutants

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def goods(tmp_path_factory):
    folder = tmp_path_factory.mktemp("goods")
    fuzz.make_good_files(folder)
    return folder


def test_damage_is_refused_or_harmless(goods):
    verdicts = list(fuzz.judge_all(goods, 12, range(300)))
    assert [one.number for one in verdicts] == list(range(300))
    assert [one for one in verdicts if one.is_finding] == []
    assert {"refused", "same", "different"} <= {one.outcome for one in verdicts}


def test_a_process_that_crashes_or_hangs_is_noticed(goods, tmp_path, monkeypatch):
    script = tmp_path / "loads.py"
    script.write_text(
        "import sys, time, os\n"
        "first = int(sys.argv[sys.argv.index('--first') + 1])\n"
        "print(first, flush=True)\n"
        "time.sleep(60) if first else os.abort()\n"
    )
    monkeypatch.setattr(fuzz, "__file__", str(script))
    monkeypatch.setattr(fuzz, "LONGEST", 0.1)
    verdicts = list(fuzz.judge_all(goods, 0, range(2)))
    assert [(one.number, one.outcome) for one in verdicts] == [(0, "crash"), (1, "hang")]


def test_the_good_files_load_as_they_are(goods):
    loader = fuzz.Loader(goods, 0)
    for name in mutants.NAMES:
        for ending in (".keras", ".weights.h5", ".weights.json", ".safetensors"):
            mutant = mutants.Mutant(goods / f"{name}{ending}", name, "", True)
            assert loader._outcome(mutant) == ("same", "")


def test_weights_restore_the_learning_rate_of_plain_sgd_after_load_model(tmp_path):
    model = gazelle.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "m.keras")
    model.optimizer.learning_rate = 0.125
    model.save_weights(tmp_path / "later.weights.h5")
    loaded = models.load_model(tmp_path / "m.keras")
    loaded.load_weights(tmp_path / "later.weights.h5")
    assert float(loaded.optimizer.learning_rate) == 0.125


def _with_change(goods, name, change):
    """A good file without metadata, whose config was changed."""
    contents = mutants.members((goods / f"{name}.keras").read_bytes())
    config = json.loads(contents["config.json"])
    change(config)
    del contents["metadata.json"]
    return mutants.zipped({**contents, "config.json": json.dumps(config).encode()})


@pytest.mark.parametrize("value", ["relu", [], {}, 2, 0.5, [[[]]]])
@pytest.mark.parametrize(
    ("place", "flag"),
    [
        (("config", "layers", 1), "use_bias"),
        (("config", "layers", 2), "center"),
        (("config", "layers", 0), "optional"),
        (("compile_config", "optimizer"), "use_ema"),
        (("compile_config", "optimizer"), "nesterov"),
    ],
)
def test_a_flag_is_true_or_false(goods, tmp_path, place, flag, value):
    def change(config):
        for key in place:
            config = config[key]
        config["config"][flag] = value

    path = tmp_path / "bad.keras"
    path.write_bytes(_with_change(goods, "chain", change))
    with pytest.raises(ModelFileError, match="config-field"):
        models.load_model(path)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": {"a": 1}},
        {"config": "relu"},
        {"class_name": "__slice__", "config": {"start": 0, "stop": 1, "step": 1}},
    ],
)
@pytest.mark.parametrize("name", ["activation", "bias_constraint", "kernel_initializer"])
def test_a_part_of_a_layer_is_not_a_dict_without_a_class(goods, tmp_path, name, value):
    path = tmp_path / "bad.keras"
    path.write_bytes(
        _with_change(
            goods,
            "chain",
            lambda config: config["config"]["layers"][1]["config"].update({name: value}),
        )
    )
    with pytest.raises(ModelFileError, match="config-field"):
        models.load_model(path)


@pytest.mark.parametrize("value", [1, 0, True, False])
def test_a_flag_may_be_a_number_that_is_a_flag(goods, tmp_path, value):
    def change(config):
        config["compile_config"]["optimizer"]["config"]["nesterov"] = value

    path = tmp_path / "good.keras"
    path.write_bytes(_with_change(goods, "chain", change))
    assert models.load_model(path).optimizer.nesterov == value


def test_archives_of_the_fuzzer_are_good_before_they_are_damaged(goods):
    contents = mutants.members((goods / "chain.keras").read_bytes())
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        model = models.load_model(io.BytesIO(mutants.zipped(contents, method)))
        assert model.name == "chain"
