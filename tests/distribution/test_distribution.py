"""Distributions: what can be tested on one device, and the tests that need four."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import gazelle
from gazelle import distribution
from gazelle.distribution import DataParallel, DeviceMesh, LayoutMap, ModelParallel, TensorLayout

EIGHT = [f"cpu:{i}" for i in range(8)]


@pytest.mark.slow
def test_on_four_devices(tmp_path):
    given = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "GAZELLE_COMPILE_CACHE": "off",
    }
    file = Path(__file__).with_name("on_four_devices.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-8000:]


def mesh():
    return DeviceMesh((4, 2), ["batch", "model"], EIGHT)


def test_a_scope_ends_and_is_of_one_thread():
    first, second = DataParallel(mesh_of_one()), DataParallel(mesh_of_one())
    seen = []
    assert distribution.distribution() is None
    with first.scope():
        with second.scope():
            assert distribution.distribution() is second
            thread = threading.Thread(target=lambda: seen.append(distribution.distribution()))
            thread.start()
            thread.join()
        assert distribution.distribution() is first
    assert distribution.distribution() is None
    assert seen == [None]


def mesh_of_one():
    return DeviceMesh((1,), ["batch"], ["cpu:0"])


def test_one_device_may_be_a_mesh():
    x = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    weights = []
    for one in (None, DataParallel(mesh_of_one())):
        distribution.set_distribution(one)
        gazelle.utils.set_random_seed(1)
        model = gazelle.Sequential([gazelle.layers.Dense(2)])
        model.compile("adam", "mse")
        model.fit(x, x[:, :2], batch_size=8, verbose=0)
        weights.append(model.get_weights())
    distribution.set_distribution(None)
    for alone, meshed in zip(*weights, strict=True):
        np.testing.assert_allclose(meshed, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "names", "message"),
    [
        ((8,), "", "cannot be empty"),
        ((), ["batch"], "cannot be empty"),
        ((4, 2), ["batch"], "should have same size"),
        ((4, 4), ["batch", "model"], "does not match the number of devices"),
    ],
)
def test_wrong_meshes(shape, names, message):
    with pytest.raises(ValueError, match=message):
        DeviceMesh(shape, names, EIGHT)


def test_layouts_name_axes_of_the_mesh():
    with pytest.raises(ValueError, match="Invalid axis names"):
        TensorLayout(("unknown", None), mesh())
    late = TensorLayout(("unknown", None))
    with pytest.raises(ValueError, match="Invalid axis names"):
        late.device_mesh = mesh()
    whole = TensorLayout((None, "batch"))
    whole.device_mesh = mesh()
    with pytest.raises(ValueError, match="Cannot override"):
        whole.device_mesh = mesh()


def test_a_map_of_layouts_finds_paths_and_whole_matches():
    layouts = LayoutMap(mesh())
    layouts["dense/kernel"] = TensorLayout(("batch", None))
    layouts[".*dense.*kernel"] = (None, "model")
    layouts[".*bias"] = ("model",)
    layouts[".*dense.*bias"] = (None,)
    assert layouts["dense/kernel"].axes == ("batch", None)
    assert layouts["net/dense_1/kernel"].axes == (None, "model")
    assert layouts["net/dense_1/kernel"].device_mesh is layouts.device_mesh
    assert layouts["dense/kernel/momentum"] is None
    assert layouts["conv/bias"].axes == ("model",)
    with pytest.raises(ValueError, match="matches multiple"):
        layouts["dense/bias"]
    with pytest.raises(ValueError, match="already exist"):
        layouts["dense/kernel"] = (None, None)
    with pytest.raises(ValueError, match="should be a TensorLayout"):
        layouts["other"] = ["batch", None]
    with pytest.raises(KeyError):
        layouts.pop("conv/bias")
    del layouts[".*bias"]
    assert list(layouts) == ["dense/kernel", ".*dense.*kernel", ".*dense.*bias"]


def test_data_parallel():
    several = DataParallel(devices=EIGHT)
    assert (several.batch_dim_name, several.num_model_replicas) == ("batch", 8)
    assert several.get_data_layout((4, 2, 2)).axes == ("batch", None, None)
    assert several.get_data_layout(()).axes == ()
    assert several.get_variable_layout(gazelle.Variable([1.0])).axes == (None,)
    assert several.get_tensor_layout("dense/output") is None
    with pytest.warns(UserWarning, match="1D"):
        DataParallel(mesh())
    with pytest.raises(ValueError, match="instance of `DeviceMesh`"):
        DataParallel("cpu:0")


def test_model_parallel():
    layouts = LayoutMap(mesh())
    layouts[".*kernel"] = (None, "model")
    several = ModelParallel(layout_map=layouts, batch_dim_name="model")
    assert several.num_model_replicas == 2
    assert several.get_data_layout((4, 2)).axes == ("model", None)
    kernel = gazelle.Variable(np.ones((2, 2)), name="kernel")
    assert several.get_variable_layout(kernel).axes == (None, "model")
    assert several.get_variable_layout(gazelle.Variable([1.0], name="a")).axes == (None,)
    for given, message in [
        ({}, "must specify a layout_map"),
        ({"layout_map": {}}, "must be a `LayoutMap`"),
        ({"layout_map": layouts, "batch_dim_name": "rows"}, "no such axis"),
        ({"layout_map": layouts, "other": 1}, "other"),
    ]:
        with pytest.raises(ValueError, match=message):
            ModelParallel(**given)


def test_only_a_distribution_is_set():
    with pytest.raises(ValueError, match="not a distribution"):
        distribution.set_distribution("data parallel")


def test_the_number_of_addresses_is_that_of_the_processes():
    with pytest.raises(ValueError, match="number of addresses"):
        distribution.initialize("a:1,b:1", num_processes=3, process_id=0)
