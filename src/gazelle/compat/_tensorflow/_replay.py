"""Gradients of what a tape has recorded: the steps between sources and targets, run again by JAX.

JAX differentiates the steps as one function. It is compiled once for each sequence of steps, so
that a training loop that records the same steps again and again computes its gradients fast.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gazelle.compat._tensorflow._recorder import Step

_MOST_COMPILED = 64
_MOST_NEW = 8  # sequences in a row that are compiled at sight; later ones when they come again


class Call(NamedTuple):
    """A step by the numbers of its inputs and outputs."""

    function: Callable[..., list[Any]]
    key: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Plan(NamedTuple):
    """The steps from sources to targets, without their arrays.

    Attributes:
        calls: The steps in their order; every array has a number.
        roots: The sources that no step gives.
        inner: The sources that a step gives.
        constants: The other arrays that no step gives.
        targets: The results.
    """

    calls: tuple[Call, ...]
    roots: tuple[int, ...]
    inner: tuple[int, ...]
    constants: tuple[int, ...]
    targets: tuple[int, ...]

    @property
    def key(self) -> Any:
        """Equal for plans that compute the same; None where that is not known."""
        if any(call.key is None for call in self.calls):
            return None
        calls = tuple(call[1:] for call in self.calls)
        return calls, self.roots, self.inner, self.constants, self.targets

    def run(self, roots: Any, added: Any, constants: Any) -> list[Any]:
        """The targets.

        Args:
            roots: The values of the roots.
            added: What is added to the inner sources.
            constants: The values of the constants.
        """
        values = dict(zip(self.roots, roots, strict=True))
        values |= zip(self.constants, constants, strict=True)
        extra = dict(zip(self.inner, added, strict=True))
        for call in self.calls:
            found = call.function(*(values[number] for number in call.inputs))
            for number, value in zip(call.outputs, found, strict=True):
                values[number] = value + extra[number] if number in extra else value
        return [values[number] for number in self.targets]


class Replay:
    """What leads from source arrays to target arrays.

    Args:
        steps: All that was recorded, in its order.
        sources: Arrays.
        targets: Arrays.
    """

    def __init__(self, steps: Sequence[Step], sources: Sequence[Any], targets: Sequence[Any]):
        steps = _between(steps, sources, targets)
        self._numbers: dict[int, int] = {}
        made = {id(output) for step in steps for output in step.outputs}
        self.reached = {id(source) for source in sources if self._leads_on(source, steps, targets)}
        roots, inner = _split(sources, made)
        roots_numbers = tuple(map(self._number, roots))
        calls: list[Call] = []
        constants: dict[int, Any] = {}
        for step in steps:
            inputs = tuple(map(self._number, step.inputs))
            for number, value in zip(inputs, step.inputs, strict=True):
                if id(value) not in made and number not in roots_numbers:
                    constants[number] = value
            calls.append(
                Call(step.function, step.key, inputs, tuple(map(self._number, step.outputs)))
            )
        for target in targets:
            if id(target) not in made and self._number(target) not in roots_numbers:
                constants[self._number(target)] = target
        self._targets = targets
        self.plan = Plan(
            tuple(calls),
            roots_numbers,
            tuple(map(self._number, inner)),
            tuple(constants),
            tuple(map(self._number, targets)),
        )
        self._order = [id(source) for source in (*roots, *inner)]
        self._arguments = roots, [jnp.zeros_like(array) for array in inner], [*constants.values()]

    def gradients(self, cotangents: Sequence[Any]) -> dict[int, Any]:
        """The gradient for each source, by the id of its array.

        Args:
            cotangents: The gradient of each target.
        """
        cotangents = [
            jnp.broadcast_to(jnp.asarray(c, t.dtype), t.shape)
            for c, t in zip(cotangents, self._targets, strict=True)
        ]
        found = _compiled(self.plan, "gradients")(*self._arguments, cotangents)
        return dict(zip(self._order, found, strict=True))

    def jacobians(self) -> dict[int, Any]:
        """The derivative of the first target by each source: the axes of the target come first."""
        found = _compiled(self.plan, "jacobians")(*self._arguments)
        return dict(zip(self._order, found, strict=True))

    def batch_jacobians(self) -> dict[int, Any]:
        """Like `jacobians`, row by row."""
        found = _compiled(self.plan, "batch_jacobians")(*self._arguments)
        return dict(zip(self._order, found, strict=True))

    def _number(self, value: Any) -> int:
        return self._numbers.setdefault(id(value), len(self._numbers))

    def _leads_on(self, source: Any, steps: Sequence[Step], targets: Sequence[Any]) -> bool:
        used = any(source is value for step in steps for value in step.inputs)
        return used or any(source is target for target in targets)


def _split(sources: Sequence[Any], made: set[int]) -> tuple[list[Any], list[Any]]:
    """The sources that no step gives, and those that one does; each once."""
    unique = list({id(source): source for source in sources}.values())
    inner = [source for source in unique if id(source) in made]
    return [source for source in unique if id(source) not in made], inner


def _between(steps: Sequence[Step], sources: Sequence[Any], targets: Sequence[Any]) -> list[Step]:
    """The steps that depend on a source and that a target depends on."""
    known = {id(source) for source in sources}
    forward: list[Step] = []
    for step in steps:
        if any(id(value) in known for value in step.inputs):
            forward.append(step)
            inexact = (o for o in step.outputs if jnp.issubdtype(o.dtype, jnp.inexact))
            known.update(map(id, inexact))
    wanted = {id(target) for target in targets}
    # A source that a step gives is needed with all that it is made from.
    made = {id(output): step for step in steps for output in step.outputs}
    needed: list[Step] = []
    chosen = {id(step) for step in forward}
    given = [made[id(s)] for s in sources if id(s) in made and id(made[id(s)]) not in chosen]
    for step in reversed(forward):
        if any(id(output) in wanted for output in step.outputs):
            needed.append(step)
            wanted.update(map(id, step.inputs))
    return [*given, *reversed(needed)]


# ---- Compiled programs ----

_ready: OrderedDict[Any, Any] = OrderedDict()
_seen: OrderedDict[Any, None] = OrderedDict()


class _News:
    in_a_row = 0


def _compiled(plan: Plan, what: str) -> Callable[..., list[Any]]:
    function = _FUNCTIONS[what](plan)
    key = plan.key
    if key is None:
        return function
    key = (what, key)
    if key in _ready:
        _News.in_a_row = 0
        _ready.move_to_end(key)
        return _ready[key]
    _News.in_a_row += 1
    if _News.in_a_row > _MOST_NEW and key not in _seen:
        _seen[key] = None
        if len(_seen) > _MOST_COMPILED:
            _seen.popitem(last=False)
        return function
    _ready[key] = jax.jit(function)
    if len(_ready) > _MOST_COMPILED:
        _ready.popitem(last=False)
    return _ready[key]


def _gradients(plan: Plan) -> Callable[..., list[Any]]:
    def function(roots: Any, added: Any, constants: Any, cotangents: Any) -> list[Any]:
        _, pull = jax.vjp(lambda r, a: plan.run(r, a, constants), roots, added)
        of_roots, of_inner = pull(cotangents)
        return [*of_roots, *of_inner]

    return function


def _jacobians(plan: Plan) -> Callable[..., list[Any]]:
    def function(roots: Any, added: Any, constants: Any) -> list[Any]:
        first = jax.jacrev(lambda r, a: plan.run(r, a, constants)[0], argnums=(0, 1))
        of_roots, of_inner = first(roots, added)
        return [*of_roots, *of_inner]

    return function


def _batch_jacobians(plan: Plan) -> Callable[..., list[Any]]:
    def function(roots: Any, added: Any, constants: Any) -> list[Any]:
        # A row of the target depends on that row of the source alone.
        summed = jax.jacrev(lambda r, a: plan.run(r, a, constants)[0].sum(0), argnums=(0, 1))
        of_roots, of_inner = summed(roots, added)
        count = plan_target_axes(plan, roots, added, constants)
        return [jnp.moveaxis(found, count, 0) for found in (*of_roots, *of_inner)]

    return function


def plan_target_axes(plan: Plan, *arguments: Any) -> int:
    """The axes of the first target, less the first."""
    return len(jax.eval_shape(plan.run, *arguments)[0].shape) - 1


_FUNCTIONS = {
    "gradients": _gradients,
    "jacobians": _jacobians,
    "batch_jacobians": _batch_jacobians,
}
