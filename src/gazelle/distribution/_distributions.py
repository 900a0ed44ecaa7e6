"""Distributions: how the variables and batches of a model are spread over a mesh."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax

from gazelle._core import layouts
from gazelle._core.errors import ArgumentError, CheckWarning, StateError
from gazelle.distribution._devices import list_devices
from gazelle.distribution._layouts import DeviceMesh, LayoutMap, TensorLayout

_BATCH = "batch"


class Distribution:
    """What all distributions have in common: a mesh, and an axis of it for the batches.

    Args:
        device_mesh: The mesh.
        batch_dim_name: The axis of the mesh among which a batch is divided; the first when None.
        auto_shard_dataset: Taken for Keras's sake; it is for several processes.

    Raises:
        ArgumentError: The mesh has no such axis.
        StateError: JAX computes in several processes.
    """

    def __init__(
        self,
        device_mesh: DeviceMesh,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
    ):
        if jax.process_count() > 1:
            raise StateError(
                "Models are not trained by several processes together.",
                expected="the devices of one process",
                received=f"process {jax.process_index()} of {jax.process_count()}",
                fix="leave initialize out, and use the devices of this machine",
            )
        names = list(device_mesh.axis_names)
        if batch_dim_name is not None and batch_dim_name not in names:
            raise ArgumentError(
                "The mesh has no such axis for the batches.",
                expected=f"one of {names}",
                received=f"batch_dim_name={batch_dim_name!r}",
            )
        self._device_mesh = device_mesh
        self._batch_dim_name = batch_dim_name or names[0]
        self._auto_shard_dataset = auto_shard_dataset

    @property
    def device_mesh(self) -> DeviceMesh:
        """The mesh."""
        return self._device_mesh

    @property
    def batch_dim_name(self) -> str:
        """The axis of the mesh among which a batch is divided."""
        return self._batch_dim_name

    @property
    def auto_shard_dataset(self) -> bool:
        """As it was given."""
        return self._auto_shard_dataset

    @auto_shard_dataset.setter
    def auto_shard_dataset(self, auto_shard_dataset: bool) -> None:
        self._auto_shard_dataset = auto_shard_dataset

    @property
    def num_processes(self) -> int:
        """The number of processes that compute together."""
        return jax.process_count()

    @property
    def num_model_replicas(self) -> int:
        """The number of parts into which a batch is divided."""
        axis = list(self._device_mesh.axis_names).index(self._batch_dim_name)
        return self._device_mesh.shape[axis]

    @property
    def data_shard_id(self) -> int:
        """The number of the part of the data that this process reads: there is one process."""
        return 0

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Equal for distributions under which programs are the same."""
        return self._device_mesh.backend_mesh, self._batch_dim_name

    def get_data_layout(self, data_shape: Sequence[int]) -> TensorLayout:
        """The layout of data with the samples along its first axis, of any shape."""
        axes = [self._batch_dim_name, *[None] * len(data_shape)]
        return TensorLayout(axes[: len(data_shape)], self._device_mesh)

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """The layout of a variable: its own, or each device has all of it."""
        own = variable.layout
        return TensorLayout([None] * len(variable.shape), self._device_mesh) if own is None else own

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of a layer's output, by its path; None where JAX chooses it."""
        return None

    def distribute_dataset(self, dataset: Any) -> Any:
        """The data that this process reads: all of it."""
        return dataset

    def scope(self) -> AbstractContextManager[None]:
        """A block in which this is the distribution."""
        return layouts.scope(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} device_mesh={self._device_mesh}>"


class DataParallel(Distribution):
    """Each device has the whole model and computes with its part of each batch.

    The numbers are those of one device, also where the devices do not divide the batch evenly.

    Args:
        device_mesh: A mesh with one axis.
        devices: The devices instead; all that there are when both are None.
        auto_shard_dataset: Taken for Keras's sake; it is for several processes.

    Raises:
        ArgumentError: `device_mesh` is something else.
    """

    def __init__(
        self,
        device_mesh: DeviceMesh | None = None,
        devices: Sequence[Any] | None = None,
        auto_shard_dataset: bool = True,
    ):
        if device_mesh is None:
            devices = list_devices() if devices is None else list(devices)
            device_mesh = DeviceMesh((len(devices),), [_BATCH], devices)
        if not isinstance(device_mesh, DeviceMesh):
            raise ArgumentError(
                "Expect `mesh` to be an instance of `DeviceMesh`.", received=repr(device_mesh)
            )
        if len(device_mesh.shape) > 1:
            warnings.warn(
                "Expect the input mesh to be 1D: batches are divided along its first axis"
                f" alone, and the axes {list(device_mesh.axis_names)[1:]} compute the same.",
                CheckWarning,
                stacklevel=2,
            )
        super().__init__(device_mesh, None, auto_shard_dataset)

    @property
    def num_model_replicas(self) -> int:
        """The number of devices."""
        return self._device_mesh.devices.size


class ModelParallel(Distribution):
    """Weights are divided among devices too, by their paths.

    What the map has no layout for is whole on each device. The optimizer's variables lie as the
    weights that they belong to.

    Args:
        layout_map: The layouts of weights (`"dense/kernel"`) and of layers' outputs
            (`"dense/output"`).
        batch_dim_name: The axis of the mesh among which a batch is divided; the first when None.
        auto_shard_dataset: Taken for Keras's sake; it is for several processes.
        **kwargs: `device_mesh`, which is taken from `layout_map`.

    Raises:
        ArgumentError: `layout_map` is missing or something else, or an argument is unknown.
    """

    def __init__(
        self,
        *,
        layout_map: LayoutMap | None = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        **kwargs: Any,
    ):
        kwargs.pop("device_mesh", None)
        if kwargs:
            raise ArgumentError("ModelParallel got unknown arguments.", received=", ".join(kwargs))
        if layout_map is None:
            raise ArgumentError(
                "You must specify a layout_map argument.", fix="ModelParallel(layout_map=...)"
            )
        if not isinstance(layout_map, LayoutMap):
            raise ArgumentError(
                "Argument `layout_map` must be a `LayoutMap` instance.", received=repr(layout_map)
            )
        super().__init__(layout_map.device_mesh, batch_dim_name, auto_shard_dataset)
        self._layout_map = layout_map

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Equal for distributions under which programs are the same."""
        paths = tuple((path, layout.axes) for path, layout in self._layout_map.items())
        return *super().key, paths

    def get_variable_layout(self, variable: Any) -> TensorLayout:
        """The layout of a variable: its own, that of its path, or each device has all of it."""
        found = None if variable.layout is not None else self._layout_map[variable.path]
        return super().get_variable_layout(variable) if found is None else found

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of a layer's output, by its path; None where JAX chooses it."""
        return self._layout_map[path]


def distribution() -> Distribution | None:
    """The distribution of this thread; None where there is none."""
    found: Any = layouts.current()
    return found


def set_distribution(value: Distribution | None) -> None:
    """Set the distribution of this thread, for the models that are made and trained from now on.

    Args:
        value: A `DataParallel` or `ModelParallel`; None for one device.

    Raises:
        ArgumentError: `value` is something else.
    """
    if value is not None and not isinstance(value, Distribution):
        raise ArgumentError(
            "This is not a distribution.",
            expected="a DataParallel, a ModelParallel or None",
            received=repr(value),
        )
    layouts.set_current(value)
