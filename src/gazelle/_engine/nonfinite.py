"""A loss that is not finite: which step it was, why, and how the fit gets back to before it.

A program does not stop at such a step, because that would slow down all others. But the loss's mean
stops counting samples there, so that its count tells the step. The values from before come from the
copy that the state makes every quarter of a second anyway. From there the steps are run again up to
the bad one, if they are in the same epoch; every step gives the same bits again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gazelle._core.dtypes import is_float
from gazelle._core.finite import all_finite
from gazelle._core.symbolic import leaves, map_structure
from gazelle._core.variable import values_of
from gazelle._data.feeds import ArrayFeed, to_device

if TYPE_CHECKING:
    from gazelle._engine.runner import Runner

CHOICES = ("stop", "skip", "continue")
MOST_IN_A_ROW = 10  # steps that are skipped until the fit stops
_SPOILED = "the weights were set to values that are not finite, by a callback or set_weights"
_NEVER_FINITE = "the weights were not finite when the fit began"
_LARGE = 1e4  # inputs and weights above this are called a cause


class Mark(NamedTuple):
    """Where a fit was when a copy was made.

    Args:
        epoch: The number of the epoch in this fit.
        order: The order of the samples.
        position: The next batch of the pass.
        done: The steps of the epoch that were done.
    """

    epoch: int
    order: np.ndarray | None
    position: int
    done: int


class BadStep(NamedTuple):
    """A step whose loss is not finite.

    Args:
        step: Its number in the epoch, from 1.
        loss: The loss.
        cause: The probable cause, as a clause.
        kept: Where the weights are from, in words.
        is_undone: Whether they are those from before this step, or from a few before it.
    """

    step: int
    loss: float
    cause: str
    kept: str
    is_undone: bool


def why_ended(runner: Runner) -> str:
    """Why a fit has ended at a bad step, as sentences; empty if it has not."""
    if not runner.diverged:
        return ""
    number, bad = runner.bad[-1]
    epoch = runner.first_epoch + number
    where = f"at step {bad.step} of epoch {epoch}"
    return f"The loss was {bad.loss:g} {where}. Probable cause: {bad.cause}."


def told_at_stop(runner: Runner) -> str:
    """The warning of a fit that has ended at a bad step."""
    _, bad = runner.bad[-1]
    kept = f"fit has ended, and the model has the weights from {bad.kept}."
    return f"{kept} {why_ended(runner)}"


def told_of_skipped(runner: Runner) -> str:
    """The warning of a fit that has skipped steps; empty if it has not."""
    skipped = runner.bad[:-1] if runner.diverged else runner.bad
    if not skipped:
        return ""
    count, (number, bad) = len(skipped), skipped[0]
    epoch = runner.first_epoch + number
    return (
        f"fit: {count} step{'s' if count > 1 else ''} skipped, because the loss was not finite;"
        f" the first was step {bad.step} of epoch {epoch}. Probable cause: {bad.cause}."
    )


def go_back(runner: Runner, logs: dict[str, Any]) -> BadStep:
    """After a loss that is not finite: the variables get back the values from before that step.

    `runner.done` and `runner.position` are then those of the values, if the step could be reached
    again.

    Args:
        runner: The runner of the training.
        logs: The logs with that loss.
    """
    feed, engine = runner.feed, runner.engine
    runner.forget_prepared()
    is_array = isinstance(feed, ArrayFeed)
    step = runner.done
    if is_array:
        # The mean of the loss has not counted the steps of this epoch that were skipped.
        skipped = sum(epoch == runner.epochs for epoch, _ in runner.bad)
        step = min(step, max(1, math.ceil(engine.counted / feed.batch_size)) + skipped)
    number = runner.position - runner.done + step - 1  # of its batch
    was_spoiled = engine.state.was_spoiled
    mark = engine.state.go_back()
    is_here = isinstance(mark, Mark) and mark.epoch == runner.epochs and mark.order is runner.order
    if not all_finite(values_of(engine.state.trainable)):
        return BadStep(step, logs["loss"], _NEVER_FINITE, "before the fit", is_undone=False)
    before = None
    batch = runner.last_batch
    if is_here and mark.done < step:
        before = _run_again(runner, mark, step - 1)
        batch = feed.batch(number, runner.order) if is_array else batch
    return BadStep(
        step=step,
        loss=logs["loss"],
        cause=_SPOILED if was_spoiled else _cause(runner, batch, before),
        kept=_kept(runner, mark, before),
        is_undone=before is not None,
    )


def _kept(runner: Runner, mark: Any, before: int | None) -> str:
    """Where the weights are from, in words."""
    if before is None and isinstance(mark, Mark):
        return f"after step {mark.done} of epoch {runner.first_epoch + mark.epoch}"
    words = {None: "before the fit", 0: "before this step", 1: "before the step before it"}
    return words.get(before, f"{before} steps before it")


def _run_again(runner: Runner, mark: Mark, target: int) -> int:
    """Run the steps after a copy again; returns how many steps before `target` it got.

    One less if the step before the bad one has made weights that are not finite.
    """
    state = runner.engine.state
    runner.run_to(mark, target)
    if not all_finite(values_of(state.trainable)):
        state.go_back()
        runner.run_to(mark, max(target - 1, mark.done))
    return target - runner.done


def _cause(runner: Runner, batch: Any, before: int | None) -> str:
    """The probable cause, from the values before the step and its batch."""
    engine = runner.engine
    rate = getattr(engine.steps.optimizer, "learning_rate", None)
    rate = "unknown" if rate is None else f"{float(rate):g}"
    lower = f"the learning rate ({rate}) may be too large; pass clipnorm=1.0 to the optimizer, too"
    weight, name = _largest(engine.state.trainable)
    if weight > _LARGE:
        return f"the weights have grown to {weight:.3g} in {name}: {lower}"
    if before == 1:
        return f"the gradients of the step before were not finite: {lower}"
    if batch is None:
        return lower
    x, y, _ = batch
    for kind, part in (("inputs", x), ("targets", y)):
        arrays = [np.asarray(array) for array in leaves(part) if array is not None]
        sizes = [float(np.abs(a).max()) for a in arrays if a.size and is_float(a.dtype)]
        if max(sizes, default=0) > _LARGE:
            return f"the {kind} are as large as {max(sizes):.3g}: scale them to about -1 to 1"
    outputs = leaves(engine.predict_batch(map_structure(to_device, x), eager=True))
    if all(np.isfinite(np.asarray(output)).all() for output in outputs):
        return (
            "the predictions are finite and the loss is not: is there a logarithm, a root or a"
            f" division in the loss? Otherwise {lower}"
        )
    return f"a layer gives values that are not finite: {lower}"


def _largest(variables: Any) -> tuple[float, str]:
    """The largest absolute value of the weights, and the weight's path."""
    found = [
        (float(np.abs(array).max()), variable.path)
        for variable in variables
        if (array := np.asarray(variable.current)).size and is_float(array.dtype)
    ]
    return max(found, default=(0.0, ""))
