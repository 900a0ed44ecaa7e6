"""The compiled kernel: found, loaded at the first fit that can use it, and made known to XLA."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path

import jax

from gazelle._core.machine import cores
from gazelle.native import building

__all__ = ["cores", "is_free", "loaded", "switched_on", "target"]

# What /proc/cpuinfo calls the parts of x86-64-v3 and -v4.
_V3 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
_NEEDS = {"v4": _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}, "v3": _V3}


def switched_on() -> bool:
    """Whether the kernel may be used: the environment variable `GAZELLE_NATIVE` is not `off`."""
    return os.environ.get("GAZELLE_NATIVE", "").lower() not in ("off", "0", "false", "no")


def is_free() -> bool:
    """Whether the kernel may be used and JAX is set to run float32 programs on a CPU as they are."""
    unusual = ("jax_enable_x64", "jax_disable_jit", "jax_debug_nans", "jax_debug_infs", "jax_check_tracer_leaks")
    unusual += ("jax_default_matmul_precision", "jax_default_device")
    return switched_on() and jax.default_backend() == "cpu" and not any(getattr(jax.config, name) for name in unusual)


def target(call: str) -> str | None:
    """The name under which XLA knows a call of the kernel, "train" or "predict"; None where there is no kernel."""
    return None if loaded() is None else f"gazelle_{call}_{loaded()}"


@functools.cache
def loaded() -> str | None:
    """The name of the library, whose calls XLA now knows; None if none was built for this processor or none loads."""
    flags = _processor_flags()
    level = next((level for level, needed in _NEEDS.items() if needed <= flags), None)
    if level is None:
        return None
    path = building.path_of(level)
    if not path.exists():
        return None
    name = path.stem.replace("-", "_")
    try:
        library = ctypes.CDLL(str(path))
        for call in ("train", "predict"):
            function = jax.ffi.pycapsule(getattr(library, f"gazelle_{call}"))
            jax.ffi.register_ffi_target(f"gazelle_{call}_{name}", function, platform="cpu")
    except Exception:  # a broken file, or headers of another time than this XLA: it trains without
        return None
    return name


def _processor_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    line = next((line for line in text.splitlines() if line.startswith("flags")), ":")
    return frozenset(line.split(":", 1)[1].split())
