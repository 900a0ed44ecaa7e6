"""Control flow, functions, scopes and modules."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gazelle import ops
from gazelle._core.errors import StateError
from gazelle._core.symbolic import any_symbolic, leaves, map_structure
from gazelle._core.variable import Variable
from gazelle.compat._tensorflow._host import HostTensor, host_tensor
from gazelle.compat._tensorflow._shapes import TensorShape, TensorSpec
from gazelle.compat._tensorflow._table import ANSWERS, answers, enter
from gazelle.compat._tensorflow._values import convert_to_tensor
from gazelle.layers._parts import search

# ---- Functions ----


@answers("custom_gradient")
def _custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    def traced(*args: Any) -> Any:
        outputs, gradient = f(*args)

        def pull(cotangent: Any) -> Any:
            found = gradient(*cotangent) if isinstance(outputs, tuple) else gradient(cotangent)
            return tuple(found) if isinstance(found, list) else found

        return outputs, pull

    known = jax.custom_gradient(traced)

    def call(*args: Any) -> Any:
        return known(*map(convert_to_tensor, args))

    return call


@answers("stop_gradient")
def _stop_gradient(input: Any) -> Any:
    return ops.stop_gradient(convert_to_tensor(input))


@answers("recompute_grad")
def _recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


@answers("gradients", "hessians")
def _gradients(*_: Any, **__: Any) -> Any:
    raise StateError(
        "tf.gradients is for graphs of TensorFlow 1, which Gazelle does not have.",
        fix="compute within `with tf.GradientTape() as tape:`, and call tape.gradient",
    )


@answers("py_func", "numpy_function")
def _numpy_function(func: Callable[..., Any], inp: Any, Tout: Any = None, **_: Any) -> Any:
    return _called_with(func, [_as_numpy(one) for one in inp], Tout)


@answers("py_function")
def _py_function(func: Callable[..., Any], inp: Any, Tout: Any = None, **_: Any) -> Any:
    return _called_with(func, list(inp), Tout)


def _as_numpy(value: Any) -> Any:
    return value.numpy() if isinstance(value, HostTensor) else np.asarray(value)


def _called_with(func: Callable[..., Any], inputs: list[Any], types: Any) -> Any:
    if any(isinstance(one, Tracer) for one in leaves(inputs)):
        raise StateError(
            "tf.py_function and tf.numpy_function do not run within a compiled step.",
            fix="compile the model with run_eagerly=True",
        )
    found = func(*inputs)
    if isinstance(types, list | tuple):
        found = list(found) if isinstance(found, list | tuple) else [found]
        return [convert_to_tensor(one, kind) for one, kind in zip(found, types, strict=True)]
    return convert_to_tensor(found, types)


# ---- Control flow ----


def _is_traced(value: Any) -> bool:
    return isinstance(value, Tracer) or any_symbolic(value)


@answers("cond")
def _cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    **old: Any,
) -> Any:
    first: Any = old.get("fn1", true_fn) or _no_op
    second: Any = old.get("fn2", false_fn) or _no_op
    if _is_traced(pred):
        return ops.cond(pred, first, second)
    return first() if bool(pred) else second()


@answers("case")
def _case(pred_fn_pairs: Any, default: Any = None, exclusive: bool = False) -> Any:
    pairs = pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs
    for pred, function in pairs:
        if bool(pred):
            return function()
    return default()


@answers("switch_case")
def _switch_case(branch_index: Any, branch_fns: Any, default: Any = None) -> Any:
    functions = dict(enumerate(branch_fns)) if not isinstance(branch_fns, dict) else branch_fns
    last = default or functions[max(functions)]
    return functions.get(int(branch_index), last)()


@answers("while_loop")
def _while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: Any = None,
    **_: Any,
) -> Any:
    values = map_structure(convert_to_tensor, list(loop_vars))
    if _is_traced(cond(*values)):
        return ops.while_loop(cond, body, values, maximum_iterations=maximum_iterations)
    count = 0
    while bool(cond(*values)) and (maximum_iterations is None or count < int(maximum_iterations)):
        found = body(*values)
        values = list(found) if isinstance(found, tuple | list) else [found]
        count += 1
    return values


def _rows(elems: Any) -> Iterator[Any]:
    arrays = map_structure(convert_to_tensor, elems)
    for place in range(len(leaves(arrays)[0])):
        yield map_structure(lambda array, place=place: array[place], arrays)


@answers("map_fn")
def _map_fn(fn: Callable[..., Any], elems: Any, dtype: Any = None, **_: Any) -> Any:
    found = [fn(row) for row in _rows(elems)]
    return map_structure(lambda *parts: ANSWERS["stack"](parts), *found)


@answers("vectorized_map")
def _vectorized_map(fn: Callable[..., Any], elems: Any, **_: Any) -> Any:
    return jax.vmap(fn)(map_structure(convert_to_tensor, elems))


@answers("foldl")
def _foldl(fn: Callable[..., Any], elems: Any, initializer: Any = None, **_: Any) -> Any:
    rows = list(_rows(elems))
    state = rows.pop(0) if initializer is None else convert_to_tensor(initializer)
    for row in rows:
        state = fn(state, row)
    return state


@answers("foldr")
def _foldr(fn: Callable[..., Any], elems: Any, initializer: Any = None, **_: Any) -> Any:
    return _foldl(fn, map_structure(lambda x: convert_to_tensor(x)[::-1], elems), initializer)


@answers("scan")
def _scan(
    fn: Callable[..., Any], elems: Any, initializer: Any = None, reverse: bool = False, **_: Any
) -> Any:
    rows = list(_rows(elems))
    if reverse:
        rows.reverse()
    found = [] if initializer is not None else [rows.pop(0)]
    state = map_structure(convert_to_tensor, initializer) if initializer is not None else found[0]
    for row in rows:
        state = fn(state, row)
        found.append(state)
    if reverse:
        found.reverse()
    return map_structure(lambda *parts: jnp.stack(parts), *found)


@answers("group")
def _group(*_: Any, **__: Any) -> None:
    return None


@answers("no_op")
def _no_op() -> None:
    return None


@answers("tuple")
def _tuple(tensors: Any, **_: Any) -> Any:
    return list(tensors)


# ---- Printing ----


@answers("print", "Print")
def _print(
    *inputs: Any, output_stream: Any = None, summarize: int = 3, sep: str = " ", end: str = "\n"
) -> None:
    stream = sys.stderr if output_stream is None else output_stream

    def show(*values: Any) -> None:
        written = sep.join(map(_shown, values)) + end
        if isinstance(stream, str):
            with open(stream.removeprefix("file://"), "a", encoding="utf-8") as file:
                file.write(written)
        else:
            stream.write(written)

    if any(isinstance(one, Tracer) for one in leaves(inputs)):
        fixed = {place: one for place, one in enumerate(inputs) if isinstance(one, str)}
        moving = [one for one in inputs if not isinstance(one, str)]

        def show_all(*values: Any) -> None:
            rest = iter(values)
            show(*(fixed[i] if i in fixed else next(rest) for i in range(len(inputs))))

        jax.debug.callback(show_all, *moving)
    else:
        show(*inputs)


def _shown(value: Any) -> str:
    if isinstance(value, Variable):
        value = value.numpy()
    if isinstance(value, HostTensor):
        value = value.numpy()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(np.asarray(value)) if isinstance(value, jax.Array) else str(value)


# ---- Scopes ----


@contextlib.contextmanager
def _scope(name: Any = None, *_: Any, **__: Any) -> Iterator[Any]:
    """A block that changes nothing."""
    yield name


for _name in ("name_scope", "variable_scope", "device", "control_dependencies"):
    answers(_name, f"compat.v1.{_name}")(_scope)
answers("init_scope", "xla.experimental.jit_scope", "variable_creator_scope")(_scope)


@answers("executing_eagerly")
def _executing_eagerly() -> bool:
    return True


@answers("inside_function")
def _inside_function() -> bool:
    return False


# ---- Modules ----


@answers("Module")
class Module:
    """An object that holds variables and other modules.

    Args:
        name: A name; that of the class when None.
    """

    def __init__(self, name: str | None = None):
        self._name = name or type(self).__name__.lower()

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables that it and the modules and layers within it hold."""
        from gazelle.layers import Layer

        found: dict[int, Variable] = {}
        for part in search(vars(self), (Variable, Module, Layer)):
            inner = [part] if isinstance(part, Variable) else part.variables
            found |= {id(variable): variable for variable in inner}
        return tuple(found.values())

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Those that are trained."""
        return tuple(variable for variable in self.variables if variable.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        """The others."""
        return tuple(variable for variable in self.variables if not variable.trainable)

    @property
    def submodules(self) -> tuple[Module, ...]:
        """The modules within it, at any depth."""
        inner = list(search(vars(self), (Module,)))
        return tuple(one for module in inner for one in (module, *module.submodules))

    @property
    def name_scope(self) -> Any:
        """A block that changes nothing."""
        return _scope(self.name)

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """A mark for methods."""
        return method


@answers("TensorArray")
class TensorArray:
    """A list of tensors.

    Args:
        dtype: Their type.
        size: How many there are.
    """

    def __init__(self, dtype: Any = None, size: Any = 0, *_: Any, **__: Any):
        self._dtype = dtype
        self._items: dict[int, Any] = {}
        self._size = int(size or 0)

    def write(self, index: Any, value: Any) -> TensorArray:
        """Set a tensor."""
        self._items[int(index)] = convert_to_tensor(value, self._dtype)
        return self

    def read(self, index: Any) -> Any:
        """A tensor."""
        return self._items[int(index)]

    def size(self) -> HostTensor:
        """How many there are."""
        return host_tensor(max(self._size, len(self._items)), np.int32)

    def stack(self) -> Any:
        """All tensors as one."""
        return ops.stack([self._items[place] for place in sorted(self._items)])

    def concat(self) -> Any:
        """All tensors joined along their first axis."""
        return ops.concatenate([self._items[place] for place in sorted(self._items)])

    def unstack(self, value: Any) -> TensorArray:
        """Set all tensors to the rows of one."""
        self._items = dict(enumerate(ops.unstack(convert_to_tensor(value))))
        return self


# ---- Nested structures ----


@answers("nest.map_structure")
def _map_structure(func: Callable[..., Any], *structure: Any, **_: Any) -> Any:
    return map_structure(func, *structure)


@answers("nest.flatten")
def _flatten(structure: Any, **_: Any) -> list[Any]:
    return leaves(structure)


@answers("type_spec_from_value")
def _type_spec(value: Any) -> TensorSpec:
    return TensorSpec(value.shape, value.dtype)


@answers("ensure_shape")
def _ensure_shape(x: Any, shape: Any) -> Any:
    if shape is not None:
        TensorShape(shape).assert_is_compatible_with(x.shape)
    return x


enter("experimental.dispatch_for_api", lambda *_, **__: lambda function: function)
