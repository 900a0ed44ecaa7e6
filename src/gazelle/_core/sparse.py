"""Sparse arrays (BCOO of JAX) as arguments of operations: which results stay sparse, and how."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

_DENSE_IS_FASTER = 50  # the elements of a matrix per nonzero below which its dense form is faster


class SparseRule(NamedTuple):
    """What an operation does with sparse arguments.

    Attributes:
        keeps: Whether the result is sparse, of the arguments that are tensors; each has been asked
            `is_sparse`, None for a number.
        compute: The result, of the function of dense arrays and the arguments.
    """

    keeps: Callable[[list[bool | None]], bool]
    compute: Callable[..., Any]


def is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse array, or a symbolic tensor of one."""
    return type(x).__name__ == "BCOO" or bool(getattr(x, "sparse", False))


def dense(x: Any) -> Any:
    """A sparse array with all its zeros; anything else as it is."""
    return x.todense() if type(x).__name__ == "BCOO" else x


def scipy_csr(x: Any) -> Any:
    """A BCOO array or any sparse matrix of SciPy as a CSR matrix; one that is CSR as it is."""
    if type(x).__name__ != "BCOO":
        return x.tocsr()
    from scipy.sparse import coo_array

    if x.n_batch or x.n_dense:
        from jax.experimental.sparse import bcoo_update_layout

        x = bcoo_update_layout(x, n_batch=0, n_dense=0)
    rows, columns = np.asarray(x.indices).T
    inside = (rows < x.shape[0]) & (columns < x.shape[1])  # JAX's padding is outside
    kept = np.asarray(x.data)[inside], (rows[inside], columns[inside])
    return coo_array(kept, shape=x.shape).tocsr()


def from_scipy(x: Any) -> Any:
    """A sparse matrix of SciPy as a BCOO array."""
    from jax.experimental.sparse import BCOO

    return BCOO.from_scipy_sparse(x.tocoo())


def is_scipy(x: Any) -> bool:
    """Whether `x` is a sparse matrix or array of SciPy."""
    return hasattr(x, "tocsr") and hasattr(x, "nnz")


def matmul(x: Any, kernel: jax.Array) -> jax.Array:
    """`x @ kernel`; for a BCOO matrix of few nonzeros it is computed from these.

    Per multiplication, a dense product is some 50 times as fast as a sum of picked rows.

    Args:
        x: An array `(..., inputs)`, or a BCOO array.
        kernel: `(inputs, units)`.

    Returns:
        An array `(..., units)`.
    """
    if type(x).__name__ != "BCOO":
        return jnp.matmul(x, kernel)
    is_matrix = x.ndim == 2 and not x.n_batch and not x.n_dense
    if not is_matrix or x.nse * _DENSE_IS_FASTER > x.shape[0] * x.shape[1]:
        return jnp.matmul(x.todense(), kernel)
    rows, columns = x.indices[:, 0], x.indices[:, 1]
    # JAX's padding lies outside the matrix: its row is dropped, whatever is picked for it.
    products = x.data[:, None] * kernel.at[columns].get(mode="clip")  # (nonzeros, units)
    sums = jnp.zeros((x.shape[0], kernel.shape[1]), products.dtype)
    return sums.at[rows].add(products, mode="drop")


def flags(tensors: Any) -> list[bool | None]:
    """For each tensor whether it is sparse; None for a number."""
    return [is_sparse(x) if getattr(x, "shape", ()) else None for x in tensors]


def applied(rule: SparseRule, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A function of arrays, some of which may be sparse; they are made dense if the result is."""
    if any(map(is_sparse, args)):
        if rule.keeps(flags(args)):
            return rule.compute(function, *args, **kwargs)
        args = tuple(map(dense, args))
    return function(*args, **kwargs)


def as_sparse(x: jax.Array, n_dense: int = 0) -> Any:
    """A dense array as BCOO, with `n_dense` axes that stay dense.

    In a program, where the values are not known yet, all of them are stored.
    """
    from jax.experimental.sparse import BCOO

    size = math.prod(x.shape[: x.ndim - n_dense]) if isinstance(x, Tracer) else None
    return BCOO.fromdense(x, nse=size, n_dense=n_dense)


def _of_values(function: Callable[..., Any], x: Any, *args: Any, **kwargs: Any) -> Any:
    """A function of each element that is 0 at 0: of the stored values alone."""
    if not x.unique_indices:  # an element may be stored in parts, such as that of a sum
        x = x.sum_duplicates(nse=x.nse)
    return _linear_of_values(function, x, *args, **kwargs)


def _linear_of_values(function: Callable[..., Any], x: Any, *args: Any, **kwargs: Any) -> Any:
    """The same of a function that may be applied to the parts of an element."""
    return type(x)(
        (function(x.data, *args, **kwargs), x.indices),
        shape=x.shape,
        indices_sorted=x.indices_sorted,
        unique_indices=x.unique_indices,
    )


def _through_dense(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of dense arrays, stored like the first sparse argument."""
    first = next(x for x in args if type(x).__name__ == "BCOO")
    return as_sparse(function(*map(dense, args), **kwargs), first.n_dense)


def _reshaped(function: Callable[..., Any], x: Any, *args: Any, **kwargs: Any) -> Any:
    """The elements in the shape that the function gives to a dense array."""
    shape = jax.eval_shape(
        lambda y: function(y, *args, **kwargs), jax.ShapeDtypeStruct(x.shape, x.dtype)
    ).shape
    return x.reshape(*shape)


def _transposed(function: Callable[..., Any], x: Any, axes: Any = None) -> Any:
    return x.transpose(tuple(reversed(range(x.ndim))) if axes is None else tuple(axes))


def _summed(function: Callable[..., Any], x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [one % x.ndim for one in axes]
    if not axes:
        return x
    from jax.experimental.sparse import bcoo_reduce_sum

    total = bcoo_reduce_sum(x, axes=tuple(axes))
    if not keepdims:
        return total
    return total.reshape(*(1 if place in axes else n for place, n in enumerate(x.shape)))


def _plus(function: Callable[..., Any], x: Any, y: Any) -> Any:
    return _through_dense(function, x, y) if x.n_dense else x + y


def _minus(function: Callable[..., Any], x: Any, y: Any) -> Any:
    return _through_dense(function, x, y) if x.n_dense else x + _linear_of_values(jnp.negative, y)


def _times(function: Callable[..., Any], x: Any, y: Any) -> Any:
    if is_sparse(x) and is_sparse(y):
        return _through_dense(function, x, y) if x.n_dense else x * y
    values, other = (x, y) if is_sparse(x) else (y, x)
    if jnp.ndim(other) == 0:
        return _linear_of_values(function, values, other)
    return _through_dense(function, x, y)


def _joined(function: Callable[..., Any], *arrays: Any, axis: int = 0) -> Any:
    """The arrays one behind the other along an axis."""
    if len({(x.n_batch, x.n_dense) for x in arrays}) > 1 or arrays[0].n_dense:
        return _through_dense(function, *arrays, axis=axis)
    from jax.experimental.sparse import bcoo_concatenate

    return bcoo_concatenate(arrays, dimension=axis % arrays[0].ndim)


def _always(_: list[bool | None]) -> bool:
    return True


def _if_all(found: list[bool | None]) -> bool:
    return all(found)


def _if_any(found: list[bool | None]) -> bool:
    return any(found)


def _if_first(found: list[bool | None]) -> bool:
    return bool(found[0]) and not any(found[1:])


AS_THEY_ARE = SparseRule(_always, lambda function, *args, **kwargs: function(*args, **kwargs))
VALUES = SparseRule(_always, _of_values)
RESHAPED = SparseRule(_always, _reshaped)
TRANSPOSED = SparseRule(_always, _transposed)
SUMMED = SparseRule(_always, _summed)
MEAN = SparseRule(_always, lambda function, x, **kwargs: function(dense(x), **kwargs))
THROUGH_DENSE = SparseRule(_if_first, _through_dense)
PLUS = SparseRule(_if_all, _plus)
MINUS = SparseRule(_if_all, _minus)
JOINED = SparseRule(_if_all, _joined)
EXTREME = SparseRule(_if_all, _through_dense)
TIMES = SparseRule(_if_any, _times)
