"""Run folders that are damaged at random or on purpose: one short error, with little memory."""

import os
import random
import shutil
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gazelle._core.errors import DataError
from gazelle._report import runs
from gazelle._report.saved_model import read_model

sys.path.insert(0, str(Path(__file__).parent))
import damage

pytestmark = pytest.mark.slow

FILES = (
    "config.json",
    "metrics.json",
    "network.json",
    "history.csv",
    "predictions.npz",
    "samples.npz",
)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return damage.make_run(tmp_path_factory.mktemp("damage") / "good")


@pytest.fixture(scope="module")
def goods(good, tmp_path_factory):
    tables = [
        damage.make_table_run(tmp_path_factory.mktemp("damage") / "good", classes)
        for classes in (False, True)
    ]
    return [good, *tables]


@pytest.fixture
def bad(good, tmp_path):
    shutil.copytree(good, tmp_path / "bad")
    return tmp_path / "bad"


def test_a_good_folder_is_read(goods):
    assert [damage.verdict(good) for good in goods] == [("fine", "")] * 3


@pytest.mark.parametrize("number", range(60))
def test_damage_causes_one_short_error_or_none(goods, tmp_path, number):
    folder = tmp_path / "bad"
    shutil.copytree(goods[number % 3], folder)
    what = damage.damage(folder, random.Random(f"test-{number}"))
    outcome, words = damage.verdict(folder, with_page=number % 12 == 0)
    assert outcome in ("fine", "refused"), f"{what}\n{words[-2000:]}"


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
@pytest.mark.parametrize("name", FILES)
def test_a_pipe_is_refused_and_not_waited_for(bad, name):
    (bad / name).unlink()
    os.mkfifo(bad / name)
    with pytest.raises(DataError, match="a pipe, not a regular file"):
        runs.read_run(bad)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero here")
@pytest.mark.parametrize("name", ["model.json", "model.weights.h5", "metrics.json"])
def test_a_device_is_refused(bad, name):
    (bad / name).unlink()
    (bad / name).symlink_to("/dev/zero")
    read = runs.read_run if name == "metrics.json" else read_model
    with pytest.raises(DataError, match="a device, not a regular file"):
        read(bad)


def peak(function):
    """The most bytes that Python and NumPy used until `function` raised, and the message."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            function()
        return tracemalloc.get_traced_memory()[1], str(caught.value)
    finally:
        tracemalloc.stop()


def test_an_archive_that_unpacks_to_far_more_than_it_is_takes_no_memory(bad):
    with zipfile.ZipFile(bad / "predictions.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("labels", "outputs"):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array_header_1_0(
                    member, {"descr": "|u1", "fortran_order": False, "shape": (2 * 10**8,)}
                )
                for _ in range(20):
                    member.write(bytes(10**7))
    taken, words = peak(lambda: runs.read_run(bad))
    assert "400,000,256 bytes of arrays in a file of" in words
    assert taken < 10e6


def test_a_model_larger_than_its_weights_takes_no_memory(bad):
    path = bad / "model.json"
    path.write_text(path.read_text().replace('"units": 4', '"units": 100000000'))
    taken, words = peak(lambda: read_model(bad))
    assert "larger than its weights" in words
    assert taken < 30e6


def test_thousands_of_layers_are_refused_at_once(bad):
    layers = '{"class_name": "Flatten", "config": {}}, ' * 30_000
    (bad / "model.json").write_text(
        f'{{"class_name": "Sequential", "config": {{"layers": [{layers} null]}}}}'
    )
    with pytest.raises(DataError, match="30,001 layers"):
        read_model(bad)


def test_arrays_that_compress_very_well_can_be_read_again(tmp_path):
    labels, outputs = np.zeros(10**6, np.int32), np.zeros((10**6, 40), np.float32)
    size = runs.write_predictions(tmp_path, labels, outputs).stat().st_size
    assert size > labels.nbytes + outputs.nbytes  # not packed
    assert runs.read_predictions(tmp_path).outputs.shape == outputs.shape


def test_weights_without_digests_get_a_warning(bad):
    import h5py

    with h5py.File(bad / "model.weights.h5", "r+") as file:
        del file["gazelle_sha256"]
    with pytest.warns(UserWarning, match="cannot be verified"):
        read_model(bad)


def test_a_model_of_another_number_of_classes_is_refused(bad):
    config = runs.read_config(bad)
    config.class_names = ["a", "b", "c", "d"]
    with pytest.raises(DataError, match="outputs for 4 classes"):
        read_model(bad, config)
