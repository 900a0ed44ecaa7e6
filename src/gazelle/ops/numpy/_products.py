"""Products of tensors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle.ops._table import binary, numpy_op, unary

dot = binary(
    "dot", jnp.dot, "The product along the last axis of `x1` and the last but one of `x2`."
)
inner = binary("inner", jnp.inner, "The product along the last axes.")
kron = binary("kron", jnp.kron, "The Kronecker product.")
outer = binary("outer", jnp.outer, "The product of every element with every one.")
vdot = binary("vdot", jnp.vdot, "The product of all elements, those of `x1` conjugated.")
slogdet = unary("slogdet", lambda x: tuple(jnp.linalg.slogdet(x)), "Sign and log of determinants.")


def _matmul(x1: Any, x2: Any) -> jax.Array:
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    both_int8 = x1.dtype == x2.dtype == jnp.int8
    return jnp.matmul(x1, x2, preferred_element_type="int32" if both_int8 else None)


matmul = binary("matmul", _matmul, "The product of matrices.")


@numpy_op(tensors=2)
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> jax.Array:
    """The product along some axes of both."""
    return jnp.tensordot(x1, x2, axes)


@numpy_op(tensors=("operands",))
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> jax.Array:
    """The product that letters for axes describe: `"ij,jk->ik"`."""
    operands = tuple(jnp.asarray(operand) for operand in operands)
    if all(operand.dtype == jnp.int8 for operand in operands):
        kwargs.setdefault("preferred_element_type", "int32")
    return jnp.einsum(subscripts, *operands, **kwargs)


@numpy_op(tensors=2)
def cross(
    x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> jax.Array:
    """The cross product of vectors."""
    return jnp.cross(x1, x2, axisa, axisb, axisc, axis)


@numpy_op()
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The sum of the diagonal."""
    x = jnp.asarray(x)
    if x.dtype == bool:
        x = x.astype("int32")
    return jnp.trace(x, offset, axis1, axis2)


@numpy_op()
def vander(x: Any, N: int | None = None, increasing: bool = False) -> jax.Array:  # noqa: N803
    """The matrix of the powers of numbers."""
    return jnp.vander(x, N, increasing)
