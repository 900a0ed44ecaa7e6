"""Switches and devices: `tf.config` and its like. Nearly all of them change nothing here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from gazelle.compat._tensorflow._table import answers, enter


class PhysicalDevice(NamedTuple):
    """A device of the machine."""

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A device as programs see it."""

    name: str
    device_type: str


def _nothing(*_: Any, **__: Any) -> None:
    """A switch that has no effect."""


def _kinds() -> list[str]:
    """The kinds of the devices that JAX has, and the CPU."""
    import jax

    kinds = {"gpu": "GPU", "cuda": "GPU", "rocm": "GPU", "tpu": "TPU"}
    found = [kinds.get(device.platform) for device in jax.devices()]
    return ["CPU", *(kind for kind in found if kind is not None)]


def _numbered(kind: Any, device_type: str | None, prefix: str) -> list[Any]:
    counted: dict[str, int] = {}
    devices = []
    for one in _kinds():
        number = counted[one] = counted.get(one, -1) + 1
        if device_type in (None, one):
            devices.append(kind(f"/{prefix}:{one}:{number}", one))
    return devices


@answers(
    *("config.list_physical_devices", "config.experimental.list_physical_devices"),
    *("config.get_visible_devices", "config.experimental.get_visible_devices"),
)
def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of the machine, of one kind or of all."""
    return _numbered(PhysicalDevice, device_type, "physical_device")


@answers("config.list_logical_devices", "config.experimental.list_logical_devices")
def _list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    return _numbered(LogicalDevice, device_type, "device")


@answers("test.is_gpu_available")
def _is_gpu_available(*_: Any, **__: Any) -> bool:
    return bool(list_physical_devices("GPU"))


@answers("test.gpu_device_name")
def _gpu_device_name() -> str:
    return "/device:GPU:0" if _is_gpu_available() else ""


@answers("test.is_built_with_cuda", "test.is_built_with_gpu_support", "test.is_built_with_rocm")
def _is_built_with() -> bool:
    return _is_gpu_available()


@answers("config.experimental.get_memory_info")
def _get_memory_info(device: str) -> dict[str, int]:
    return {"current": 0, "peak": 0}


@answers("config.experimental.get_device_details")
def _get_device_details(device: Any) -> dict[str, Any]:
    return {}


@answers("config.experimental.get_memory_growth")
def _get_memory_growth(device: Any) -> bool:
    return False


@answers("config.optimizer.get_jit")
def _get_jit() -> str:
    return "autoclustering"


@answers("config.optimizer.get_experimental_options")
def _get_experimental_options() -> dict[str, Any]:
    return {}


for _name in ("get_inter_op_parallelism_threads", "get_intra_op_parallelism_threads"):
    enter(f"config.threading.{_name}", lambda: 0)
for _name in (
    *("set_visible_devices", "set_soft_device_placement", "set_logical_device_configuration"),
    *("experimental.set_memory_growth", "experimental.set_visible_devices"),
    *("experimental.set_virtual_device_configuration", "experimental.enable_op_determinism"),
    *("experimental.enable_tensor_float_32_execution", "experimental.set_synchronous_execution"),
    *("experimental.reset_memory_stats", "experimental.disable_mlir_bridge"),
    *("optimizer.set_jit", "optimizer.set_experimental_options"),
    *("threading.set_inter_op_parallelism_threads", "threading.set_intra_op_parallelism_threads"),
    *("experimental_connect_to_cluster", "experimental_connect_to_host"),
):
    enter(f"config.{_name}", _nothing)
for _name in ("LogicalDeviceConfiguration", "experimental.VirtualDeviceConfiguration"):
    enter(f"config.{_name}", SimpleNamespace)
for _name in ("tpu.experimental.initialize_tpu_system", "debugging.set_log_device_placement"):
    enter(_name, _nothing)


# ---- Several devices: everything runs on the default one ----


class Strategy:
    """A strategy for several devices; here everything runs on the default one.

    Args:
        devices: Have no effect.
    """

    num_replicas_in_sync = 1
    extended = SimpleNamespace(num_replicas_in_sync=1)

    def __init__(self, devices: Sequence[str] | str | None = None, **_: Any):
        self.devices = devices

    @contextlib.contextmanager
    def scope(self) -> Iterator[Strategy]:
        """A block that changes nothing."""
        yield self

    def run(self, fn: Any, args: Any = (), kwargs: Any = None, options: Any = None) -> Any:
        """Call a function."""
        return fn(*args, **(kwargs or {}))

    experimental_run_v2 = run

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        """The value of the only device."""
        return value

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The data set itself."""
        return dataset

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        """The value of the only device."""
        return (value,)


for _name in (
    *("Strategy", "MirroredStrategy", "OneDeviceStrategy", "MultiWorkerMirroredStrategy"),
    *("TPUStrategy", "experimental.CentralStorageStrategy", "experimental.TPUStrategy"),
    "experimental.MultiWorkerMirroredStrategy",
):
    enter(f"distribute.{_name}", Strategy)
enter("distribute.get_strategy", Strategy)
enter("distribute.has_strategy", lambda: False)
enter("distribute.ReduceOp", SimpleNamespace(SUM="SUM", MEAN="MEAN"))


@answers("distribute.cluster_resolver.TPUClusterResolver")
def _resolver(*_: Any, **__: Any) -> Any:
    raise ValueError("There is no TPU.")  # scripts catch this, and go on without one


# ---- Versions ----

VERSION = "2.15.0"
for _name in ("__version__", "VERSION", "version.VERSION"):
    enter(_name, VERSION)
enter("version.GIT_VERSION", f"v{VERSION}")
enter("version.COMPILER_VERSION", "unknown")
enter("version.GRAPH_DEF_VERSION", 1482)


@answers("sysconfig.get_build_info")
def _get_build_info() -> dict[str, Any]:
    return {"cuda_version": "", "cudnn_version": "", "is_cuda_build": False}


@answers("python.client.device_lib.list_local_devices")
def _list_local_devices(*_: Any) -> list[Any]:
    return [
        SimpleNamespace(
            name=f"/device:{one.device_type}:0", device_type=one.device_type, memory_limit=0
        )
        for one in list_physical_devices()
    ]
