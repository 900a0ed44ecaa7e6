"""The compiled kernel: found, loaded at the first fit that can use it, and made known to XLA."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path

import jax

from gazelle.native import building

# What /proc/cpuinfo calls the parts of x86-64-v3 and -v4.
_V3 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
_NEEDS = {"v4": _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}, "v3": _V3}


def switched_on() -> bool:
    """Whether the kernel may be used: the environment variable `GAZELLE_NATIVE` is not `off`."""
    return os.environ.get("GAZELLE_NATIVE", "").lower() not in ("off", "0", "false", "no")


@functools.cache
def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@functools.cache
def target() -> str | None:
    """The name under which XLA knows the kernel; None where no library was built for this processor or none loads."""
    flags = _processor_flags()
    level = next((level for level, needed in _NEEDS.items() if needed <= flags), None)
    if level is None:
        return None
    path = building.path_of(level)
    if not path.exists():
        return None
    name = path.stem.replace("-", "_")
    try:
        function = ctypes.CDLL(str(path)).gazelle_train
        jax.ffi.register_ffi_target(f"gazelle_{name}", jax.ffi.pycapsule(function), platform="cpu")
    except Exception:  # a broken file, or headers of another time than this XLA: it trains without
        return None
    return f"gazelle_{name}"


def _processor_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    line = next((line for line in text.splitlines() if line.startswith("flags")), ":")
    return frozenset(line.split(":", 1)[1].split())
