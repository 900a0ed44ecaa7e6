"""`tf.random`. The draws are from JAX's generator: other numbers than TensorFlow's."""

from __future__ import annotations

import random as python_random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle import random as gazelle_random
from gazelle._core import context
from gazelle._core.seeds import SeedGenerator, reset_shared
from gazelle.compat._tensorflow._dtypes import array_dtype
from gazelle.compat._tensorflow._host import HostTensor
from gazelle.compat._tensorflow._table import answers
from gazelle.compat._tensorflow._tracing import NotTraceableError, vectorizing
from gazelle.compat._tensorflow._values import convert_to_tensor, sizes

_ATTRIBUTE = "tensorflow_seed_generator"  # of a layer that draws in its call
_generators: dict[Any, SeedGenerator] = {}  # of draws outside of layers, by their seeds
_seeds: list[int | None] = [None]
_numpy_at_first = np.random.get_state(legacy=False)["state"]


@answers("random.set_seed", "set_random_seed", "random.set_random_seed")
def set_seed(seed: int) -> None:
    """Let weights, draws and orders of samples be the same in every run of a program.

    NumPy's generator is left alone if the program has seeded or used it.
    """
    seed = int(seed)
    _seeds[0] = seed
    _generators.clear()
    python_random.seed(seed)
    reset_shared(seed % 2**32)
    if _is_untouched():
        np.random.seed(seed % 2**32)


def last_seed() -> int | None:
    """The seed of the last `set_seed`; None if there was none."""
    return _seeds[0]


def _is_untouched() -> bool:
    state = np.random.get_state(legacy=False)["state"]
    same_place = state["pos"] == _numpy_at_first["pos"]
    return same_place and np.array_equal(state["key"], _numpy_at_first["key"])


def _key(seed: Any) -> Any:
    """A key for one draw: of the layer that is called, or of all draws with that seed."""
    if vectorizing.now:
        raise NotTraceableError("It draws random numbers.")
    layer = context.current_layer() or context.outermost_layer()
    if layer is not None:
        if _ATTRIBUTE not in vars(layer):
            setattr(layer, _ATTRIBUTE, SeedGenerator(seed=seed))
            # Before a program is traced that draws, the layer's call is followed for its shapes.
            return jnp.asarray(getattr(layer, _ATTRIBUTE).state.numpy())
        return getattr(layer, _ATTRIBUTE).next()
    if seed not in _generators:
        is_seeded = seed is not None or _seeds[0] is not None
        first = (_seeds[0] or 0) * 1_000_003 + (seed or 0) if is_seeded else None
        _generators[seed] = SeedGenerator(None if first is None else first % 2**32)
    return _generators[seed].next()


@answers("random.normal", "random_normal")
def _normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32", seed: Any = None
) -> Any:
    drawn = gazelle_random.normal(sizes(shape), dtype=array_dtype(dtype).name, seed=_key(seed))
    return drawn * stddev + mean


@answers("random.truncated_normal", "truncated_normal")
def _truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32", seed: Any = None
) -> Any:
    name = array_dtype(dtype).name
    return (
        gazelle_random.truncated_normal(sizes(shape), dtype=name, seed=_key(seed)) * stddev + mean
    )


@answers("random.uniform", "random_uniform")
def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", seed: Any = None
) -> Any:
    """Draws from `minval` (included) to `maxval` (excluded)."""
    kind = array_dtype(dtype)
    if jnp.issubdtype(kind, jnp.integer):
        return jax.random.randint(_as_key(_key(seed)), sizes(shape), minval, maxval, kind)
    high = 1.0 if maxval is None else maxval
    drawn = gazelle_random.uniform(sizes(shape), dtype=kind.name, seed=_key(seed))
    return drawn * (high - minval) + minval


def _as_key(words: Any) -> Any:
    return jnp.asarray(words, jnp.uint32)


@answers("random.shuffle", "random_shuffle")
def _shuffle(value: Any, seed: Any = None) -> Any:
    if isinstance(value, HostTensor):
        return value[np.asarray(jax.random.permutation(_as_key(_key(seed)), len(value)))]
    return jax.random.permutation(_as_key(_key(seed)), convert_to_tensor(value))


@answers("random.categorical", "multinomial", "random.multinomial")
def _categorical(logits: Any, num_samples: int, dtype: Any = None, seed: Any = None) -> Any:
    return gazelle_random.categorical(convert_to_tensor(logits), num_samples, seed=_key(seed))


@answers("random.gamma", "random_gamma")
def _gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = "float32", seed: Any = None
) -> Any:
    alpha = convert_to_tensor(alpha, dtype)
    drawn = jax.random.gamma(_as_key(_key(seed)), alpha, (*sizes(shape), *alpha.shape))
    return drawn if beta is None else drawn / beta


@answers("random.poisson", "random_poisson")
def _poisson(shape: Any, lam: Any, dtype: Any = "float32", seed: Any = None) -> Any:
    lam = convert_to_tensor(lam, "float32")
    key = jax.random.wrap_key_data(_as_key(_key(seed)), impl="threefry2x32")
    return jax.random.poisson(key, lam, (*sizes(shape), *lam.shape)).astype(array_dtype(dtype))


def dropped(x: Any, rate: float, noise_shape: Any, seed: Any) -> Any:
    """`x` with a share of its elements set to 0 and the others scaled."""
    if not rate:
        return x
    shape = None if noise_shape is None else tuple(noise_shape)
    return gazelle_random.dropout(x, rate, noise_shape=shape, seed=_key(seed))


# ---- Draws with a seed of their own ----


def _stateless(seed: Any) -> Any:
    return jnp.asarray(np.asarray(seed)).astype(jnp.uint32).reshape(2)


@answers("random.stateless_normal")
def _stateless_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32", **_: Any
) -> Any:
    return jax.random.normal(_stateless(seed), sizes(shape), array_dtype(dtype)) * stddev + mean


@answers("random.stateless_uniform")
def _stateless_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", **_: Any
) -> Any:
    kind, high = array_dtype(dtype), 1 if maxval is None else maxval
    if jnp.issubdtype(kind, jnp.integer):
        return jax.random.randint(_stateless(seed), sizes(shape), minval, high, kind)
    return jax.random.uniform(_stateless(seed), sizes(shape), kind, minval, high)


@answers("random.Generator", "random.experimental.Generator")
class Generator:
    """A generator of random numbers with a state of its own.

    Args:
        seed: An int; None for a random one.
    """

    def __init__(self, seed: int | None = None, **_: Any):
        self._generator = SeedGenerator(None if seed is None else int(seed) % 2**32)

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """A generator from a seed."""
        return cls(int(np.asarray(seed).reshape(-1)[0]))

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A generator from a random seed."""
        return cls()

    def reset_from_seed(self, seed: int) -> None:
        """Begin again from a seed."""
        self._generator = SeedGenerator(int(seed) % 2**32)

    def split(self, count: int = 1) -> list[Generator]:
        """So many further generators."""
        return [Generator(int(jax.random.bits(self._key(), ()))) for _ in range(count)]

    def _key(self) -> Any:
        return _as_key(self._generator.next())

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32", **_: Any
    ) -> Any:
        """Draws from a normal distribution."""
        return _stateless_normal(shape, self._key(), mean, stddev, dtype)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32", **_: Any
    ) -> Any:
        """Draws from a normal distribution, within two standard deviations."""
        kind = array_dtype(dtype)
        drawn = jax.random.truncated_normal(self._key(), -2, 2, sizes(shape), kind)
        return drawn * stddev + mean

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", **_: Any
    ) -> Any:
        """Draws from a uniform distribution."""
        return _stateless_uniform(shape, self._key(), minval, maxval, dtype)


_global: list[Generator] = []


@answers("random.get_global_generator")
def _get_global_generator() -> Generator:
    if not _global:
        _global.append(Generator(_seeds[0]))
    return _global[0]


@answers("random.set_global_generator")
def _set_global_generator(generator: Generator) -> None:
    _global[:] = [generator]
