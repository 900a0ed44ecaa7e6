"""What every initializer is, and what those that draw at random share: a seed."""

from __future__ import annotations

import numbers
import random
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle._core.dtypes import is_float, standardize_dtype
from gazelle._core.errors import ArgumentError
from gazelle._core.registry import Catalogue, builtin, deserialize

catalogue = Catalogue("initializer", "keras.initializers")


@builtin("keras.initializers")
class Initializer:
    """Makes the first value of a weight: called as `(shape, dtype=None)` it returns a NumPy array.

    A subclass defines `__call__` and, if its constructor takes arguments, `get_config()`.
    """

    outside_programs = True  # models that differ in first values only share their programs

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> Any:
        """An array of shape `shape`; floatx when `dtype` is None.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define __call__(shape, dtype=None)."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal initializer."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """An initializer from `get_config`."""
        return cls(**config)

    def clone(self) -> Initializer:
        """A new initializer with the same arguments; without a seed among them it draws one of its own."""
        return type(self).from_config(self.get_config())


class RandomInitializer(Initializer):
    """An initializer with a seed. The same instance gives the same values for the same shape, every time.

    Args:
        seed: An int, a seed generator (then every call gives other values), or None: a seed is
            drawn from Python's `random` now, so that `set_random_seed` governs it.

    Raises:
        ArgumentError: `seed` is none of these.
    """

    def __init__(self, seed: Any = None):
        if isinstance(seed, dict):
            seed = deserialize(seed)
        known = seed is None or (isinstance(seed, numbers.Integral) and not isinstance(seed, bool))
        if not known and not hasattr(seed, "next"):
            raise ArgumentError(
                f"{type(self).__name__}: seed cannot be used.",
                expected="an int, a SeedGenerator or None",
                received=repr(seed),
            )
        self._given_seed = seed
        self.seed: Any = random.randint(1, 10**9) if seed is None else seed

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal initializer; the seed is None unless it was given."""
        return {"seed": self._given_seed}

    def _generator(self, shape: tuple[int, ...]) -> np.random.Generator:
        # The shape is part of the seed, so that weights of different shapes with one seed have
        # nothing in common.
        if isinstance(self.seed, numbers.Integral):
            words = [int(self.seed) % 2**64]
        else:
            words = [int(word) for word in np.asarray(self.seed.next()).ravel()]
        return np.random.default_rng([*words, *shape])


def shape_of(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple of ints; an int counts as a shape of one axis."""
    return (int(shape),) if isinstance(shape, numbers.Integral) else tuple(int(n) for n in shape)


def numpy_dtype(dtype: Any) -> np.dtype:
    """A dtype that NumPy knows; floatx for None."""
    return np.dtype(jnp.dtype(standardize_dtype(dtype)))


def float_dtypes(dtype: Any, owner: str) -> tuple[Any, np.dtype]:
    """The type to draw in (float32 or float64) and the type to return.

    Raises:
        ArgumentError: `dtype` is no float type.
    """
    wanted = numpy_dtype(dtype)
    if not is_float(wanted):
        raise ArgumentError(
            f"{owner} makes floats.",
            expected="a float dtype",
            received=str(wanted),
            fix="use Zeros, Ones or Constant for integers",
        )
    return (np.float64 if wanted == np.float64 else np.float32), wanted
