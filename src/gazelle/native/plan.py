"""Which training programs the kernel runs, and the call that stands in such a program.

Of the programs that it could run the kernel takes those where it was measured to be faster than XLA (docs/design.md,
"The kernel"): small steps, in which XLA's time goes into starting operations and into gradients that pass through
memory. On more than two cores nothing was measured; XLA gains from them in large steps, so those are left to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from gazelle._core.dtypes import epsilon
from gazelle._core.variable import Variable
from gazelle.native import library
from gazelle.native.chain import HIDDEN, SPARSE, Chain, chain_of, head_of, is_accuracy_of, is_plain_adam

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
    attributes: dict[str, Any]

    def run(self, values: list, data: Any, steps: Any) -> list:
        """The program's values after the steps.

        Args:
            values: The values of the engine's variables.
            data: `(x, y, None)`, the arrays on the device.
            steps: First row, number of whole batches, 1 if the shorter last one follows; int32.
        """
        state = [values[place] for place in self.state]
        call = jax.ffi.ffi_call(
            self.target,
            [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in state],
            input_output_aliases={4 + i: i for i in range(len(state))},
        )
        changed = dict(
            zip(self.state, call(*data[:2], steps, values[self.rate], *state, **self.attributes), strict=True)
        )
        return [changed.get(place, value) for place, value in enumerate(values)]


def plan_for(engine: Any, data: Any, order: Any, *, batch_size: int, tail: int) -> Plan | None:
    """How the kernel runs the steps of a training program; None where XLA does it.

    Args:
        engine: The `Engine` whose program is traced.
        data: `(x, y, sample_weight)` of the program.
        order: The samples' order, None where they lie in it.
        batch_size: Samples a batch.
        tail: Samples in the last batch, 0 if none is shorter.
    """
    if order is not None or not library.switched_on() or not _runs_plainly() or not _is_simple(engine):
        return None
    chain = chain_of(engine.model)
    if chain is None or any(function not in HIDDEN for function in chain.functions[:-1]):
        return None
    found = head_of(engine.objective.losses[0], chain.functions[-1], chain.sizes[-1])
    if found is None or not _data_fits(data, chain.source, chain.sizes, found[0]):
        return None
    accuracies = [metric for _, metric, _, _ in engine.measures.entries]
    if not all(is_accuracy_of(found[0], metric) for metric in accuracies):
        return None
    batch = max(tail, min(batch_size, data[0].shape[0]))
    threads = threads_for(sum(a * b for a, b in pairwise(chain.sizes)), batch, library.cores())
    weights = [one for pair in zip(chain.kernels, chain.biases, strict=True) for one in pair if one is not None]
    places = _places(engine, accuracies, weights)
    target = library.target() if threads else None
    if target is None or places is None:
        return None
    attributes = _attributes(chain, engine.optimizer) | {
        "batch": np.int32(batch),
        "tail": np.int32(tail),
        "threads": np.int32(threads),
        "head": np.int32(found[0]),
        "logits": np.int32(found[1]),
        "accuracy": np.int32(len(accuracies)),
    }
    return Plan(target, places[0], places[1:], attributes)


def threads_for(weights: int, batch: int, cores: int) -> int:
    """On how many threads the kernel trains; 0 where XLA is faster.

    Args:
        weights: Elements of all kernels.
        batch: Samples of a batch.
        cores: Cores that the process may use.
    """
    work = weights * batch
    if weights > MOST_WEIGHTS or work > (LARGEST_STEP if cores <= 2 else LARGEST_STEP_ON_MANY_CORES):
        return 0
    return 1 if work <= ONE_THREAD else min(cores, MOST_THREADS)


def _attributes(chain: Chain, adam: Any) -> dict[str, Any]:
    """The constants of the kernel's call that the layers and the optimizer set."""
    floats = {
        "scale": chain.scale,
        "offset": chain.offset,
        "low": epsilon(),
        "high": 1.0 - epsilon(),
        "beta1": adam.beta_1,
        "beta2": adam.beta_2,
        "c1": 1.0 - adam.beta_1,
        "c2": 1.0 - adam.beta_2,
        "epsilon": adam.epsilon,
    }
    lists = {
        "sizes": chain.sizes,
        "kinds": [*(HIDDEN[function] for function in chain.functions[:-1]), 0],  # the head takes the last one's sums
        "biased": [bias is not None for bias in chain.biases],
    }
    attributes: dict[str, Any] = {name: np.float32(value) for name, value in floats.items()}
    return attributes | {name: np.array(value, np.int32) for name, value in lists.items()}


def _runs_plainly() -> bool:
    """Whether JAX is set to run float32 programs on a CPU as they are."""
    unusual = ("jax_enable_x64", "jax_disable_jit", "jax_debug_nans", "jax_debug_infs", "jax_check_tracer_leaks")
    unusual += ("jax_default_matmul_precision", "jax_default_device")
    return jax.default_backend() == "cpu" and not any(getattr(jax.config, name) for name in unusual)


def _is_simple(engine: Any) -> bool:
    """Whether the step is: one loss, at most one metric, Adam, and nothing else that changes or adds."""
    return (
        engine.compute_loss is None
        and not engine.attached
        and not engine.frozen
        and len(engine.objective.losses) == 1
        and engine.objective.weights == [None]
        and len(engine.measures.entries) <= 1
        and not any(weighted for _, _, weighted, _ in engine.measures.entries)
        and is_plain_adam(engine.optimizer)
    )


def _data_fits(data: Any, source: Any, sizes: Sequence[int], head: int) -> bool:
    """Whether the kernel reads these arrays."""
    x, y, sample_weight = data
    if sample_weight is not None or not all(isinstance(array, jax.Array) for array in (x, y)):
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


def _places(engine: Any, accuracies: list[Any], weights: list[Variable]) -> list[int] | None:
    """The places of the rate and of all that the kernel changes among the values; None if it does not know them all."""
    adam = engine.optimizer
    sums = [variable for mean in (engine.loss_tracker, *accuracies) for variable in (mean.total, mean.count)]
    slots = [
        group[adam._get_variable_index(weight)] for group in (adam._momentums, adam._velocities) for weight in weights
    ]
    wanted = [adam._learning_rate, adam._iterations, *sums, *weights, *slots]
    present = [*engine.trainable, *engine.frozen, *engine.slots, *engine.sums]
    places = {id(variable): place for place, variable in enumerate(present)}
    plain = all(
        variable.regularizer is None
        and variable.constraint is None
        and variable.dtype == ("int32" if variable is adam._iterations else "float32")
        for variable in wanted
    )
    if not plain or {id(variable) for variable in wanted} != places.keys():
        return None
    return [places[id(variable)] for variable in wanted]
