"""Random keys: seed generators, whose state is a variable, and the one of all unseeded draws.

A key is the pair of uint32 words [seed, counter], used as a Threefry-2x32 key as it stands (Salmon
et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), as in Keras: the same seed gives the
same numbers. One draw costs one addition besides the bits themselves, which layers draw with
`random/_threefry.py`.
"""

from __future__ import annotations

import operator
import random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gazelle._core.context import variable_path
from gazelle._core.errors import ArgumentError, StateError
from gazelle._core.lending import borrowed_here
from gazelle._core.names import unique_name
from gazelle._core.registry import builtin
from gazelle._core.variable import Variable, plain

_STEP = np.array([0, 1], np.uint32)


@builtin("keras.random")
class SeedGenerator:
    """An endless row of random keys.

    `state` is a variable, so a generator that belongs to a layer may be drawn from inside a
    compiled program, and is saved and restored with the layer.

    Args:
        seed: An int from 0 to 2**32 - 1. None draws one from Python's `random`, which
            `set_random_seed` governs.
        name: A name; automatic when None.

    Raises:
        ArgumentError: `seed` is not such an int.
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any):
        if kwargs:
            raise ArgumentError(
                "SeedGenerator got arguments that it does not know.",
                expected="seed and name",
                received=", ".join(kwargs),
            )
        self.name = name or unique_name("seed_generator")
        self._given_seed = None if seed is None else checked_seed(seed)
        first = random.randint(1, 10**9) if self._given_seed is None else self._given_seed
        self.state = Variable(
            np.array([first, 0], np.uint32),
            trainable=False,
            autocast=False,
            name="seed_generator_state",
            path=variable_path(f"{self.name}/seed_generator_state"),
        )

    def next(self, ordered: bool = True) -> jax.Array:
        """The next key, uint32 of shape `(2,)`, for the functions of `jax.random`.

        Args:
            ordered: Taken for Keras's sake; the order is always kept.

        Raises:
            StateError: A program is being compiled that does not carry this generator's state:
                every run of it would draw the same numbers.
        """
        key = plain(self.state)  # not `.value`, because of which training would copy the state
        following = key + _STEP
        is_constant = isinstance(following, Tracer) and not isinstance(key, Tracer)
        if is_constant and not borrowed_here.follows:
            raise StateError(
                "A random draw inside a compiled program has no state of its own: it would give the"
                " same numbers every time.",
                expected=(
                    "a SeedGenerator that is an attribute of a layer or model, or an int or a key"
                    " as seed"
                ),
                received=f"the generator {self.name!r}, whose state is not part of the program",
                fix=(
                    "in a layer: self.seed_generator = SeedGenerator(seed) in __init__, and"
                    " seed=self.seed_generator in call"
                ),
            )
        self.state.assign(following)
        return key

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal generator: the seed (None if none), not the counter."""
        return {"seed": self._given_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A generator from `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<SeedGenerator name={self.name}, seed={self._given_seed}>"


_shared: list[SeedGenerator] = []  # the generator of unseeded draws, made at the first one
_last: list[int | None] = [None]  # the seed of `reset_shared`


def last_seed() -> int | None:
    """The seed of the last `set_random_seed`; None if there was none."""
    return _last[0]


def draw_key(seed: Any = None) -> Any:
    """A key for one draw.

    Args:
        seed: None (the shared generator moves on), an int (always the same key), a `SeedGenerator`
            (it moves on), or a key of JAX (returned as it is).

    Raises:
        ArgumentError: `seed` is none of these.
        StateError: None inside a compiled program.
    """
    if seed is None:
        if not _shared:
            _shared.append(SeedGenerator(name="shared_seed_generator"))
        return _shared[0].next()
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, jax.Array) and (
        seed.shape == (2,) or jnp.issubdtype(seed.dtype, jax.dtypes.prng_key)
    ):
        return seed
    return np.array([checked_seed(seed), 0], np.uint32)


def reset_shared(seed: int | None = None) -> None:
    """Restart the shared generator from `seed`, or (None) from a random one at its next draw."""
    _shared.clear()
    _last[0] = seed
    if seed is not None:
        _shared.append(SeedGenerator(seed, name="shared_seed_generator"))


def shared_state() -> tuple[Any, int | None]:
    """The state of the shared generator (None before its first draw) and `last_seed`."""
    return (_shared[0].state.numpy() if _shared else None), _last[0]


def set_shared_state(state: tuple[Any, int | None]) -> None:
    """Go back to what `shared_state` has returned."""
    key, seed = state
    reset_shared(seed)
    if key is None:
        _shared.clear()
        return
    if not _shared:
        _shared.append(SeedGenerator(0, name="shared_seed_generator"))
    _shared[0].state.assign(key)


def checked_seed(seed: Any) -> int:
    """`seed` as an int.

    Raises:
        ArgumentError: It is not an int from 0 to 2**32 - 1.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**32:
        raise ArgumentError(
            "seed must be an integer that fits into 32 bits.",
            expected=(
                "an int from 0 to 4294967295, None, or where numbers are drawn a SeedGenerator"
            ),
            received=repr(seed),
            fix="pass an int; of a larger one, seed % 2**32",
        )
    return number
