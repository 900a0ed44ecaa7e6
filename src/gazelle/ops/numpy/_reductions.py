"""Functions along axes: sums, means, extremes, quantiles, sorting, counting."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import standardize_dtype
from gazelle._core.errors import ArgumentError
from gazelle._core.sparse import MEAN, SUMMED, THROUGH_DENSE
from gazelle._core.symbolic import KerasTensor
from gazelle.ops._table import Axis, axes_of, numpy_op, reduction

all = reduction("all", jnp.all, "Whether all are true.")
amax = reduction("amax", jnp.amax, "The largest values.")
amin = reduction("amin", jnp.amin, "The smallest values.")
any = reduction("any", jnp.any, "Whether one is true.")
mean = reduction("mean", jnp.mean, "The means.", sparse=MEAN)
median = reduction("median", jnp.median, "The medians.")
nanmax = reduction("nanmax", jnp.nanmax, "The largest values but NaN.")
nanmean = reduction("nanmean", jnp.nanmean, "The means of the values that are not NaN.")
nanmedian = reduction("nanmedian", jnp.nanmedian, "The medians of the values that are not NaN.")
nanmin = reduction("nanmin", jnp.nanmin, "The smallest values but NaN.")
nanprod = reduction("nanprod", jnp.nanprod, "The products of the values that are not NaN.")
nanstd = reduction("nanstd", jnp.nanstd, "The standard deviations of the values but NaN.")
nansum = reduction("nansum", jnp.nansum, "The sums of the values that are not NaN.")
nanvar = reduction("nanvar", jnp.nanvar, "The variances of the values that are not NaN.")
ptp = reduction("ptp", jnp.ptp, "The largest values less the smallest.")
std = reduction("std", jnp.std, "The standard deviations.")
sum = reduction("sum", jnp.sum, "The sums.", sparse=SUMMED)
var = reduction("var", jnp.var, "The variances.")


def _place(function: Any) -> Any:
    """A function that gives places, as int32."""

    def places(x: Any, axis: Any, keepdims: bool) -> jax.Array:
        return function(x, axis=axis, keepdims=keepdims).astype("int32")

    return places


argmax = reduction("argmax", _place(jnp.argmax), "The places of the largest values.")
argmin = reduction("argmin", _place(jnp.argmin), "The places of the smallest values.")
nanargmax = reduction("nanargmax", _place(jnp.nanargmax), "The places of the largest but NaN.")
nanargmin = reduction("nanargmin", _place(jnp.nanargmin), "The places of the smallest but NaN.")


@numpy_op()
def max(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> jax.Array:
    """The largest values along `axis`; at least `initial`."""
    return jnp.max(x, axis=axes_of(axis), keepdims=keepdims, initial=initial)


@numpy_op()
def min(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> jax.Array:
    """The smallest values along `axis`; at most `initial`."""
    return jnp.min(x, axis=axes_of(axis), keepdims=keepdims, initial=initial)


@numpy_op()
def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> jax.Array:
    """The products along `axis`."""
    return jnp.prod(x, axis=axes_of(axis), keepdims=keepdims, dtype=_type(dtype))


@numpy_op(tensors=("x", "weights"))
def average(x: Any, axis: Axis = None, weights: Any = None) -> jax.Array:
    """The weighted means along `axis`."""
    return jnp.average(x, axis=axes_of(axis), weights=weights)


@numpy_op()
def count_nonzero(x: Any, axis: Axis = None) -> jax.Array:
    """The numbers of values along `axis` that are not 0."""
    return jnp.count_nonzero(x, axis=axes_of(axis)).astype("int32")


@numpy_op()
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> jax.Array:
    """The sums up to each element."""
    return jnp.cumsum(x, axis=axis, dtype=_type(dtype))


@numpy_op()
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> jax.Array:
    """The products up to each element."""
    return jnp.cumprod(x, axis=axis, dtype=_type(dtype))


@numpy_op()
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> jax.Array:
    """The sums up to each element; NaN counts as 0."""
    return jnp.nancumsum(x, axis=axis, dtype=_type(dtype))


@numpy_op()
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> jax.Array:
    """The products up to each element; NaN counts as 1."""
    return jnp.nancumprod(x, axis=axis, dtype=_type(dtype))


@numpy_op(tensors=2)
def quantile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """The values below which are fractions `q` of all, from 0 to 1."""
    return jnp.quantile(x, q, axis=axes_of(axis), method=method, keepdims=keepdims)


@numpy_op(tensors=2)
def nanquantile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """Like `quantile`, of the values that are not NaN."""
    return jnp.nanquantile(x, q, axis=axes_of(axis), method=method, keepdims=keepdims)


@numpy_op(tensors=2)
def percentile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """Like `quantile`, with `q` from 0 to 100."""
    return jnp.percentile(x, q, axis=axes_of(axis), method=method, keepdims=keepdims)


@numpy_op(tensors=2)
def nanpercentile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> jax.Array:
    """Like `percentile`, of the values that are not NaN."""
    return jnp.nanpercentile(x, q, axis=axes_of(axis), method=method, keepdims=keepdims)


@numpy_op()
def sort(x: Any, axis: int = -1) -> jax.Array:
    """The values in ascending order."""
    return jnp.sort(x, axis=axis)


@numpy_op()
def argsort(x: Any, axis: int | None = -1) -> jax.Array:
    """The places of the values in ascending order."""
    x = jnp.asarray(x)
    return jnp.argsort(x, axis=None if x.ndim == 0 else axis).astype("int32")


@numpy_op()
def argpartition(x: Any, kth: int, axis: int | None = -1) -> jax.Array:
    """Places that bring the smallest `kth` values to the front."""
    if axis is None:
        x, axis = jnp.ravel(x), -1
    return jnp.argpartition(jnp.asarray(x), kth, axis).astype("int32")


@numpy_op(tensors=("y",))
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> jax.Array:
    """The integral along `axis` by the trapezoidal rule."""
    return jnp.trapezoid(y, x, dx, axis)


@numpy_op(tensors=("a",))
def diff(a: Any, n: int = 1, axis: int = -1) -> jax.Array:
    """The differences of neighbours, `n` times."""
    return jnp.diff(a, n, axis)


@numpy_op()
def corrcoef(x: Any) -> jax.Array:
    """The correlations of the rows."""
    return jnp.corrcoef(x)


@numpy_op(tensors=2)
def correlate(x1: Any, x2: Any, mode: str = "valid") -> jax.Array:
    """The cross-correlation of two rows of numbers."""
    return jnp.correlate(x1, x2, mode)


# ---- Counting ----


def _some(count: int) -> list[KerasTensor]:
    return [KerasTensor((None,), "int32") for _ in range(count)]


@numpy_op(spec=lambda x: tuple(_some(len(x.shape))))
def nonzero(x: Any) -> tuple[jax.Array, ...]:
    """The indices of the values that are not 0, one array for each axis."""
    return tuple(index.astype("int32") for index in jnp.nonzero(x))


def _bins_spec(
    x: KerasTensor, weights: Any = None, minlength: int = 0, sparse: bool = False
) -> KerasTensor:
    dtype = "int32" if weights is None else str(jnp.result_type(weights.dtype))
    size = None
    return KerasTensor((*x.shape[:-1], size), dtype, sparse=bool(sparse))


@numpy_op(spec=_bins_spec)
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often, or with which weights, 0, 1, 2, ... are among the values; for each row."""
    x = jnp.asarray(x)
    x = x.astype("int32") if x.dtype == bool else x
    minlength = minlength or 0
    if x.ndim == 1:
        return jnp.bincount(x, weights=weights, minlength=minlength)
    length = int(jnp.maximum(jnp.max(x) + 1, minlength))
    hits = jax.nn.one_hot(x, length, dtype="int32")
    if weights is not None:
        hits = hits * jnp.asarray(weights)[..., None]
    return jnp.sum(hits, axis=-2)


@numpy_op(tensors=2, sparse=THROUGH_DENSE)
def digitize(x: Any, bins: Any) -> jax.Array:
    """The bin of each value."""
    return jnp.digitize(x, jnp.asarray(bins)).astype("int32")


@numpy_op(class_name="SearchSorted", tensors=2)
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> jax.Array:
    """Where values would have to be inserted into an ascending sequence."""
    return jnp.searchsorted(sorted_sequence, values, side=side).astype("int32")


@numpy_op()
def histogram(x: Any, bins: Any = 10, range: Any = None) -> tuple[jax.Array, jax.Array]:
    """The numbers of values in bins, and the edges of these.

    Raises:
        ArgumentError: `range` is not two numbers, the smaller one first.
    """
    if range is not None and (len(range) != 2 or range[1] < range[0]):
        raise ArgumentError(
            "Argument `range` must be a tuple of two elements, and the second element of `range`"
            " must be greater than the first.",
            received=range,
        )
    return jnp.histogram(x, bins=bins, range=range)


def _unique_spec(
    x: KerasTensor,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    shape: tuple[int | None, ...] = (size,)
    if axis is not None:
        place = axis % len(x.shape)
        shape = (*x.shape[:place], size, *x.shape[place + 1 :])
    found = [KerasTensor(shape, x.dtype)]
    if return_index:
        found.append(KerasTensor((size,), "int32"))
    if return_inverse:
        found.append(KerasTensor(x.shape if axis is None else (x.shape[axis],), "int32"))
    if return_counts:
        found.append(KerasTensor((size,), "int32"))
    return found[0] if len(found) == 1 else tuple(found)


@numpy_op(spec=_unique_spec)
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different values, and on request their first places, the way back, and how many."""
    return jnp.unique(
        x,
        return_index=return_index,
        return_inverse=return_inverse,
        return_counts=return_counts,
        axis=axis,
        size=size,
        fill_value=fill_value,
    )


def _type(dtype: Any) -> str | None:
    return None if dtype is None else standardize_dtype(dtype)
