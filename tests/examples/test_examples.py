"""The example programs run on the real CIFAR-10 images and learn."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    data = load(ROOT / "tests" / "datasets" / "cifar10_data.py")
    if not data.ARCHIVE.exists():
        pytest.skip(f"the CIFAR-10 images are missing: {data.ARCHIVE.name} in ../shared/data")
    return data.binary_folder(tmp_path_factory.mktemp("cifar10"))


@pytest.mark.parametrize("name", ["cifar10_sequential", "cifar10_functional"])
def test_the_example_learns_in_one_epoch(name, images, monkeypatch, capsys):
    monkeypatch.setenv("GAZELLE_CIFAR10", str(images))
    accuracy = load(ROOT / "examples" / f"{name}.py").main(epochs=1)
    assert 0.33 < accuracy < 0.55  # 0.10 by chance, about 0.40 after one epoch
    printed = capsys.readouterr().out
    assert "646,260" in printed  # parameters in the summary: the network is the article's
    assert "val_accuracy" in printed
    assert "\x1b" not in printed
