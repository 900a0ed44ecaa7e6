"""The devices that there are, and the processes that have them."""

from __future__ import annotations

import os
from typing import Any

import jax

from gazelle._core.errors import ArgumentError

_PREFIX = "KERAS_DISTRIBUTION_"


def list_devices(device_type: str | None = None) -> list[str]:
    """The names of the devices of one type, those of all processes: `["gpu:0", "gpu:1"]`.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; None for the type that JAX computes on.

    Raises:
        ArgumentError: There are no devices of this type.
    """
    return [f"{device.platform}:{device.id}" for device in _devices(device_type)]


def get_device_count(device_type: str | None = None) -> int:
    """The number of devices of one type; see `list_devices`."""
    return len(_devices(device_type))


def device(name: Any) -> Any:
    """JAX's device of a name.

    Raises:
        ArgumentError: There is none.
    """
    if isinstance(name, jax.Device):
        return name
    kind, _, number = str(name).partition(":")
    for found in _devices(kind):
        if str(found.id) == (number or "0"):
            return found
    raise ArgumentError(
        f"There is no device {str(name)!r}.",
        expected=f"one of {', '.join(list_devices(kind))}",
        received=repr(name),
    )


def _devices(device_type: str | None) -> list[Any]:
    try:
        return jax.devices(None if device_type is None else device_type.lower())
    except RuntimeError:
        raise ArgumentError(
            f"There are no devices of type {device_type!r}.",
            expected="a type that JAX finds here, such as 'cpu'",
            received=repr(device_type),
        ) from None


def initialize(
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Join the processes of one computation. To be called before anything is computed.

    What is not given comes from the environment variables `KERAS_DISTRIBUTION_JOB_ADDRESSES`,
    `KERAS_DISTRIBUTION_NUM_PROCESSES` and `KERAS_DISTRIBUTION_PROCESS_ID`, or is found by JAX.

    Args:
        job_addresses: The addresses of the processes with their ports, separated by commas; that of
            process 0 is enough.
        num_processes: How many there are.
        process_id: The number of this one, from 0.

    Raises:
        ArgumentError: The number of addresses is not that of the processes.
    """
    job_addresses = job_addresses or os.environ.get(f"{_PREFIX}JOB_ADDRESSES")
    num_processes = _number(num_processes, "NUM_PROCESSES")
    process_id = _number(process_id, "PROCESS_ID")
    addresses = job_addresses.split(",") if job_addresses else []
    if len(addresses) > 1 and num_processes not in (None, len(addresses)):
        raise ArgumentError(
            "The number of addresses is not that of the processes.",
            expected=f"num_processes={len(addresses)}",
            received=f"num_processes={num_processes} and job_addresses={job_addresses!r}",
        )
    jax.distributed.initialize(addresses[0] if addresses else None, num_processes, process_id)


def _number(given: int | None, name: str) -> int | None:
    text = os.environ.get(_PREFIX + name)
    return int(text) if given is None and text else given
