"""The session: seeding everything random, and starting afresh."""

from __future__ import annotations

import gc
import random

import numpy as np

from gazelle._core.names import reset_names
from gazelle._core.seeds import checked_seed, reset_shared


def set_random_seed(seed: int) -> None:
    """Seed Python's `random`, NumPy's global state and Gazelle's generator.

    A script that calls it first gives the same results every time.

    Args:
        seed: An int from 0 to 2**32 - 1.

    Raises:
        ArgumentError: `seed` is not such an int.
    """
    seed = checked_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    reset_shared(seed)


def clear_session(free_memory: bool = True) -> None:
    """Reset automatic names (`dense`, `dense_1`, ...) and the generator of unseeded draws.

    Args:
        free_memory: Whether to collect garbage at once, including old models.
    """
    reset_names()
    reset_shared()
    if free_memory:
        gc.collect()
