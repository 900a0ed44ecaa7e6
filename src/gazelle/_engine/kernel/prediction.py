"""Predictions by the kernel, in the place of the model's call while a program that predicts is traced."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from gazelle import activations
from gazelle._engine.kernel import library
from gazelle._engine.kernel.chain import HIDDEN, Chain, chain_of
from gazelle._engine.kernel.plan import MOST_THREADS

# Larger networks are XLA's, which does not start a product anew for each block of samples.
MOST_WEIGHTS = 1 << 16
ONE_THREAD = 4 << 20  # weights times samples: up to so many one thread is fastest


def predicted(model: Any, x: Any) -> Any | None:
    """The model's outputs for `x`, `(samples, units)`; None where XLA predicts.

    XLA hands a program with more than some thousand operations to another thread and waits; a call
    of the kernel it does not count, and so a single sample is predicted where it is asked for.

    Args:
        model: The model, whose variables hold the program's values.
        x: Its inputs in the program.
    """
    if not library.is_free() or not isinstance(x, jax.Array):
        return None
    chain = chain_of(model)
    if chain is None or not _is_known(chain, x):
        return None
    target = library.target("predict")
    if target is None:
        return None
    last, parameters = chain.functions[-1], chain.parameters()
    call = jax.ffi.ffi_call(target, jax.ShapeDtypeStruct((x.shape[0], chain.sizes[-1]), np.float32))
    return call(
        x,
        *(variable._value for variable in (*parameters, *chain.moments())),
        parameters=np.int32(len(parameters)),
        softmax=np.int32(last is activations.softmax),
        threads=np.int32(threads_for(chain.weights(), x.shape[0], library.cores())),
        **chain.attributes(),
    )


def threads_for(weights: int, samples: int, cores: int) -> int:
    """On how many threads so many samples are predicted."""
    return 1 if weights * samples <= ONE_THREAD else min(cores, MOST_THREADS)


def _is_known(chain: Chain, x: Any) -> bool:
    known = all(function in HIDDEN for function in chain.functions[:-1])
    last = chain.functions[-1]
    if (
        not known
        or (last not in HIDDEN and last is not activations.softmax)
        or chain.weights() > MOST_WEIGHTS
    ):
        return False
    features = int(np.prod(x.shape[1:], dtype=np.int64))
    fits = (
        features == chain.sizes[0]
        and x.shape[0] > 0
        and (last is not activations.softmax or chain.sizes[-1] > 1)
    )
    plain = all(variable.dtype == "float32" for variable in chain.parameters())
    return (
        fits
        and plain
        and str(x.dtype) in ("float32", "uint8")
        and chain.source.dtype in ("float32", str(x.dtype))
    )
