"""The compile cache: programs that were compiled once are found again by the next process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from gazelle._files.writing import cache_folder

_done = False


def compile_cache_folder() -> Path | None:
    """Where compiled programs are kept; None when switched off.

    The environment variable `GAZELLE_COMPILE_CACHE` names the folder, or is `off`; otherwise it is
    `xla` in Gazelle's cache folder.
    """
    setting = os.environ.get("GAZELLE_COMPILE_CACHE", "")
    if setting.lower() in ("off", "0", "false", "no"):
        return None
    return Path(setting).expanduser() if setting else cache_folder("xla")


def enable_compile_cache() -> None:
    """Switch JAX's persistent cache on, once.

    A cache that the user has set up or switched off stays as it is.
    """
    global _done
    if _done:
        return
    _done = True
    folder = compile_cache_folder()
    if folder is None or jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home: every process compiles for itself
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@contextmanager
def without_compile_cache(name: str) -> Iterator[None]:
    """Within the block programs are compiled, not fetched from the cache.

    Entries of programs of that name are removed before: one of them is damaged, or holds another
    program.

    Args:
        name: The function's name.
    """
    folder, ours = jax.config.values["jax_compilation_cache_dir"], compile_cache_folder()
    if folder is not None and ours is not None and Path(folder) == ours:
        for entry in ours.glob(f"jit_{name}-*"):
            entry.unlink(missing_ok=True)
    warnings.warn(
        f"A stored program ({name}) was damaged or not the right one; it was removed and is"
        " compiled again.",
        stacklevel=2,
    )
    enabled = jax.config.values["jax_enable_compilation_cache"]
    jax.config.update("jax_enable_compilation_cache", False)
    reset_cache()
    jax.clear_caches()  # what was fetched is kept in memory too
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", enabled)
        reset_cache()
