"""The compiled kernel: found, verified, loaded on first use, and registered with XLA."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

import jax

from gazelle._core import layouts
from gazelle._core.machine import cores

__all__ = ["Library", "cores", "is_free", "loaded", "obstacle", "switched_on", "target"]

# What /proc/cpuinfo calls the parts of x86-64-v3 and -v4.
_V3 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
_NEEDS = {"v4": _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}, "v3": _V3}
_UNITS = {"v4": "AVX-512", "v3": "AVX2"}
_DEBUGGING = ("jax_disable_jit", "jax_debug_nans", "jax_debug_infs", "jax_check_tracer_leaks")
_NUMERIC = ("jax_enable_x64", "jax_default_matmul_precision", "jax_default_device")
BUILD = "run python -m gazelle._engine.kernel.building"
_loading = threading.Lock()


class Library(NamedTuple):
    """The library of the kernel in this process.

    Args:
        name: XLA knows its calls by it; None where there is none.
        units: The vector units that it is for: `"AVX2"` or `"AVX-512"`.
        why: Why there is none.
        fix: What to do about it, where something can be done.
        broken: Whether something is damaged or does not fit, rather than absent.
    """

    name: str | None = None
    units: str = ""
    why: str = ""
    fix: str = ""
    broken: bool = False


def switched_on() -> bool:
    """Whether the kernel may be used: the environment variable `GAZELLE_NATIVE` is not `off`."""
    return os.environ.get("GAZELLE_NATIVE", "").lower() not in ("off", "0", "false", "no")


def obstacle() -> str | None:
    """The setting that keeps the kernel from being used; None if there is none."""
    if not switched_on():
        return f"the environment variable GAZELLE_NATIVE is {os.environ['GAZELLE_NATIVE']}"
    if layouts.current() is not None:
        return "a distribution is set, and it is made for one device"
    if jax.default_backend() != "cpu":
        return f"JAX computes on {jax.default_backend()}, and it is made for CPUs"
    for name in (*_DEBUGGING, *_NUMERIC):
        if getattr(jax.config, name):
            return f"JAX's setting {name} is {getattr(jax.config, name)}"
    return None


def is_free() -> bool:
    """Whether the kernel may be used: JAX runs plain float32 programs on a CPU."""
    return obstacle() is None


def target(call: str) -> str | None:
    """XLA's name for a call of the kernel, "train" or "predict"; None without a kernel."""
    name = loaded().name
    return None if name is None else f"gazelle_{call}_{name}"


def loaded() -> Library:
    """The library, registered with XLA, or why there is none; one warning if it is broken."""
    with _loading:
        return _loaded()


@functools.cache
def _loaded() -> Library:
    found = _find()
    if found.broken:
        warnings.warn(
            f"Gazelle's kernel cannot be used: {found.why}. Models train with XLA alone. To fix"
            f" it, {found.fix}.",
            RuntimeWarning,
            stacklevel=2,
        )
    return found


def _find() -> Library:
    """Find the library, and check all that can be wrong before it is loaded and registered."""
    from gazelle._engine.kernel import building

    flags = _processor_flags()
    level = next((level for level, needed in _NEEDS.items() if needed <= flags), None)
    if level is None:
        return Library(
            why="the processor has no AVX2 and FMA" if flags else "it is made for Linux on x86-64"
        )
    path, record = building.path_of(level), building.record()
    expected = record.digests.get(path.name)
    if expected is None:
        stale = "what was built is not of these sources" if record.digests else record.reason
        return Library(why=stale or "nothing was built", fix=BUILD)
    if building.digest_of(path) != expected:
        why = f"the library {path.name} is {'damaged' if path.exists() else 'missing'}"
        return Library(why=why, fix=f"{BUILD} (or install Gazelle again)", broken=True)
    if (misfit := _misfit(record.interface)) is not None:
        return Library(
            why=misfit, fix="install another jaxlib, or set GAZELLE_NATIVE=off", broken=True
        )
    return _load(path, level)


def _misfit(ours: tuple[int, int] | None) -> str | None:
    """Why the running jaxlib would refuse the kernel, as far as its headers tell."""
    from gazelle._engine.kernel import building

    theirs = building.interface(building.headers())
    if ours is None or theirs is None or (ours[0] == theirs[0] and ours[1] <= theirs[1]):
        return None
    return (
        f"it needs version {ours[0]}.{ours[1]} of XLA's foreign functions, and this jaxlib has"
        f" {theirs[0]}.{theirs[1]}"
    )


def _load(path: Path, level: str) -> Library:
    name = path.stem.replace("-", "_")
    # What is registered before JAX has its backends is checked when it makes them, and a misfit
    # leaves it without any.
    jax.devices("cpu")
    try:
        library = ctypes.CDLL(str(path))
        for call in ("train", "predict"):
            function = jax.ffi.pycapsule(getattr(library, f"gazelle_{call}"))
            jax.ffi.register_ffi_target(f"gazelle_{call}_{name}", function, platform="cpu")
    except (
        Exception
    ) as error:  # a system library is missing, or this XLA refuses it: it trains without
        why = f"the library {path.name} cannot be loaded ({str(error)[:200]})"
        return Library(why=why, fix=f"{BUILD} (or install another jaxlib)", broken=True)
    return Library(name, _UNITS[level])


def _processor_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    line = next((line for line in text.splitlines() if line.startswith("flags")), ":")
    return frozenset(line.split(":", 1)[1].split())
