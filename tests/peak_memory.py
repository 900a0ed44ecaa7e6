"""The most memory that this process has used since a moment."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path


def start_of_peak() -> float:
    """The memory of this process in MB, from which its peak is counted."""
    with suppress(OSError):  # not Linux: the peak of the whole process
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    """The peak in MB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
