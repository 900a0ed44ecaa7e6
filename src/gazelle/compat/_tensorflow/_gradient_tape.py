"""`tf.GradientTape`: records what its block computes, and gives gradients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.errors import ArgumentError, ArgumentTypeError, StateError
from gazelle._core.symbolic import leaves
from gazelle._core.variable import Variable
from gazelle.compat._tensorflow._recorder import Recorder, Step
from gazelle.compat._tensorflow._replay import Replay
from gazelle.compat._tensorflow._table import answers


@answers("UnconnectedGradients")
class UnconnectedGradients:
    """What the gradient is where the target does not depend on the source."""

    NONE = "none"
    ZERO = "zero"


@answers("GradientTape", "autodiff.GradientTape")
class GradientTape:
    """Records the operations of its block, and gives the gradients of what they computed.

    Args:
        persistent: Whether gradients may be asked for more than once.
        watch_accessed_variables: Whether trainable variables are watched as soon as they are read.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.asarray(3.0)
        >>> with GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> float(tape.gradient(y, x))
        6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True):
        self._persistent = persistent
        self._watches_variables = watch_accessed_variables
        self._recorder: Recorder | None = None
        self._is_open = False
        self._is_used = False

    def __enter__(self) -> GradientTape:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_open:
            self._close()

    def _open(self) -> None:
        if self._is_open:
            raise StateError("The tape is recording already.", fix="use another tape")
        if self._recorder is None:
            self._recorder = Recorder(self._watches_variables)
        self._recorder.start()
        self._is_open = True

    def _close(self) -> None:
        self._recording.stop()
        self._is_open = False

    @property
    def _recording(self) -> Recorder:
        if self._recorder is None:
            raise StateError(
                "The tape has recorded nothing.",
                fix="compute within `with GradientTape() as tape:`",
            )
        return self._recorder

    def watch(self, tensor: Any) -> None:
        """Record what depends on a tensor, a variable, or those in a structure.

        Raises:
            ArgumentTypeError: Something that is not a tensor.
        """
        for one in _leaves(tensor):
            if isinstance(one, Variable):
                self._recording.watch_variable(one)
            elif isinstance(one, jax.Array):
                self._recording.watch(one)
            else:
                raise ArgumentTypeError(
                    "A tape watches tensors.",
                    expected="a tensor or variable",
                    received=f"an object of type {type(one).__name__}",
                    fix="convert it with tf.convert_to_tensor(...) first, and use the result",
                )

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables that were read, in that order."""
        return tuple(self._recording.reads)

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Within the block, nothing is recorded."""
        recorder = self._recording
        before, recorder.is_recording = recorder.is_recording, False
        try:
            yield
        finally:
            recorder.is_recording = before

    def reset(self) -> None:
        """Forget what was recorded."""
        is_open = self._is_open
        if is_open:
            self._close()
        self._recorder, self._is_used = None, False
        if is_open:
            self._open()

    # ---- Gradients ----

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = UnconnectedGradients.NONE,
    ) -> Any:
        """The gradients of the sum of `target` by `sources`.

        Args:
            target: A tensor, or several in a structure.
            sources: Variables and watched tensors, in any structure.
            output_gradients: A factor for each element of `target`, in its structure.
            unconnected_gradients: `"none"` or `"zero"`: what the gradient is where `target` does
                not depend on a source.

        Returns:
            The gradients in the structure of `sources`.

        Raises:
            StateError: A tape that is not persistent was asked before.
        """
        _check_unconnected(unconnected_gradients)
        targets = _leaves(target)
        factors = [None] * len(targets) if output_gradients is None else leaves(output_gradients)
        pairs = [
            (array, 1 if factor is None else factor)
            for array, factor in zip(map(_array, targets), factors, strict=True)
            if array is not None and jnp.issubdtype(array.dtype, jnp.inexact)
        ]

        def compute(replay: Replay) -> dict[int, Any]:
            return replay.gradients([factor for _, factor in pairs])

        arrays = [array for array, _ in pairs]
        return self._derived(arrays, sources, unconnected_gradients, compute)

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: str = UnconnectedGradients.NONE,
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The derivatives of each element of `target` by each element of `sources`.

        Args:
            target: A tensor.
            sources: As in `gradient`.
            unconnected_gradients: As in `gradient`.
            parallel_iterations: Has no effect.
            experimental_use_pfor: Has no effect.

        Returns:
            For each source a tensor of shape `target.shape + source.shape`.
        """
        _check_unconnected(unconnected_gradients)
        shape = jnp.shape(target)
        return self._derived(
            [_array(target)], sources, unconnected_gradients, Replay.jacobians, shape
        )

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: str = UnconnectedGradients.NONE,
        parallel_iterations: Any = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The Jacobian of each row of `target` by the same row of `source`.

        Args:
            target: A tensor of shape `(batch, ...)`.
            source: A tensor of shape `(batch, ...)`.
            unconnected_gradients: As in `gradient`.
            parallel_iterations: Has no effect.
            experimental_use_pfor: Has no effect.

        Returns:
            A tensor of shape `(batch, ...) + source.shape[1:]`.
        """
        _check_unconnected(unconnected_gradients)
        if jnp.shape(target)[:1] != jnp.shape(source)[:1]:
            raise ArgumentError(
                "batch_jacobian: target and source must have the same first axis.",
                expected=jnp.shape(target)[:1],
                received=jnp.shape(source)[:1],
            )
        found = self._derived([_array(target)], source, "none", Replay.batch_jacobians)
        if found is None and unconnected_gradients == UnconnectedGradients.ZERO:
            return jnp.zeros((*jnp.shape(target), *jnp.shape(source)[1:]), _array(source).dtype)
        return found

    def _derived(
        self,
        targets: list[Any],
        sources: Any,
        unconnected: str,
        compute: Callable[[Replay], dict[int, Any]],
        shape: tuple[int, ...] = (),
    ) -> Any:
        """What `compute` gives for each source, in the structure of `sources`."""
        steps = self._take()
        recorder = self._recording
        arrays = {id(source): self._arrays_of(source) for source in _leaves(sources)}
        replay = Replay(steps, [a for some in arrays.values() for a in some], targets)
        found = compute(replay) if replay.reached else {}

        def of(source: Any) -> Any:
            parts = [found[id(a)] for a in arrays[id(source)] if id(a) in replay.reached]
            if parts:
                return sum(parts[1:], parts[0])
            if unconnected == UnconnectedGradients.ZERO:
                return jnp.zeros((*shape, *source.shape), _array(source).dtype)
            return None

        if not self._persistent:
            recorder.forget()
        return jax.tree.map(of, sources, is_leaf=_is_variable)

    def _take(self) -> list[Step]:
        """What was recorded, for one use if the tape is not persistent."""
        recorder = self._recording
        if self._is_used and not self._persistent:
            raise StateError(
                "A non-persistent GradientTape can only be used to compute one set of gradients"
                " (or jacobians).",
                fix="write tf.GradientTape(persistent=True)",
            )
        self._is_used = True
        if self._is_open and not self._persistent:
            self._close()
        return recorder.steps

    def _arrays_of(self, source: Any) -> list[Any]:
        """The arrays that a source had in the block."""
        if isinstance(source, Variable):
            return list(self._recording.reads.get(source, ()))
        if not isinstance(source, jax.Array):
            raise ArgumentTypeError(
                "Gradients are by tensors or variables.",
                received=f"an object of type {type(source).__name__}",
                fix="convert it with tf.convert_to_tensor(...), watch it and compute with it",
            )
        return [source] if self._recording.tracks(source) else []


def _is_variable(leaf: Any) -> bool:
    return isinstance(leaf, Variable)


def _leaves(structure: Any) -> list[Any]:
    return jax.tree.leaves(structure, is_leaf=_is_variable)


def _array(value: Any) -> Any:
    if isinstance(value, Variable):
        return value.value
    return value if isinstance(value, jax.Array) else None


def _check_unconnected(value: Any) -> None:
    if value not in (UnconnectedGradients.NONE, UnconnectedGradients.ZERO):
        raise ArgumentError(
            "Unknown value for `unconnected_gradients`.",
            expected="'none' or 'zero'",
            received=repr(value),
        )
