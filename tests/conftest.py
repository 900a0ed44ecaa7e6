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


@pytest.fixture(autouse=True, scope="module")
def _memory():
    """Drop the compiled programs after each file: otherwise a process grows past 3 GB."""
    yield
    jax, programs = sys.modules.get("jax"), sys.modules.get("gazelle._engine.programs")
    if programs is not None:
        programs.forget_all()
    if jax is not None:
        jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
