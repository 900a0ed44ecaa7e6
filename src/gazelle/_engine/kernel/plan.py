"""Which training programs the kernel runs, and the call that stands in such a program.

Of the programs that it could run the kernel takes those where it was measured to be faster than XLA
(docs/design.md, "The kernel"): small steps, in which XLA's time goes into starting operations and
into gradients that pass through memory. On more than two cores nothing was measured; XLA gains from
them in large steps, so those are left to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gazelle._core.dtypes import epsilon
from gazelle._engine.kernel import library
from gazelle._engine.kernel.chain import (
    HIDDEN,
    SPARSE,
    Chain,
    chain_of,
    head_of,
    is_plain_adam,
    penalty_of,
)

MOST_WEIGHTS = 3 << 18  # in all kernels; with Adam's slots 9 MB
LARGEST_STEP = 160 << 20  # weights times samples of a batch
LARGEST_STEP_ON_MANY_CORES = 32 << 20  # the same on more than two cores
ONE_THREAD = 2 << 20  # up to so many one thread is fastest
MOST_THREADS = 4


class Plan(NamedTuple):
    """A call of the kernel in the place of the loop over the steps."""

    target: str
    rate: int  # which of the program's values the learning rate is
    state: list[int]  # and which ones the kernel changes
    units: int  # of the output; 0 where nobody asks for predictions
    attributes: dict[str, Any]

    def run(self, values: list, data: Any, steps: Any) -> tuple[list, Any]:
        """The program's values after the steps, and what the model predicted in them.

        Args:
            values: The values of the engine's variables.
            data: `(x, y, sample_weight)`, the arrays on the device.
            steps: First row, number of whole batches, samples of the shorter last one that follows
                (or 0); int32.

        Returns:
            The values; the predictions, `(samples, units)`: rows that no step took hold anything.
        """
        x, y, sample_weight = data
        weights = np.zeros(0, np.float32) if sample_weight is None else sample_weight
        state = [values[place] for place in self.state]
        results = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in state]
        call = jax.ffi.ffi_call(
            self.target,
            [*results, jax.ShapeDtypeStruct((x.shape[0], self.units), np.float32)],
            input_output_aliases={5 + i: i for i in range(len(state))},
        )
        *changed, predictions = call(
            x, y, weights, steps, values[self.rate], *state, **self.attributes
        )
        found = dict(zip(self.state, changed, strict=True))
        return [found.get(place, value) for place, value in enumerate(values)], predictions


def plan_for(engine: Any, data: Any, order: Any, *, batch_size: int) -> Plan | None:
    """How the kernel runs the steps of a training program; None where XLA does it.

    Args:
        engine: The `Engine` whose program is traced.
        data: `(x, y, sample_weight)` of the program.
        order: The samples' order, None where they lie in it.
        batch_size: Samples per batch.
    """
    if order is not None or not library.is_free() or not _is_simple(engine):
        return None
    chain = chain_of(engine.model)
    if chain is None or any(function not in HIDDEN for function in chain.functions[:-1]):
        return None
    found = head_of(engine.objective.losses[0], chain.functions[-1], chain.sizes[-1])
    if found is None or not _data_fits(data, chain.source, chain.sizes, found[0]):
        return None
    batch = min(batch_size, data[0].shape[0])
    threads = threads_for(chain.weights(), batch, library.cores())
    places, penalties = _places(engine, chain), [penalty_of(one) for one in chain.parameters()]
    target = library.target("train") if threads else None
    if target is None or places is None or None in penalties:
        return None
    attributes = _attributes(chain, engine.optimizer) | {
        "batch": np.int32(batch),
        "threads": np.int32(threads),
        "aside": np.int32(library.cores() > 1),
        "head": np.int32(found[0]),
        "logits": np.int32(found[1]),
        "l1": np.array([one[0] for one in penalties if one], np.float32),
        "l2": np.array([one[1] for one in penalties if one], np.float32),
    }
    units = chain.sizes[-1] if engine.measures.entries else 0
    return Plan(target, places[0], places[1:], units, attributes)


def threads_for(weights: int, batch: int, cores: int) -> int:
    """On how many threads the kernel trains; 0 where XLA is faster.

    Args:
        weights: Elements of all kernels.
        batch: Samples of a batch.
        cores: Cores that the process may use.
    """
    work = weights * batch
    if weights > MOST_WEIGHTS or work > (
        LARGEST_STEP if cores <= 2 else LARGEST_STEP_ON_MANY_CORES
    ):
        return 0
    return 1 if work <= ONE_THREAD else min(cores, MOST_THREADS)


def _attributes(chain: Chain, adam: Any) -> dict[str, Any]:
    """The constants of the kernel's call that the layers and the optimizer set."""
    floats = {
        "low": epsilon(),
        "high": 1.0 - epsilon(),
        "beta1": adam.beta_1,
        "beta2": adam.beta_2,
        "c1": 1.0 - adam.beta_1,
        "c2": 1.0 - adam.beta_2,
        "epsilon": adam.epsilon,
    }
    layers = chain.attributes()
    layers["kinds"][-1] = 0  # the head takes the last layer's sums
    return layers | {name: np.float32(value) for name, value in floats.items()}


def _is_simple(engine: Any) -> bool:
    """Whether the step is: one loss, metrics that need not be counted batch by batch, Adam, and nothing else."""
    return (
        engine.compute_loss is None
        and not engine.attached
        and len(engine.objective.losses) == 1
        and engine.objective.weights == [None]
        and engine.measures.count_samples
        and is_plain_adam(engine.optimizer)
    )


def _data_fits(data: Any, source: Any, sizes: Sequence[int], head: int) -> bool:
    """Whether the kernel reads these arrays."""
    x, y, sample_weight = data
    if not all(isinstance(array, jax.Array) for array in (x, y)):
        return False
    if sample_weight is not None and (
        str(sample_weight.dtype) != "float32" or sample_weight.size != x.shape[0]
    ):
        return False
    features, units = math.prod(x.shape[1:]), sizes[-1]
    if str(x.dtype) not in ("float32", "uint8") or source.dtype not in ("float32", str(x.dtype)):
        return False
    if features != sizes[0]:
        return False
    if head == SPARSE:
        return str(y.dtype) in ("int32", "uint8") and y.shape[1:] in ((), (1,))
    if y.shape[1:] != (units,) and (units > 1 or y.shape[1:] != ()):
        return False
    return str(y.dtype) in ("float32", "int32", "uint8", "bool")


def _places(engine: Any, chain: Chain) -> list[int] | None:
    """The places of the rate and of all that the kernel changes among the values; None if it does not know them all."""
    adam, weights = engine.optimizer, chain.parameters()
    if {id(weight) for weight in weights} != {id(weight) for weight in engine.state.trainable}:
        return None  # some are frozen
    slots = [
        group[adam._get_variable_index(weight)]
        for group in (adam._momentums, adam._velocities)
        for weight in weights
    ]
    loss = [engine.loss_tracker.total, engine.loss_tracker.count]
    floats = [adam._learning_rate, *loss, *weights, *slots]
    wanted = [
        adam._learning_rate,
        adam._iterations,
        *loss,
        *weights,
        *slots,
        *chain.moments(),
        *chain.keys(),
    ]
    measured = {id(variable) for variable in engine.measures.variables}
    places = {id(variable): place for place, variable in enumerate(engine.state.variables)}
    plain = all(variable.constraint is None and variable.dtype == "float32" for variable in floats)
    if not plain or {id(variable) for variable in wanted} | measured != places.keys():
        return None
    return [places[id(variable)] for variable in wanted]
