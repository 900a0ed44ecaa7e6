"""`tf.linalg`, and products of matrices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from gazelle import ops
from gazelle.compat._tensorflow._table import answers
from gazelle.compat._tensorflow._values import convert_to_tensor


def _turned(a: Any) -> Any:
    return ops.swapaxes(a, -1, -2)


@answers("matmul", "linalg.matmul", "batch_matmul", "sparse.sparse_dense_matmul")
def _matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    **_: Any,
) -> Any:
    a, b = convert_to_tensor(a), convert_to_tensor(b)
    a = _turned(ops.conj(a)) if adjoint_a else _turned(a) if transpose_a else a
    b = _turned(ops.conj(b)) if adjoint_b else _turned(b) if transpose_b else b
    return ops.matmul(a, b)


@answers("linalg.matvec")
def _matvec(a: Any, b: Any, transpose_a: bool = False) -> Any:
    a, b = convert_to_tensor(a), convert_to_tensor(b)
    return ops.matmul(_turned(a) if transpose_a else a, b[..., None])[..., 0]


@answers("tensordot", "linalg.tensordot")
def _tensordot(a: Any, b: Any, axes: Any) -> Any:
    return ops.tensordot(convert_to_tensor(a), convert_to_tensor(b), axes=axes)


@answers("einsum", "linalg.einsum")
def _einsum(equation: str, *inputs: Any, **_: Any) -> Any:
    return ops.einsum(equation, *map(convert_to_tensor, inputs))


@answers("linalg.diag", "diag", "matrix_diag")
def _diag(diagonal: Any) -> Any:
    diagonal = convert_to_tensor(diagonal)
    return diagonal[..., None] * jnp.eye(diagonal.shape[-1], dtype=diagonal.dtype)


@answers("linalg.diag_part", "linalg.tensor_diag_part", "diag_part", "matrix_diag_part")
def _diag_part(input: Any) -> Any:
    return ops.diagonal(convert_to_tensor(input), axis1=-2, axis2=-1)


@answers("linalg.set_diag")
def _set_diag(input: Any, diagonal: Any) -> Any:
    input, diagonal = convert_to_tensor(input), convert_to_tensor(diagonal)
    places = jnp.arange(diagonal.shape[-1])
    return input.at[..., places, places].set(diagonal)


@answers("linalg.band_part")
def _band_part(input: Any, num_lower: int, num_upper: int) -> Any:
    input = convert_to_tensor(input)
    rows, columns = (jnp.arange(n) for n in input.shape[-2:])
    below = rows[:, None] - columns[None]
    kept = (num_lower < 0) | (below <= num_lower)
    kept &= (num_upper < 0) | (-below <= num_upper)
    return jnp.where(kept, input, 0)


@answers("linalg.solve", "matrix_solve")
def _solve(matrix: Any, rhs: Any, adjoint: bool = False) -> Any:
    matrix = convert_to_tensor(matrix)
    return ops.solve(_turned(matrix) if adjoint else matrix, convert_to_tensor(rhs))


@answers("linalg.triangular_solve")
def _triangular_solve(matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False) -> Any:
    matrix = convert_to_tensor(matrix)
    if adjoint:
        matrix, lower = _turned(matrix), not lower
    return ops.solve_triangular(matrix, convert_to_tensor(rhs), lower=lower)


@answers("linalg.lstsq")
def _lstsq(matrix: Any, rhs: Any, l2_regularizer: float = 0.0, fast: bool = True) -> Any:
    matrix, rhs = convert_to_tensor(matrix), convert_to_tensor(rhs)
    if not l2_regularizer and matrix.ndim == 2:
        return jnp.linalg.lstsq(matrix, rhs)[0]
    turned = _turned(matrix)
    square = turned @ matrix + l2_regularizer * jnp.eye(matrix.shape[-1])
    return jnp.linalg.solve(square, turned @ rhs)


@answers("linalg.svd", "svd")
def _svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True) -> Any:
    tensor = convert_to_tensor(tensor)
    if not compute_uv:
        return jnp.linalg.svd(tensor, compute_uv=False)
    u, s, v = jnp.linalg.svd(tensor, full_matrices=full_matrices)
    return s, u, _turned(v)


@answers("linalg.qr", "qr")
def _qr(input: Any, full_matrices: bool = False) -> Any:
    return ops.qr(convert_to_tensor(input), mode="complete" if full_matrices else "reduced")


@answers("linalg.inv", "matrix_inverse")
def _inv(input: Any, adjoint: bool = False) -> Any:
    found = ops.inv(convert_to_tensor(input))
    return _turned(found) if adjoint else found


@answers("linalg.pinv")
def _pinv(a: Any, rcond: Any = None) -> Any:
    return jnp.linalg.pinv(convert_to_tensor(a), rtol=rcond)


@answers("linalg.logdet")
def _logdet(matrix: Any) -> Any:
    return jnp.linalg.slogdet(convert_to_tensor(matrix))[1]


@answers("linalg.cross")
def _cross(a: Any, b: Any) -> Any:
    return ops.cross(convert_to_tensor(a), convert_to_tensor(b))


@answers("linalg.eigh", "self_adjoint_eig")
def _eigh(tensor: Any) -> Any:
    return tuple(ops.eigh(convert_to_tensor(tensor)))


@answers("linalg.eigvalsh")
def _eigvalsh(tensor: Any) -> Any:
    return jnp.linalg.eigvalsh(convert_to_tensor(tensor))


@answers("linalg.matrix_transpose", "matrix_transpose")
def _matrix_transpose(a: Any) -> Any:
    return _turned(convert_to_tensor(a))


for _names, _function in (
    (("linalg.det", "matrix_determinant"), ops.det),
    (("linalg.cholesky", "cholesky"), ops.cholesky),
    (("linalg.trace", "trace"), lambda x: ops.trace(x, axis1=-2, axis2=-1)),
    (("linalg.expm",), lambda x: _expm(x)),
    (("linalg.matrix_rank",), ops.matrix_rank),
):

    def _enter(function: Any = _function, names: Any = _names) -> None:
        def call(x: Any) -> Any:
            return function(convert_to_tensor(x))

        answers(*names)(call)

    _enter()


def _expm(x: Any) -> Any:
    from jax.scipy.linalg import expm

    return expm(x)
