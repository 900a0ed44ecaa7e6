"""Functions of each element: arithmetic, comparisons, logic, bits."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gazelle._core.dtypes import standardize_dtype
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.operation import specs, unwrapped
from gazelle._core.sparse import EXTREME, MINUS, PLUS, THROUGH_DENSE, TIMES, VALUES
from gazelle._core.symbolic import KerasTensor
from gazelle.ops._table import binary, bits, float_array, numpy_op, unary

# ---- Of one tensor ----

absolute = unary("absolute", jnp.abs, "The absolute value.", sparse=VALUES)
angle = unary("angle", jnp.angle, "The angle of complex numbers, in radians.")
arccos = unary("arccos", jnp.arccos, "The inverse cosine.")
arccosh = unary("arccosh", jnp.arccosh, "The inverse hyperbolic cosine.")
arcsin = unary("arcsin", jnp.arcsin, "The inverse sine.", sparse=VALUES)
arcsinh = unary("arcsinh", jnp.arcsinh, "The inverse hyperbolic sine.", sparse=VALUES)
arctan = unary("arctan", jnp.arctan, "The inverse tangent.", sparse=VALUES)
arctanh = unary("arctanh", jnp.arctanh, "The inverse hyperbolic tangent.", sparse=VALUES)
bitwise_invert = unary("bitwise_invert", jnp.bitwise_not, "The bits inverted.")
bitwise_not = unary("bitwise_not", jnp.bitwise_not, "The bits inverted.")
cbrt = unary("cbrt", jnp.cbrt, "The cube root.")
ceil = unary(
    "ceil", lambda x: jnp.ceil(float_array(x)), "The next whole number above.", sparse=VALUES
)
conjugate = unary("conjugate", jnp.conjugate, "The complex conjugate.", sparse=VALUES)
copy = unary("copy", lambda x: jnp.array(x, copy=True), "A copy.", sparse=VALUES)
cos = unary("cos", jnp.cos, "The cosine.")
cosh = unary("cosh", jnp.cosh, "The hyperbolic cosine.")
deg2rad = unary("deg2rad", jnp.deg2rad, "Degrees as radians.")
exp = unary("exp", jnp.exp, "`e ** x`.")
exp2 = unary("exp2", jnp.exp2, "`2 ** x`.")
expm1 = unary("expm1", jnp.expm1, "`e ** x - 1`, exact near 0.", sparse=VALUES)
fabs = unary("fabs", jnp.fabs, "The absolute value as a float.")
floor = unary(
    "floor", lambda x: jnp.floor(float_array(x)), "The next whole number below.", sparse=VALUES
)
i0 = unary("i0", jnp.i0, "The modified Bessel function of the first kind, of order 0.")
imag = unary("imag", jnp.imag, "The imaginary part.", sparse=VALUES)
isfinite = unary("isfinite", jnp.isfinite, "Whether a value is neither NaN nor infinite.")
isinf = unary("isinf", jnp.isinf, "Whether a value is infinite.")
isnan = unary("isnan", jnp.isnan, "Whether a value is NaN.")
isneginf = unary("isneginf", jnp.isneginf, "Whether a value is minus infinity.")
isposinf = unary("isposinf", jnp.isposinf, "Whether a value is plus infinity.")
isreal = unary("isreal", jnp.isreal, "Whether the imaginary part is 0.")
log = unary("log", jnp.log, "The natural logarithm.")
log10 = unary("log10", jnp.log10, "The logarithm to base 10.")
log1p = unary("log1p", jnp.log1p, "`log(1 + x)`, exact near 0.", sparse=VALUES)
log2 = unary("log2", jnp.log2, "The logarithm to base 2.")
logical_not = unary("logical_not", jnp.logical_not, "Whether a value is false or 0.")
negative = unary("negative", jnp.negative, "`-x`.", sparse=VALUES)
rad2deg = unary("rad2deg", jnp.rad2deg, "Radians as degrees.")
real = unary("real", jnp.real, "The real part.", sparse=VALUES)
reciprocal = unary("reciprocal", jnp.reciprocal, "`1 / x`.")
sign = unary("sign", jnp.sign, "-1, 0 or 1.", sparse=VALUES)
signbit = unary("signbit", jnp.signbit, "Whether the bit of the sign is set, also that of -0.")
sin = unary("sin", jnp.sin, "The sine.", sparse=VALUES)
sinc = unary("sinc", jnp.sinc, "`sin(pi x) / (pi x)`, 1 at 0.")
sinh = unary("sinh", jnp.sinh, "The hyperbolic sine.", sparse=VALUES)
sqrt = unary("sqrt", jnp.sqrt, "The square root.", sparse=VALUES)
square = unary("square", lambda x: jnp.square(_countable(x)), "`x * x`.", sparse=VALUES)
tan = unary("tan", jnp.tan, "The tangent.", sparse=VALUES)
tanh = unary("tanh", jnp.tanh, "The hyperbolic tangent.", sparse=VALUES)
trunc = unary("trunc", jnp.trunc, "The whole number next to it towards 0.")

abs = absolute
conj = conjugate


def _countable(x: Any) -> Any:
    """Bools as int32; other values as they are."""
    x = jnp.asarray(x)
    return x.astype("int32") if x.dtype == bool else x


@numpy_op(class_name="Round", sparse=VALUES)
def round(x: Any, decimals: int = 0) -> jax.Array:
    """The nearest number with so many decimals; half-way values become even."""
    x = _countable(x)
    if decimals < 0 and jnp.issubdtype(x.dtype, jnp.integer):  # which JAX does not have
        return jnp.round(x.astype("float32"), decimals).astype(x.dtype)
    return jnp.round(x, decimals)


@numpy_op()
def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> jax.Array:
    """`x` with other values for NaN and infinities; the largest finite ones for None."""
    return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@numpy_op(tensors=1)
def clip(x: Any, x_min: Any, x_max: Any) -> jax.Array:
    """`x` limited to `x_min` and `x_max`."""
    return jnp.clip(_countable(x), x_min, x_max)


@numpy_op()
def view(x: Any, dtype: Any = None) -> jax.Array:
    """The same bytes as another type."""
    return jnp.asarray(x).view(None if dtype is None else standardize_dtype(dtype))


# ---- Of two tensors ----

add = binary("add", jnp.add, "`x1 + x2`.", sparse=PLUS)
arctan2 = binary("arctan2", jnp.arctan2, "The angle of the point (x2, x1), in radians.")
divide = binary("divide", jnp.true_divide, "`x1 / x2`, of floats.", sparse=THROUGH_DENSE)
equal = binary("equal", jnp.equal, "`x1 == x2`.")
floor_divide = binary("floor_divide", jnp.floor_divide, "`x1 // x2`.")
fmax = binary("fmax", jnp.fmax, "The larger value; NaN only where both are.")
fmin = binary("fmin", jnp.fmin, "The smaller value; NaN only where both are.")
fmod = binary("fmod", jnp.fmod, "The remainder, with the sign of `x1`.")
gcd = binary("gcd", jnp.gcd, "The greatest common divisor.")
greater = binary("greater", jnp.greater, "`x1 > x2`.")
greater_equal = binary("greater_equal", jnp.greater_equal, "`x1 >= x2`.")
heaviside = binary("heaviside", jnp.heaviside, "0 below 0, 1 above, `x2` at 0.")
hypot = binary("hypot", jnp.hypot, "`sqrt(x1 ** 2 + x2 ** 2)`.")
lcm = binary("lcm", jnp.lcm, "The least common multiple.")
less = binary("less", jnp.less, "`x1 < x2`.")
less_equal = binary("less_equal", jnp.less_equal, "`x1 <= x2`.")
logaddexp = binary("logaddexp", jnp.logaddexp, "`log(exp(x1) + exp(x2))`.")
logaddexp2 = binary("logaddexp2", jnp.logaddexp2, "`log2(2 ** x1 + 2 ** x2)`.")
logical_and = binary("logical_and", jnp.logical_and, "Whether both are true.")
logical_or = binary("logical_or", jnp.logical_or, "Whether one is true.")
logical_xor = binary("logical_xor", jnp.logical_xor, "Whether exactly one is true.")
maximum = binary("maximum", jnp.maximum, "The larger value.", sparse=EXTREME)
minimum = binary("minimum", jnp.minimum, "The smaller value.", sparse=EXTREME)
mod = binary("mod", jnp.mod, "The remainder, with the sign of `x2`.")
multiply = binary("multiply", jnp.multiply, "`x1 * x2`.", sparse=TIMES)
nextafter = binary("nextafter", jnp.nextafter, "The next number after `x1` towards `x2`.")
not_equal = binary("not_equal", jnp.not_equal, "`x1 != x2`.")
power = binary("power", jnp.power, "`x1 ** x2`.")
subtract = binary("subtract", jnp.subtract, "`x1 - x2`.", sparse=MINUS)
true_divide = binary("true_divide", jnp.true_divide, "`x1 / x2`, of floats.", sparse=THROUGH_DENSE)

bitwise_and = bits("bitwise_and", jnp.bitwise_and, "The bits that both have.")
bitwise_left_shift = bits("bitwise_left_shift", jnp.left_shift, "`x << y`.")
bitwise_or = bits("bitwise_or", jnp.bitwise_or, "The bits that one has.")
bitwise_right_shift = bits("bitwise_right_shift", jnp.right_shift, "`x >> y`.")
bitwise_xor = bits("bitwise_xor", jnp.bitwise_xor, "The bits that exactly one has.")
left_shift = bits("left_shift", jnp.left_shift, "`x << y`.")
right_shift = bits("right_shift", jnp.right_shift, "`x >> y`.")


def _no_nan(x1: Any, x2: Any) -> jax.Array:
    is_zero = jnp.equal(x2, 0)
    return jnp.where(is_zero, 0, jnp.true_divide(x1, jnp.where(is_zero, 1, x2)))


def _ldexp(x1: Any, x2: Any) -> jax.Array:
    if not jnp.issubdtype(jnp.result_type(x2), jnp.integer):
        raise ArgumentTypeError(
            "ldexp: the exponent must be an integer type.", received=jnp.result_type(x2)
        )
    return jnp.ldexp(x1, x2)


ldexp = binary("ldexp", _ldexp, "`x1 * 2 ** x2`.")
divide_no_nan = binary("divide_no_nan", _no_nan, "`x1 / x2`, and 0 where `x2` is 0.")


@numpy_op(class_name="AllClose", tensors=2)
def allclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> jax.Array:
    """Whether all elements are equal within tolerances."""
    return jnp.allclose(x1, x2, rtol, atol, equal_nan)


@numpy_op(tensors=("x1", "x2", "rtol", "atol"))
def isclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> jax.Array:
    """Whether elements are equal within tolerances."""
    return jnp.isclose(x1, x2, rtol, atol, equal_nan)


@numpy_op(class_name="IsIn", tensors=2)
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> jax.Array:
    """Whether elements of `x1` are in `x2`."""
    return jnp.isin(x1, x2, assume_unique=assume_unique, invert=invert)


def _where_spec(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    if x1 is None and x2 is None:
        return tuple(KerasTensor((None,), "int32") for _ in condition.shape)
    return specs(jnp.where, (condition, x1, x2), {})


@numpy_op(tensors=3, spec=_where_spec)
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """`x1` where the condition holds, else `x2`; without both, the indices where it holds."""
    if (x1 is None) != (x2 is None):
        raise ArgumentError("where: `x1` and `x2` either both should be `None`, or both values.")
    return jnp.where(condition, x1, x2)


@numpy_op(tensors=3, convert=unwrapped)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> jax.Array:
    """The first choice whose condition holds, else `default`."""
    return jnp.select(list(condlist), list(choicelist), default)
