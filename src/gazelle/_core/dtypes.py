"""Default float type, epsilon, and dtype policies: the types of weights and of arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from gazelle._core.errors import ArgumentError, ArgumentTypeError

TEXT = "string"
FLOAT_TYPES = ("float16", "bfloat16", "float32", "float64")
_ALL_TYPES = (*FLOAT_TYPES, "bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "int64")


@dataclass
class _Settings:
    floatx: str = "float32"
    epsilon: float = 1e-7
    policy: DTypePolicy | None = None


class DTypePolicy:
    """The type of a layer's variables and the type it computes in.

    Shorter types save memory traffic on accelerators. On a CPU they are slower: with
    `mixed_bfloat16` an epoch took 1.6 to 3.1 times as long as in float32 (AMD EPYC with AVX-512
    BF16, three networks).

    Args:
        name: A float type (`"float32"`, `"bfloat16"`, ...), or `"mixed_bfloat16"` /
            `"mixed_float16"` for float32 variables with arithmetic in the shorter type; the default
            policy's when None.

    Raises:
        ArgumentError: `name` is not a known policy.
        ArgumentTypeError: It is not a text.
    """

    _registry_module: ClassVar[str] = "keras"
    quantization_mode: ClassVar[None] = None  # Gazelle has no quantization

    def __init__(self, name: str | None = None):
        if name is None:
            name = dtype_policy().name
        if not isinstance(name, str):
            raise ArgumentTypeError("'name' must be a string.", received=repr(name)[:80])
        if name not in _ALL_TYPES and name not in ("mixed_float16", "mixed_bfloat16"):
            raise ArgumentError(
                f"{name!r} is not a dtype policy: Cannot convert it to a type of variables and one"
                " of arithmetic.",
                expected=f"one of {', '.join(FLOAT_TYPES)}, mixed_float16, mixed_bfloat16",
                received=repr(name),
                fix="pass one of these names as dtype",
            )
        self._name = name

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The type in which `call` computes."""
        return self.name.removeprefix("mixed_")

    @property
    def variable_dtype(self) -> str:
        """The type of the weights."""
        return "float32" if self.name.startswith("mixed_") else self.name

    def convert_input(self, x: Any, autocast: bool, dtype: Any) -> Any:
        """`x` as a layer takes it: floats in `dtype` if `autocast`, other data as arrays.

        Args:
            x: Anything.
            autocast: Whether floats are converted.
            dtype: The type to convert to.
        """
        if hasattr(x, "dtype") and hasattr(x, "astype"):
            is_cast = autocast and is_float(x.dtype) and standardize_dtype(x.dtype) != dtype
            return jnp.asarray(x, standardize_dtype(dtype) if is_cast else None)
        if hasattr(x, "__array__"):
            return jnp.asarray(x, standardize_dtype(dtype) if autocast else None)
        return x

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal policy."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """A policy from `get_config`."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name  # pyright: ignore[reportAttributeAccessIssue]

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


_settings = _Settings()


def floatx() -> str:
    """The default float type, `"float32"` unless changed."""
    return _settings.floatx


def set_floatx(value: str) -> None:
    """Set the default float type: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`.

    Raises:
        ArgumentError: `value` is not a float type.
    """
    if value not in FLOAT_TYPES:
        raise ArgumentError(
            "Unknown floatx value.", expected=f"one of {FLOAT_TYPES}", received=repr(value)
        )
    _settings.floatx = value


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite, 1e-7 unless changed."""
    return _settings.epsilon


def set_epsilon(value: float) -> None:
    """Set the small number that `epsilon` returns."""
    _settings.epsilon = float(value)


def dtype_policy() -> DTypePolicy:
    """The policy that layers get when they are given none."""
    return _settings.policy or DTypePolicy(_settings.floatx)


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    """Set the policy that layers get when they are given none.

    Raises:
        ArgumentError: `policy` is neither a policy nor its name.
    """
    if not isinstance(policy, str | DTypePolicy):
        raise ArgumentError(
            "Invalid `policy` argument.",
            expected="a policy, or a name such as 'mixed_bfloat16'",
            received=repr(policy)[:80],
        )
    _settings.policy = DTypePolicy(policy) if isinstance(policy, str) else policy


def get_policy(identifier: object) -> DTypePolicy:
    """A policy from None (the default), a name, a NumPy or JAX dtype, a config or a policy."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        config = identifier.get("config", identifier)
        if not isinstance(config, dict) or set(config) != {"name"}:
            raise ArgumentError(
                "Unknown config of a dtype policy.",
                expected='{"class_name": "DTypePolicy", "config": {"name": "float32"}}',
                received=repr(identifier)[:80],
            )
        return DTypePolicy(**config)
    if isinstance(identifier, str) and identifier not in ("int", "float"):
        return DTypePolicy(identifier)
    return DTypePolicy(standardize_dtype(identifier))


def standardize_dtype(dtype: Any) -> str:
    """A dtype's name: `np.float32` -> `"float32"`, `int` -> `"int32"`; floatx for None and `float`.

    Text is `"string"`: symbolic tensors have this dtype, arrays of JAX do not.

    Raises:
        ArgumentError: `dtype` is not a dtype.
    """
    if dtype is None or dtype is float or dtype == "float":
        return floatx()
    if dtype is int or dtype == "int":
        return "int32"
    if dtype is bool:
        return "bool"
    if dtype is str or (isinstance(dtype, str) and dtype == TEXT):
        return TEXT
    try:
        return str(jnp.dtype(dtype))
    except TypeError:
        foreign = _foreign_name(dtype)
        if foreign is not None:
            return standardize_dtype(foreign)
        raise ArgumentError(
            "Invalid dtype.", expected=f"one of {_ALL_TYPES}", received=repr(dtype)
        ) from None


def _foreign_name(dtype: Any) -> str | None:
    """The name of a dtype of TensorFlow or PyTorch; None for anything else."""
    package = type(dtype).__module__.partition(".")[0]
    if package == "torch":
        return str(dtype).removeprefix("torch.")
    return dtype.name if package == "tensorflow" else None


def is_float(dtype: Any) -> bool:
    """Whether a dtype is a floating one (bfloat16 counts)."""
    return jnp.issubdtype(np.dtype(jnp.dtype(dtype)), jnp.floating)
