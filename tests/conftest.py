"""Settings of all tests: Keras on JAX, a cache of their own, and programs that compile quickly."""

import ctypes
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

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


# Small programs take longer to compile than to run. With few optimizations they are compiled in a
# third of the time; results differ in the last bits. The tests of these folders compare bits, count
# programs or state tolerances for users, so they compile as users do.
_AS_USERS_DO = ("_engine", "callbacks", "examples", "resume", "runtime", "test_strict_modes.py")
_lightly = False  # whether programs are compiled with few optimizations now


def pytest_collection_finish() -> None:
    """Collect garbage less often: it took a tenth of the time. Let compilations ask `_lightly`."""
    gc.freeze()  # modules stay
    gc.set_threshold(10_000, 20, 20)
    if "jax" in sys.modules:
        _let_compilations_ask()


def _let_compilations_ask() -> None:
    """With a JAX where this does not work, the tests take longer and mean the same."""
    global _lightly
    try:
        import jax
        from jax._src import compiler

        as_users_do = compiler.get_compile_options
    except (ImportError, AttributeError):
        return

    def options(*args: Any, **kwargs: Any) -> Any:
        found = as_users_do(*args, **kwargs)
        if _lightly:
            debug = found.executable_build_options.debug_options
            debug.xla_backend_optimization_level = 0
            debug.xla_llvm_disable_expensive_passes = True
            others = found.env_option_overrides
            found.env_option_overrides = [*others, ("xla_cpu_use_fusion_emitters", False)]
        return found

    compiler.get_compile_options = options
    _lightly = True
    try:
        jax.jit(lambda x: x + 1)(1)
    except Exception:  # of unknown kinds: an option has gone
        compiler.get_compile_options = as_users_do


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Choose how the programs of a test are compiled."""
    global _lightly
    first = item.path.relative_to(Path(__file__).parent).parts[0]
    wanted = first not in _AS_USERS_DO and not item.get_closest_marker("as_users_do")
    if _lightly and not wanted:
        _drop_programs()
    _lightly = wanted


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
