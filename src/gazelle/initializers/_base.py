"""The base class of initializers, and that of random ones, which have a seed."""

from __future__ import annotations

import numbers
import random
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from gazelle._core.dtypes import is_float, standardize_dtype
from gazelle._core.errors import ArgumentError
from gazelle._core.registry import Catalogue, builtin, deserialize, serialize

catalogue = Catalogue("initializer", "keras.initializers")


@builtin("keras.initializers")
class Initializer:
    """Makes the initial value of a weight: a NumPy array, when called as `(shape, dtype=None)`.

    A subclass defines `__call__` and, if its constructor takes arguments, `get_config()`.
    """

    outside_programs = True  # models that differ only in initializers share compiled programs

    def __call__(self, shape: Iterable[int], dtype: Any = None) -> Any:
        """An array of shape `shape`; its dtype is floatx if `dtype` is None.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define __call__(shape, dtype=None)."
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Creates an initializer from its config."""
        return cls(**config)

    def clone(self) -> Initializer:
        """A new initializer with the same arguments; without a given seed it draws its own."""
        return type(self).from_config(self.get_config())


class RandomInitializer(Initializer):
    """An initializer with a seed: each instance always gives the same values for the same shape.

    Args:
        seed: An int; a seed generator, which gives other values at every call; or None to draw a
            seed from Python's `random` now, which `set_random_seed` makes reproducible.

    Raises:
        ArgumentError: `seed` is invalid.
    """

    def __init__(self, seed: Any = None):
        if isinstance(seed, dict):
            seed = deserialize(seed)
        is_int = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
        if seed is not None and not is_int and not hasattr(seed, "next"):
            raise ArgumentError(
                f"{type(self).__name__}: the seed is invalid.",
                expected="an int, a SeedGenerator or None",
                received=repr(seed),
            )
        self._given_seed = seed
        self.seed: Any = random.randint(1, 10**9) if seed is None else seed

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the seed is None unless it was given."""
        return {"seed": serialize(self._given_seed)}

    def _generator(self, shape: tuple[int, ...]) -> np.random.Generator:
        # The shape is part of the seed, so that weights of different shapes with the same seed are
        # independent.
        if isinstance(self.seed, numbers.Integral):
            words = [int(self.seed) % 2**64]
        else:
            words = [int(word) for word in np.asarray(self.seed.next()).ravel()]
        return np.random.default_rng([*words, *shape])


def shape_of(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple of ints; an int is a shape with one axis."""
    if isinstance(shape, numbers.Integral):
        return (int(shape),)
    return tuple(int(n) for n in shape)


def numpy_dtype(dtype: Any) -> np.dtype:
    """`dtype` as a NumPy dtype; floatx for None."""
    return np.dtype(jnp.dtype(standardize_dtype(dtype)))


def float_dtypes(dtype: Any, owner: str) -> tuple[Any, np.dtype]:
    """The dtype to draw in (float32 or float64) and the dtype to return.

    Raises:
        ArgumentError: `dtype` is not a float type.
    """
    wanted = numpy_dtype(dtype)
    if not is_float(wanted):
        raise ArgumentError(
            f"{owner} only makes floats.",
            expected="a float dtype",
            received=str(wanted),
            fix="use Zeros, Ones or Constant for integers",
        )
    drawn = np.float64 if wanted == np.float64 else np.float32
    return drawn, wanted
