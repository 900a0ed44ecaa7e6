"""Which training programs the kernel runs, and the call that such a program makes.

Of the programs that it could run the kernel takes those where it was measured to be faster than XLA
(docs/engine.md, "The kernel"): small steps, in which XLA's time goes into starting operations and
into gradients that pass through memory. On more than two cores nothing was measured; XLA gains from
them in large steps, so those are left to it.
"""

from __future__ import annotations

import math
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
from gazelle._engine.kernel.description import StepDescription
from gazelle.optimizers._adam import Adam, moments_of
from gazelle.optimizers._state import learning_rate_source, step_counter

MOST_WEIGHTS = 3 << 18  # in all kernels; with Adam's slots 9 MB
LARGEST_STEP = 160 << 20  # weights times samples of a batch
LARGEST_STEP_ON_MANY_CORES = 32 << 20  # the same on more than two cores
ONE_THREAD = 2 << 20  # up to so many one thread is fastest
MOST_THREADS = 4


class Plan(NamedTuple):
    """A call of the kernel that replaces the loop over the steps.

    Args:
        target: The name under which XLA knows the call.
        rate: The place of the learning rate among the program's values.
        changed: The places of the values that the kernel changes, in its order.
        units: Numbers per prediction; 0 where no metric needs predictions.
        attributes: The constants of the call.
    """

    target: str
    rate: int
    changed: list[int]
    units: int
    attributes: dict[str, Any]

    def run(
        self, values: list[Any], data: Any, packed_span: jax.Array
    ) -> tuple[list[Any], jax.Array]:
        """The program's values after the steps, and the predictions made in them.

        Args:
            values: The values of the step's variables.
            data: `(x, y, sample_weight)`, the arrays on the device.
            packed_span: Which batches, a packed `Span`.

        Returns:
            The values; the predictions, `(samples, units)`, of which rows outside the span may
            hold anything.
        """
        x, y, sample_weight = data
        weights = np.zeros(0, np.float32) if sample_weight is None else sample_weight
        arguments = [x, y, weights, packed_span, values[self.rate]]
        changed = [values[place] for place in self.changed]
        results = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in changed]
        predictions = jax.ShapeDtypeStruct((x.shape[0], self.units), np.float32)
        call = jax.ffi.ffi_call(
            self.target,
            [*results, predictions],
            input_output_aliases={len(arguments) + i: i for i in range(len(changed))},
        )
        *after, predicted = call(*arguments, *changed, **self.attributes)
        values = list(values)
        for place, value in zip(self.changed, after, strict=True):
            values[place] = value
        return values, predicted


def plan_for(
    step: StepDescription | None, data: Any, order: Any, *, batch_size: int
) -> Plan | None:
    """How the kernel runs the steps of a training program; None where XLA does it.

    Args:
        step: The step; None where it is more than the kernel knows.
        data: `(x, y, sample_weight)` of the program.
        order: The samples' order; None where they are in their order already.
        batch_size: Samples per batch.
    """
    if step is None or order is not None or not library.is_free():
        return None
    chain = chain_of(step.graph)
    if chain is None or any(function not in HIDDEN for function in chain.functions[:-1]):
        return None
    adam, head = step.optimizer, head_of(step.loss, chain.functions[-1], chain.sizes[-1])
    if head is None or not _reads(data, chain, head[0]) or not is_plain_adam(adam):
        return None
    places = _places(step, adam, chain)
    penalties = [penalty_of(weight) for weight in chain.parameters()]
    if places is None or None in penalties:
        return None
    batch = min(batch_size, data[0].shape[0])
    threads = training_threads(chain.weights(), batch, library.cores())
    target = library.target("train") if threads else None
    if target is None:
        return None
    rate, *changed = places
    attributes = _layer_attributes(chain) | _adam_attributes(adam)
    attributes |= {
        "batch": np.int32(batch),
        "threads": np.int32(threads),
        "aside": np.int32(library.cores() > 1),
        "head": np.int32(head[0]),
        "logits": np.int32(head[1]),
        "low": np.float32(epsilon()),
        "high": np.float32(1.0 - epsilon()),
        "l1": np.array([penalty[0] for penalty in penalties if penalty], np.float32),
        "l2": np.array([penalty[1] for penalty in penalties if penalty], np.float32),
    }
    units = chain.sizes[-1] if step.wants_predictions else 0
    return Plan(target, rate, changed, units, attributes)


def training_threads(weights: int, batch: int, cores: int) -> int:
    """On how many threads the kernel trains; 0 where XLA is faster.

    Args:
        weights: Elements of all kernels.
        batch: Samples of a batch.
        cores: Cores that the process may use.
    """
    work = weights * batch
    largest = LARGEST_STEP if cores <= 2 else LARGEST_STEP_ON_MANY_CORES
    if weights > MOST_WEIGHTS or work > largest:
        return 0
    return 1 if work <= ONE_THREAD else min(cores, MOST_THREADS)


def _layer_attributes(chain: Chain) -> dict[str, Any]:
    """The constants of the call that the layers set."""
    attributes = chain.attributes()
    attributes["kinds"][-1] = 0  # the head takes the last layer's sums
    return attributes


def _adam_attributes(adam: Adam) -> dict[str, Any]:
    """The constants of the call that the optimizer sets."""
    numbers = {
        "beta1": adam.beta_1,
        "beta2": adam.beta_2,
        "c1": 1.0 - adam.beta_1,
        "c2": 1.0 - adam.beta_2,
        "epsilon": adam.epsilon,
    }
    return {name: np.float32(number) for name, number in numbers.items()}


def _reads(data: Any, chain: Chain, head: int) -> bool:
    """Whether the kernel reads these arrays."""
    x, y, sample_weight = data
    if not isinstance(x, jax.Array) or not isinstance(y, jax.Array):
        return False
    if str(x.dtype) not in ("float32", "uint8"):
        return False
    if chain.source.dtype not in ("float32", str(x.dtype)):
        return False
    if math.prod(x.shape[1:]) != chain.sizes[0]:
        return False
    if sample_weight is not None:
        one_each = sample_weight.size == x.shape[0]
        if str(sample_weight.dtype) != "float32" or not one_each:
            return False
    return _reads_targets(y, chain.sizes[-1], head)


def _reads_targets(y: jax.Array, units: int, head: int) -> bool:
    """Whether the kernel reads targets for so many units."""
    if head == SPARSE:
        return str(y.dtype) in ("int32", "uint8") and y.shape[1:] in ((), (1,))
    one_number = units == 1 and y.shape[1:] == ()
    if y.shape[1:] != (units,) and not one_number:
        return False
    return str(y.dtype) in ("float32", "int32", "uint8", "bool")


def _places(step: StepDescription, adam: Adam, chain: Chain) -> list[int] | None:
    """Where the rate and all that the kernel changes are among the step's values, in its order.

    None where the step changes anything else, or where a variable is not as the kernel takes it.
    """
    weights = chain.parameters()
    if {id(weight) for weight in weights} != {id(weight) for weight in step.trainable}:
        return None  # some are frozen
    moments = [moments_of(adam, weight) for weight in weights]
    slots = [mean for mean, _ in moments] + [square for _, square in moments]
    rate, counter = learning_rate_source(adam), step_counter(adam)
    floats = [rate, *step.loss_state, *weights, *slots]
    if any(one.constraint is not None or one.dtype != "float32" for one in floats):
        return None
    changed = [counter, *step.loss_state, *weights, *slots, *chain.moments(), *chain.keys()]
    places = {id(variable): place for place, variable in enumerate(step.variables)}
    known = {id(variable) for variable in (rate, *changed, *step.metric_state)}
    if known != places.keys():
        return None
    return [places[id(variable)] for variable in (rate, *changed)]
