"""What a gradient tape records: the operations of JAX that its block runs, one by one.

A `Recorder` is a trace of JAX's that computes at once, so that every value in the block is an
ordinary array, and notes each operation that depends on a watched one. Arrays are known by their
identity: an operation that gives back one of its inputs gives a copy instead.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Trace, Tracer, eval_jaxpr

from gazelle._core.lending import borrowed_here
from gazelle._core.variable import Variable

try:
    from jax.extend.core import set_current_trace, take_current_trace
except ImportError:  # JAX 0.8.0 and 0.8.1
    from jax.core import set_current_trace, take_current_trace  # pyright: ignore

_MOST_STAGED = 256  # functions with rules of their own whose programs are kept


class Step(NamedTuple):
    """One operation that was run.

    Attributes:
        function: Computes the outputs as a list from the inputs.
        key: Equal for operations that compute the same; None where that is not known.
        inputs: The arrays and numbers that it was given.
        outputs: The arrays that it gave.
    """

    function: Callable[..., list[Any]]
    key: Any
    inputs: Sequence[Any]
    outputs: Sequence[Any]


class _Active(threading.local):
    def __init__(self) -> None:
        self.recorders: list[Recorder] = []
        self.outer: Any = None  # what is told of readings besides


_active = _Active()


class Recorder(Trace):
    """A trace that runs each operation and notes those that depend on watched arrays.

    Args:
        watches_variables: Whether trainable variables are watched as soon as they are read.
    """

    def __init__(self, watches_variables: bool):
        super().__init__()
        self.watches_variables = watches_variables
        self.is_recording = False
        self.steps: list[Step] = []
        self.reads: dict[Variable, list[Any]] = {}  # the arrays that variables had
        self._wanted: set[Variable] = set()  # variables that are watched by name
        self._tracked: dict[int, Any] = {}  # by id; held, so that no id is given twice
        self._owners: dict[int, Variable] = {}  # of arrays that were read from variables
        self.parent: Any = None

    # ---- The block ----

    def start(self) -> None:
        """Record what this thread runs from now on."""
        with take_current_trace() as current:
            self.parent = current
        self._entered = set_current_trace(self)
        self._entered.__enter__()
        if not _active.recorders:
            _active.outer = borrowed_here.on_read
            borrowed_here.on_read = _on_read
        _active.recorders.append(self)
        self.is_recording = True

    def stop(self) -> None:
        """Record no more."""
        self.is_recording = False
        _active.recorders.remove(self)
        if not _active.recorders:
            borrowed_here.on_read = _active.outer
        self._entered.__exit__(None, None, None)

    def forget(self) -> None:
        """Let go of what was recorded."""
        self.steps, self.reads = [], {}
        self._tracked, self._owners = {}, {}

    def watch(self, array: Any) -> None:
        """Record what depends on an array."""
        self._tracked[id(array)] = array

    def watch_variable(self, variable: Variable) -> None:
        """Record what depends on a variable, from its next reading on."""
        self._wanted.add(variable)

    def tracks(self, value: Any) -> bool:
        """Whether a value is watched or depends on a watched one."""
        return id(value) in self._tracked

    def is_of_another(self, variable: Variable, array: Any) -> bool:
        """Whether an array that a variable has came from elsewhere in the block."""
        return self.tracks(array) and self._owners.get(id(array)) is not variable

    def note_read(self, variable: Variable, array: Any) -> None:
        """A variable was read."""
        wanted = variable in self._wanted or (self.watches_variables and variable.trainable)
        if not (self.is_recording and wanted) or self.tracks(array):
            return
        self.watch(array)
        self._owners[id(array)] = variable
        self.reads.setdefault(variable, []).append(array)

    # ---- What JAX calls ----

    def stage_value(self, val: Any) -> Any:
        """A value as an array."""
        return val if isinstance(val, jax.Array) else self.parent.stage_value(val)

    def process_primitive(self, primitive: Any, tracers: Any, params: Any, /) -> Any:
        """Run an operation and note it."""
        is_tracked = self._records(tracers)
        if self.is_recording and self._records(_constants_in(params)):
            return self._inlined(primitive, tracers, params)
        with set_current_trace(self.parent):
            result = primitive.bind(*tracers, **params)
        outputs = list(result) if primitive.multiple_results else [result]
        if not is_tracked:
            return result
        outputs = [self._distinct(output) for output in outputs]
        if primitive.name != "stop_gradient":

            def function(*inputs: Any) -> list[Any]:
                found = primitive.bind(*inputs, **params)
                return list(found) if primitive.multiple_results else [found]

            self._note(Step(function, _key(primitive, params), tracers, outputs))
        return outputs if primitive.multiple_results else outputs[0]

    def process_custom_jvp_call(
        self, primitive: Any, fun: Any, jvp: Any, tracers: Any, /, *, symbolic_zeros: Any
    ) -> Any:
        """Run a function that has a derivative of its own, and note it."""

        def run(trace: Any, inputs: Any) -> Any:
            return trace.process_custom_jvp_call(
                primitive, fun, jvp, inputs, symbolic_zeros=symbolic_zeros
            )

        return self._custom(run, (fun,), (fun, jvp.f, symbolic_zeros), tracers)

    def process_custom_vjp_call(
        self,
        primitive: Any,
        fun: Any,
        fwd: Any,
        bwd: Any,
        tracers: Any,
        /,
        *,
        out_trees: Any,
        symbolic_zeros: Any,
    ) -> Any:
        """Run a function that has a gradient of its own, and note it."""

        def run(trace: Any, inputs: Any) -> Any:
            return trace.process_custom_vjp_call(
                primitive,
                fun,
                fwd,
                bwd,
                inputs,
                out_trees=out_trees,
                symbolic_zeros=symbolic_zeros,
            )

        return self._custom(run, (fun, fwd), None, tracers)

    def process_call(self, call_primitive: Any, f: Any, tracers: Any, params: Any, /) -> Any:
        """Run a function within the operation: its own operations are noted."""
        with set_current_trace(self):
            return f.call_wrapped(*tracers)

    def _custom(self, run: Any, functions: Any, key: Any, tracers: Any) -> Any:
        if not self._records(tracers) and not self.is_recording:
            return run(self.parent, tracers)
        staged, key = _staged(run, functions, key, tracers)
        deep = [value for value in _constants_in({"jaxpr": staged}) if self.tracks(value)]
        top = {id(constant) for constant in staged.consts}
        if any(id(value) not in top for value in deep):
            with set_current_trace(self):
                return functions[0].call_wrapped(*tracers)
        outputs = list(run(self.parent, tracers))
        inputs = [*staged.consts, *tracers]
        if not self._records(inputs):
            return outputs
        outputs = [self._distinct(output) for output in outputs]
        count, jaxpr = len(staged.consts), staged.jaxpr

        def function(*values: Any) -> list[Any]:
            return eval_jaxpr(jaxpr, values[:count], *values[count:])

        self._note(Step(function, key, inputs, outputs))
        return outputs

    def _inlined(self, primitive: Any, tracers: Any, params: Any) -> Any:
        """Run a compiled function, or its like, that closes over a watched array."""
        closed = params.get("jaxpr")
        if primitive.name not in ("jit", "pjit", "closed_call") or closed is None:
            raise NotImplementedError(
                f"GradientTape: a function within {primitive.name} uses a watched array that it is"
                " not given as an argument. Pass it as an argument."
            )
        with set_current_trace(self):
            return eval_jaxpr(closed.jaxpr, closed.consts, *tracers)

    def _records(self, values: Iterable[Any]) -> bool:
        return self.is_recording and any(id(value) in self._tracked for value in values)

    def _note(self, step: Step) -> None:
        self.steps.append(step)
        for output in step.outputs:
            if jnp.issubdtype(output.dtype, jnp.inexact):
                self.watch(output)

    def _distinct(self, output: Any) -> Any:
        """An output as an array that the block does not have yet."""
        if not self.tracks(output):
            return output
        with set_current_trace(self.parent):
            return jnp.array(output, copy=True)


def _on_read(variable: Variable, array: Any) -> Any:
    recorders = _innermost() if isinstance(array, Tracer) else _active.recorders
    if any(recorder.is_of_another(variable, array) for recorder in recorders):
        array = _alias(array)
    for recorder in recorders:
        recorder.note_read(variable, array)
    return array if _active.outer is None else _active.outer(variable, array)


def _innermost() -> list[Recorder]:
    """The recorders within the program that is traced: those around it must not have its values."""
    found: list[Recorder] = []
    with take_current_trace() as current:
        trace: Any = current
    while isinstance(trace, Recorder):
        found.append(trace)
        trace = trace.parent
    return found


def _alias(array: Any) -> Any:
    """Another object for the same values."""
    if hasattr(array, "addressable_data"):
        return array.addressable_data(0)
    return jnp.array(array, copy=True)


# ---- Programs within operations ----

_constants: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()


def _constants_in(params: dict[str, Any]) -> Iterator[Any]:
    """The arrays that the programs among the parameters of an operation close over."""
    for value in params.values():
        for program in value if isinstance(value, tuple | list) else (value,):
            if hasattr(program, "eqns"):
                yield from _constants_of(program)


def _constants_of(program: Any) -> list[Any]:
    inner = getattr(program, "jaxpr", program)  # of a closed program
    if inner not in _constants:
        found: list[Any] = []
        for equation in inner.eqns:
            found += (atom.val for atom in equation.invars if hasattr(atom, "val"))
            found += _constants_in(equation.params)
        _constants[inner] = [value for value in found if isinstance(value, jax.Array)]
    return [*getattr(program, "consts", ()), *_constants[inner]]


_programs: OrderedDict[Any, Any] = OrderedDict()


def _staged(run: Any, functions: Any, key: Any, inputs: Any) -> tuple[Any, Any]:
    """A function with a rule of its own as a program, and a key for it.

    Args:
        run: Calls the function within a trace, on inputs.
        functions: Those of its functions that a call leaves with results.
        key: Equal for equal functions; None where that is not known.
        inputs: The arrays and numbers that it is given.
    """
    # What functions of JAX's compute depends on their arguments alone.
    is_known = key is not None and (functions[0].f.__module__ or "").startswith("jax.")
    key = (*(key or ()), *(jax.typeof(value) for value in inputs)) if is_known else None
    if key is not None and key in _programs:
        _programs.move_to_end(key)
        return _programs[key], key

    def traced(*values: Any) -> Any:
        with take_current_trace() as current:
            return run(current, values)

    program = jax.make_jaxpr(traced)(*inputs)
    for function in functions:
        for store in function.stores:
            if store is not None:
                store.reset()
    if key is not None:
        _programs[key] = program
        if len(_programs) > _MOST_STAGED:
            _programs.popitem(last=False)
    return program, key


def _key(primitive: Any, params: dict[str, Any]) -> Any:
    key = (primitive, tuple(sorted(params.items(), key=lambda item: item[0])))
    try:
        hash(key)
    except TypeError:
        return None
    return key
