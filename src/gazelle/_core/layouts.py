"""Where arrays lie on several devices.

A distribution (`gazelle.distribution`) says how variables and batches are spread over a mesh of
devices. The thread that has set one makes its variables there and trains there. Everything else is
JAX's: it divides a program among the devices by the layouts of the values that the program gets.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import jax
from jax.core import Tracer

from gazelle._core import context
from gazelle._core.errors import ShapeError
from gazelle._core.symbolic import map_structure


class Distribution(Protocol):
    """What the other rooms need of a distribution."""

    @property
    def device_mesh(self) -> Any:
        """The mesh of devices."""
        ...

    @property
    def key(self) -> Hashable:
        """Equal for distributions under which programs are the same."""
        ...

    def get_variable_layout(self, variable: Any) -> Any:
        """The layout of a variable."""
        ...

    def get_data_layout(self, data_shape: Sequence[int]) -> Any:
        """The layout of a batch."""
        ...

    def get_tensor_layout(self, path: str) -> Any:
        """The layout of a layer's output; None where JAX chooses it."""
        ...


class _Current(threading.local):
    distribution: Distribution | None = None


_current = _Current()


def set_current(distribution: Distribution | None) -> None:
    """Set the distribution of this thread; None for none."""
    _current.distribution = distribution


def current() -> Distribution | None:
    """The distribution of this thread."""
    return _current.distribution


@contextmanager
def scope(distribution: Distribution | None) -> Iterator[None]:
    """Within the block, this is the distribution of this thread."""
    before = _current.distribution
    _current.distribution = distribution
    try:
        yield
    finally:
        _current.distribution = before


def key() -> Hashable:
    """What programs depend on of the distribution."""
    return None if _current.distribution is None else _current.distribution.key


def sharding_of(layout: Any) -> jax.sharding.Sharding:
    """JAX's sharding for a layout, which may be one already."""
    return layout if isinstance(layout, jax.sharding.Sharding) else layout.backend_layout


def everywhere(mesh: jax.sharding.Mesh) -> jax.sharding.Sharding:
    """The sharding of arrays that each device has as a whole."""
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())


def data_sharding() -> jax.sharding.Sharding | None:
    """Where data comes to: each device gets all of it, and computes with its part of each batch."""
    distribution = _current.distribution
    return None if distribution is None else everywhere(distribution.device_mesh.backend_mesh)


def placed(array: Any, sharding: jax.sharding.Sharding, what: str = "an array") -> Any:
    """An array on the devices of a sharding.

    Args:
        array: An array, or the tracer of one.
        sharding: Where it is to lie.
        what: The array's name in the error.

    Raises:
        ShapeError: The sharding does not fit the shape.
    """
    is_traced = isinstance(array, Tracer)
    if isinstance(array, jax.Array) and not is_traced and array.sharding == sharding:
        return array
    try:
        if is_traced:
            return jax.lax.with_sharding_constraint(array, sharding)
        sharding.shard_shape(array.shape)
    except (ValueError, IndexError):
        raise ShapeError(
            f"The layout of {what} does not fit its shape.",
            expected="axes of the mesh whose sizes divide those of the array",
            received=f"shape {tuple(array.shape)} for {sharding}",
            fix="leave the axis whole: None in its place in the layout",
        ) from None
    return jax.device_put(array, sharding)


def fits(shape: Sequence[int], sharding: jax.sharding.Sharding) -> bool:
    """Whether each device gets an equal part of an array of this shape."""
    try:
        sharding.shard_shape(tuple(shape))
    except (ValueError, IndexError):
        return False
    return True


def spread(batch: Any) -> Any:
    """The arrays of a batch, each divided among the devices by its samples.

    Within a program any number of samples can be divided. Elsewhere a number that the replicas do
    not divide stays whole.
    """
    distribution = _current.distribution
    if distribution is None:
        return batch

    def place(array: Any) -> Any:
        if not isinstance(array, jax.Array) or array.ndim == 0:
            return array
        sharding = sharding_of(distribution.get_data_layout(array.shape))
        if isinstance(array, Tracer) or fits(array.shape, sharding):
            return placed(array, sharding)
        return placed(array, everywhere(distribution.device_mesh.backend_mesh))

    return map_structure(place, batch)


def laid_out(outputs: Any) -> Any:
    """The outputs of the layer that is called, in the layout that the distribution has for them.

    Outside of programs they stay as they are where the devices cannot have equal parts.
    """
    distribution = _current.distribution
    if distribution is None:
        return outputs
    path = context.variable_path("output")
    layout = distribution.get_tensor_layout(path)
    if layout is None:
        return outputs
    sharding = sharding_of(layout)

    def place(array: Any) -> Any:
        try:
            return placed(array, sharding, path)
        except ShapeError:
            if array.ndim < len(layout.axes):
                raise
            return array

    return map_structure(place, outputs)
