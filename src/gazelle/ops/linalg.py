"""Linear algebra: decompositions, solvers, norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gazelle._core.errors import ArgumentError, ShapeError
from gazelle._core.operation import unwrapped
from gazelle.ops._table import axes_of, float_array, linalg_op, unary

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "inv",
    "jvp",
    "lstsq",
    "lu_factor",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "solve",
    "solve_triangular",
    "svd",
]


def _matrices(name: str, x: Any, *, square: bool = False) -> jax.Array:
    """`x` as float matrices."""
    x = float_array(x)
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        raise ShapeError(
            f"{name}: Expected input to have {'square matrices' if square else 'rank >= 2'}.",
            expected="shape (..., n, n)" if square else "shape (..., m, n)",
            received=x.shape,
        )
    return x


@linalg_op()
def cholesky(x: Any, upper: bool = False) -> jax.Array:
    """The triangular factor of symmetric positive definite matrices."""
    factor = jnp.linalg.cholesky(_matrices("cholesky", x, square=True), upper=upper)
    if not isinstance(factor, Tracer) and bool(jnp.any(jnp.isnan(factor))):
        raise ArgumentError(
            "cholesky: Cholesky decomposition failed.",
            expected="symmetric positive definite matrices",
        )
    return factor


@linalg_op()
def cholesky_inverse(x: Any, upper: bool = False) -> jax.Array:
    """The inverse of matrices, from their Cholesky factors."""
    x = _matrices("cholesky_inverse", x, square=True)
    unit = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    inverse = jax.scipy.linalg.solve_triangular(x, unit, lower=not upper)
    turned = jnp.swapaxes(inverse, -1, -2)
    return inverse @ turned if upper else turned @ inverse


det = unary(
    "det",
    lambda x: jnp.linalg.det(_matrices("det", x, square=True)),
    "The determinants of matrices.",
    linalg_op,
)
eig = unary(
    "eig",
    lambda x: tuple(jnp.linalg.eig(_matrices("eig", x, square=True))),
    "The eigenvalues and eigenvectors of matrices; on a CPU only.",
    linalg_op,
)
eigh = unary(
    "eigh",
    lambda x: tuple(jnp.linalg.eigh(_matrices("eigh", x, square=True))),
    "The eigenvalues and eigenvectors of symmetric matrices.",
    linalg_op,
)
inv = unary(
    "inv",
    lambda x: jnp.linalg.inv(_matrices("inv", x, square=True)),
    "The inverses of matrices.",
    linalg_op,
)
lu_factor = unary(
    "lu_factor",
    lambda x: tuple(jax.scipy.linalg.lu_factor(_matrices("lu_factor", x))),
    "The LU decomposition of matrices, and the order of their rows.",
    linalg_op,
)


@linalg_op()
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> jax.Array:
    """The norms of vectors or matrices."""
    return jnp.linalg.norm(float_array(x), ord=ord, axis=axes_of(axis), keepdims=keepdims)


@linalg_op()
def qr(x: Any, mode: str = "reduced") -> tuple[jax.Array, ...]:
    """The QR decomposition of matrices."""
    if mode not in ("reduced", "complete"):
        raise ArgumentError(
            "qr: `mode` argument value not supported. Expected one of {'reduced', 'complete'}.",
            received=repr(mode),
        )
    return tuple(jnp.linalg.qr(_matrices("qr", x), mode=mode))


@linalg_op(tensors=2)
def solve(a: Any, b: Any) -> jax.Array:
    """`x` with `a @ x == b`."""
    a, b = _matrices("solve", a, square=True), float_array(b)
    if b.ndim == a.ndim - 1:
        _check_sides("solve", a, b.shape[-1])
        return jnp.squeeze(jnp.linalg.solve(a, b[..., None]), -1)
    _check_sides("solve", a, b.shape[-2] if b.ndim > 1 else 0)
    return jnp.linalg.solve(a, b)


def _check_sides(name: str, a: Any, rows: int) -> None:
    if a.shape[-1] != rows:
        raise ShapeError(
            f"{name}: incompatible shapes between `a` and `b`.",
            expected=f"`b` with {a.shape[-1]} rows",
            received=rows,
        )


@linalg_op(tensors=2)
def solve_triangular(a: Any, b: Any, lower: bool = False) -> jax.Array:
    """`x` with `a @ x == b`, of triangular `a`."""
    a, b = _matrices("solve_triangular", a, square=True), float_array(b)
    if b.ndim == a.ndim - 1:
        _check_sides("solve_triangular", a, b.shape[-1])
        x = jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower)
        return jnp.squeeze(x, -1)
    _check_sides("solve_triangular", a, b.shape[-2] if b.ndim > 1 else 0)
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


@linalg_op(class_name="SVD")
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition of matrices, or only the singular values."""
    found = jnp.linalg.svd(_matrices("svd", x), full_matrices, compute_uv)
    return tuple(found) if compute_uv else found


@linalg_op(tensors=2)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> jax.Array:
    """`x` that minimizes the squares of `a @ x - b`."""
    a, b = float_array(a), float_array(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(
            "lstsq: `a` must be a matrix and `b` have as many rows.",
            received=(a.shape, b.shape),
        )
    return jnp.linalg.lstsq(a, b, rcond)[0]


@linalg_op()
def matrix_rank(x: Any, tol: float | None = None) -> jax.Array:
    """The ranks of matrices."""
    return jnp.linalg.matrix_rank(_matrices("matrix_rank", x), tol=tol).astype("int32")


@linalg_op()
def pinv(x: Any, rcond: float | None = None) -> jax.Array:
    """The pseudo-inverses of matrices."""
    return jnp.linalg.pinv(_matrices("pinv", x), rtol=rcond)


@linalg_op(class_name="JVP", tensors=("fun", "primals", "tangents"), convert=unwrapped)
def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """The value of a function, and its derivative in a direction."""
    return jax.jvp(fun, tuple(primals), tuple(tangents), has_aux)
