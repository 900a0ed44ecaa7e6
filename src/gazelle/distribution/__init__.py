"""Training on several devices, like `keras.distribution`: over `jax.sharding`."""

from gazelle.distribution._devices import get_device_count, initialize, list_devices
from gazelle.distribution._distributions import (
    DataParallel,
    ModelParallel,
    distribution,
    set_distribution,
)
from gazelle.distribution._layouts import (
    DeviceMesh,
    LayoutMap,
    TensorLayout,
    distribute_tensor,
)

__all__ = [
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]
