"""Predictions by the kernel, instead of the model's call, in a program that predicts."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from gazelle import activations
from gazelle._core.variable import values_of
from gazelle._engine.kernel import library
from gazelle._engine.kernel.chain import HIDDEN, Chain, chain_of
from gazelle._engine.kernel.plan import MOST_THREADS
from gazelle.layers._graph import Graph

# Larger networks are XLA's, which does not restart a product for each block of samples.
MOST_WEIGHTS = 1 << 16
ONE_THREAD = 4 << 20  # weights times samples: up to so many one thread is fastest


def predicted(graph: Graph | None, x: Any) -> jax.Array | None:
    """The model's outputs for `x`, `(samples, units)`; None where XLA predicts.

    XLA hands a program with more than some thousand operations to another thread and waits for it.
    It does not count a call of the kernel, so a single sample is predicted on the caller's thread.

    Args:
        graph: The model's graph, whose variables hold the program's values; None where a call of
            the model is more than its graph.
        x: Its inputs in the program.
    """
    if not library.is_free() or not isinstance(x, jax.Array):
        return None
    chain = chain_of(graph)
    if chain is None or not _is_known(chain, x):
        return None
    target = library.target("predict")
    if target is None:
        return None
    last, parameters = chain.functions[-1], chain.parameters()
    call = jax.ffi.ffi_call(target, jax.ShapeDtypeStruct((x.shape[0], chain.sizes[-1]), np.float32))
    return call(
        x,
        *values_of([*parameters, *chain.moments()]),
        parameters=np.int32(len(parameters)),
        softmax=np.int32(last is activations.softmax),
        threads=np.int32(prediction_threads(chain.weights(), x.shape[0], library.cores())),
        **chain.attributes(),
    )


def prediction_threads(weights: int, samples: int, cores: int) -> int:
    """On how many threads so many samples are predicted."""
    return 1 if weights * samples <= ONE_THREAD else min(cores, MOST_THREADS)


def _is_known(chain: Chain, x: jax.Array) -> bool:
    """Whether the kernel predicts with this chain for these inputs."""
    *hidden, last = chain.functions
    units = chain.sizes[-1]
    is_softmax = last is activations.softmax and units > 1
    if any(function not in HIDDEN for function in hidden) or not (last in HIDDEN or is_softmax):
        return False
    if chain.weights() > MOST_WEIGHTS or any(one.dtype != "float32" for one in chain.parameters()):
        return False
    if str(x.dtype) not in ("float32", "uint8"):
        return False
    if chain.source.dtype not in ("float32", str(x.dtype)):
        return False
    return x.shape[0] > 0 and math.prod(x.shape[1:]) == chain.sizes[0]
