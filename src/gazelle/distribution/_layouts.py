"""Meshes of devices, and how arrays are divided among them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, MutableMapping, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle._core import layouts
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.symbolic import KerasTensor
from gazelle._core.variable import plain
from gazelle.distribution._devices import device, list_devices


class DeviceMesh:
    """Devices in a grid, whose axes have names.

    Args:
        shape: The grid's sizes, `(8,)` or `(4, 2)`.
        axis_names: A name for each axis.
        devices: The names of the devices, or JAX's devices; all of them when None.

    Raises:
        ArgumentError: `shape` and `axis_names` are empty or differ in length, or there are more or
            fewer devices than places.
    """

    def __init__(
        self, shape: Sequence[int], axis_names: Sequence[str], devices: Sequence[Any] | None = None
    ):
        given = f"shape={shape}, axis_names={axis_names}"
        if not shape or not axis_names:
            raise ArgumentError("Shape and axis_names cannot be empty.", received=given)
        if len(shape) != len(axis_names):
            raise ArgumentError("Shape and axis_names should have same size.", received=given)
        found = np.array(list_devices() if devices is None else devices)
        if math.prod(shape) != found.size:
            raise ArgumentError(
                "Shape does not match the number of devices.",
                expected=f"{found.size} places",
                received=f"shape={shape}",
            )
        self._shape = shape
        self._axis_names = axis_names
        self._devices = found.reshape(shape)

    @property
    def shape(self) -> Sequence[int]:
        """The grid's sizes."""
        return self._shape

    @property
    def axis_names(self) -> Sequence[str]:
        """The names of the axes."""
        return self._axis_names

    @property
    def devices(self) -> np.ndarray:
        """The devices, as an array of the mesh's shape."""
        return self._devices

    @cached_property
    def backend_mesh(self) -> jax.sharding.Mesh:
        """JAX's mesh.

        Raises:
            ArgumentError: A device does not exist.
        """
        found = [device(name) for name in self._devices.flat]
        return jax.sharding.Mesh(np.array(found).reshape(self._devices.shape), self.axis_names)

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in vars(self).items() if name != "backend_mesh"}
        return {**kept, "_devices": self._names()}

    def _names(self) -> np.ndarray:
        named = [
            f"{one.platform}:{one.id}" if isinstance(one, jax.Device) else one
            for one in self._devices.flat
        ]
        return np.array(named).reshape(self._devices.shape)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shape={self.shape}, axis_names={self.axis_names}>"


class TensorLayout:
    """How an array is divided among the devices of a mesh.

    Args:
        axes: For each axis of the array the name of an axis of the mesh, or None for an axis that
            stays whole.
        device_mesh: The mesh; it can be set later.

    Raises:
        ArgumentError: The mesh has no axis of such a name.
    """

    def __init__(self, axes: Sequence[str | None], device_mesh: DeviceMesh | None = None):
        self._axes = tuple(axes)
        self._device_mesh = device_mesh
        self._check_axes()

    @property
    def axes(self) -> tuple[str | None, ...]:
        """The axis of the mesh for each axis of the array."""
        return self._axes

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh; it can be set once.

        Raises:
            StateError: The layout has a mesh already.
            ArgumentError: The mesh lacks an axis.
        """
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh: DeviceMesh) -> None:
        if self._device_mesh is not None:
            raise StateError(
                "Cannot override device mesh value.",
                expected="a layout without a mesh",
                received=f"one on {self._device_mesh}",
                fix="make another TensorLayout",
            )
        self._device_mesh = device_mesh
        self._check_axes()

    @property
    def backend_layout(self) -> jax.sharding.NamedSharding:
        """JAX's sharding.

        Raises:
            StateError: The layout has no mesh.
        """
        if self._device_mesh is None:
            raise StateError(
                "Cannot create sharding when device mesh is not set for TensorLayout.",
                expected="a layout with a mesh",
                received=repr(self),
                fix="TensorLayout(axes, device_mesh=...)",
            )
        spec = jax.sharding.PartitionSpec(*self._axes)
        return jax.sharding.NamedSharding(self._device_mesh.backend_mesh, spec)

    def _check_axes(self) -> None:
        if self._device_mesh is None:
            return
        known = list(self._device_mesh.axis_names)
        unknown = [axis for axis in self._axes if axis is not None and axis not in known]
        if unknown:
            raise ArgumentError(
                "Invalid axis names for Layout.",
                expected=f"names of the mesh's axes: {known}",
                received=f"{self._axes}",
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} axes={self.axes}, device_mesh={self.device_mesh}>"


class LayoutMap(MutableMapping[str, TensorLayout]):
    """Layouts by the paths of variables and of layers' outputs.

    A key is a path or a regular expression that a whole path matches: `"dense/kernel"`,
    `".*kernel"`, `"sequential/dense/output"`. A value is a `TensorLayout`, or a tuple of its axes.

    Args:
        device_mesh: The mesh of layouts that have none.
    """

    def __init__(self, device_mesh: DeviceMesh):
        self._layouts: dict[str, TensorLayout] = {}
        self._device_mesh = device_mesh

    @property
    def device_mesh(self) -> DeviceMesh:
        """The mesh."""
        return self._device_mesh

    def __getitem__(self, key: str) -> Any:
        """The layout for a path; None if no key fits.

        Raises:
            ArgumentError: The path is no key, and several keys match it.
        """
        if key in self._layouts:
            return self._layouts[key]
        matching = [pattern for pattern in self._layouts if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ArgumentError(
                f"Path '{key}' matches multiple layout specification keys.",
                expected="at most one key that matches",
                received=f"{matching}",
            )
        return self._layouts[matching[0]] if matching else None

    def __setitem__(self, key: str, layout: TensorLayout | tuple[str | None, ...]) -> None:
        if key in self._layouts:
            raise ArgumentError(
                f"{key} already exist in the LayoutMap.",
                expected="each key once",
                received=f"{layout} beside {self._layouts[key]}",
                fix="delete the first one",
            )
        if isinstance(layout, tuple):
            layout = TensorLayout(layout)
        if not isinstance(layout, TensorLayout):
            raise ArgumentError(
                f"{layout} should be a TensorLayout type.",
                expected="a TensorLayout, or a tuple of its axes",
                received=type(layout).__name__,
            )
        if layout.device_mesh is None and self._device_mesh is not None:
            layout.device_mesh = self._device_mesh
        self._layouts[key] = layout

    def __delitem__(self, key: str) -> None:
        del self._layouts[key]

    def __len__(self) -> int:
        return len(self._layouts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layouts)


def distribute_tensor(tensor: Any, layout: Any) -> Any:
    """An array in another layout, also within a compiled function.

    Args:
        tensor: An array; a symbolic tensor comes back as it is.
        layout: A `TensorLayout`, or a sharding of JAX's.

    Raises:
        StateError: The layout has no mesh.
        ShapeError: The layout does not fit the shape.
    """
    if isinstance(tensor, KerasTensor):
        return tensor
    return layouts.placed(jnp.asarray(plain(tensor)), layouts.sharding_of(layout), "the tensor")
