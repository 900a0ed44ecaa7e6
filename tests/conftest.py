"""Settings of all tests: Keras runs on JAX, and compiled programs stay out of the user's cache."""

import ctypes
import gc
import os
import signal
import sys
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "Agg")

# Each process of pytest-xdist has its own folder, so that none waits for another. Kept programs
# make a second test run faster.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ.setdefault(
    "GAZELLE_COMPILE_CACHE", str(Path(__file__).parents[1] / ".pytest_cache" / "xla" / _worker)
)

# A process that a script starts in the background ignores Ctrl-C. The tests of Ctrl-C need the
# default handler.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_GROWTH = 400 << 20  # bytes by which a process may grow until its programs are dropped
_after_dropping = 700 << 20


@pytest.fixture(autouse=True)
def _memory():
    """Drop the compiled programs when they take much memory: a process would grow past 3 GB."""
    yield
    if _resident() > _after_dropping + _GROWTH:
        _drop_programs()


def _resident() -> int:
    """Bytes of memory that this process holds; 0 where that is not known."""
    if sys.platform != "linux":
        return 0
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _drop_programs() -> None:
    global _after_dropping
    jax, programs = sys.modules.get("jax"), sys.modules.get("gazelle._engine.programs")
    if programs is not None:
        programs._shared.clear()
        programs._agreed.clear()
    if jax is not None:
        jax.clear_caches()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    _after_dropping = max(_after_dropping, _resident())
