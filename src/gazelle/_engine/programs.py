"""Compiled programs, found again by what they compute.

A second model of the same architecture compiles nothing.
"""

from __future__ import annotations

import functools
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax

from gazelle._core import layouts
from gazelle._core.dtypes import dtype_policy, epsilon, floatx
from gazelle._engine import kernel
from gazelle._engine.compile_cache import without_compile_cache

_LIMIT = 128  # programs of the whole process; the least recently used one goes first

# Settings of JAX that a program depends on, and those under which JAX runs programs in its own way.
_SETTINGS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_device",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
)
_DEBUGGING = ("jax_disable_jit", "jax_debug_nans", "jax_debug_infs", "jax_check_tracer_leaks")


class Program(NamedTuple):
    """A compiled program and the names of its logs, if they are known before it runs."""

    run: Callable[..., Any]
    log_names: list[str]


class _Place:
    """The place of a program: the first thread to come compiles it, and the others wait."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.program: Program | None = None


_shared: OrderedDict[Hashable, _Place] = OrderedDict()
_agreed: OrderedDict[Hashable, Any] = OrderedDict()
_shared_lock = threading.Lock()


def settings() -> tuple[Any, ...]:
    """The settings that a program depends on, JAX's and the kernel's, as they are here and now."""
    of_jax = (getattr(jax.config, name) for name in (*_SETTINGS, *_DEBUGGING))
    return (*of_jax, *kernel.settings(), layouts.key())


class Programs:
    """The programs of one engine.

    Args:
        fingerprint: Gives what the programs depend on besides their arguments, or None where that
            cannot be told.
        log_names: Gives the names of the logs of the program that was traced last.
    """

    def __init__(
        self, fingerprint: Callable[[], Hashable | None], log_names: Callable[[], list[str]]
    ):
        self._fingerprint = fingerprint
        self._log_names = log_names
        self._own: dict[Hashable, Program] = {}
        self._tracing = threading.RLock()

    def find(
        self,
        function: Callable[..., Any],
        state: tuple[Any, ...],
        arguments: tuple[Any, ...],
        **static: Any,
    ) -> Program:
        """The program of `function(*state, *arguments, **static)`, compiled if there is none yet.

        Args:
            function: A method of the engine, traced with these arguments.
            state: Lists of variables' values, whose shapes follow from the fingerprint; the first
                list is donated.
            arguments: Everything else that the program is given.
            **static: What is a constant in the program.
        """
        flat, tree = jax.tree.flatten(arguments)
        key = (
            function.__name__,
            tuple(static.items()),
            settings(),
            tree,
            tuple(_kind(leaf) for leaf in flat),
        )
        program = self._own.get(key)
        if program is not None:
            return program
        with self._tracing:
            if key not in self._own:
                jitted = _jitted(function, state, tuple(static))
                if any(getattr(jax.config, name) for name in _DEBUGGING):
                    self._own[key] = Program(functools.partial(jitted, **static), [])
                else:
                    compiled = _compiler(
                        function.__name__, lambda: jitted.lower(*state, *arguments, **static)
                    )
                    self._own[key] = self._shared_or_compiled(key, compiled)
            return self._own[key]

    def agreed(self, key: Hashable, value: Any) -> Any:
        """The value that the first engine with this fingerprint gave for `key`.

        `value`, if this is the first.
        """
        mark = self._fingerprint()
        if mark is None:
            return value
        with _shared_lock:
            known = _agreed.setdefault((key, mark), value)
            _agreed.move_to_end((key, mark))
            if len(_agreed) > _LIMIT:
                _agreed.popitem(last=False)
        return known

    def _shared_or_compiled(
        self, key: Hashable, compiled: Callable[[], Callable[..., Any]]
    ) -> Program:
        mark = self._fingerprint()
        if mark is None:
            return Program(compiled(), list(self._log_names()))
        place = _place_of((key, mark, floatx(), epsilon(), dtype_policy().name))
        with place.lock:
            if place.program is None:
                run = compiled()
                place.program = Program(run, list(self._log_names()))
            return place.program


def _jitted(function: Callable[..., Any], state: tuple[Any, ...], static: tuple[str, ...]) -> Any:
    """`function` for JAX to compile; on several devices it returns values where they came from."""
    where = None
    if layouts.current() is not None and state[0]:
        where = [value.sharding for value in state[0]], None
    return jax.jit(function, static_argnames=static, donate_argnums=0, out_shardings=where)


def _compiler(name: str, lower: Callable[[], Any]) -> Callable[[], Callable[..., Any]]:
    """Compile, or fetch from the compile cache; a bad entry there does no harm."""

    def compiled() -> Callable[..., Any]:
        lowered = lower()
        try:
            run = lowered.compile()
        except (AssertionError, EOFError, KeyError, ValueError, zlib.error):
            run = None
        if run is None:  # the stored entry cannot be read; any other error comes again
            with without_compile_cache(name):
                return lowered.compile({})
        return _FirstCall(run, name, lowered)

    return compiled


class _FirstCall:
    """A program whose first call shows whether the compile cache had the right one."""

    def __init__(self, run: Callable[..., Any], name: str, lowered: Any):
        self._run = run
        self._again: tuple[str, Any] | None = (name, lowered)

    def __call__(self, *arguments: Any) -> Any:
        if self._again is None:
            return self._run(*arguments)
        try:
            result = self._run(*arguments)
        except (AssertionError, jax.errors.JaxRuntimeError) as error:
            if isinstance(error, jax.errors.JaxRuntimeError) and "InputMismatch" not in str(error):
                raise
            name, lowered = self._again
            with without_compile_cache(name):
                self._run = lowered.compile({})  # an empty dict: `lowered` keeps the bad one
            result = self._run(*arguments)
        self._again = None
        return result


def _place_of(key: Hashable) -> _Place:
    with _shared_lock:
        place = _shared.setdefault(key, _Place())
        _shared.move_to_end(key)
        if len(_shared) > _LIMIT:
            _shared.popitem(last=False)
        return place


def _kind(leaf: Any) -> Hashable:
    """What a program's compilation depends on of an argument."""
    placed = leaf.sharding if getattr(leaf, "committed", False) else None
    return leaf.shape, leaf.dtype, getattr(leaf, "weak_type", False), placed
