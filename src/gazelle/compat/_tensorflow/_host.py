"""Tensors that JAX does not have: text, and the shapes of others."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from gazelle.compat._tensorflow._shapes import TensorShape


class HostTensor(np.ndarray):
    """An array of NumPy's that answers like a tensor. Text is in it as bytes."""

    def __array_finalize__(self, source: Any) -> None:
        """Nothing to take over."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(_without_jax(index))
        return found if isinstance(found, HostTensor) else host_tensor(found, self.dtype)

    def __iter__(self) -> Any:
        return (self[place] for place in range(len(self)))

    def numpy(self) -> Any:
        """The value: an array, or a number or bytes for a scalar."""
        plain = self.view(np.ndarray)
        return plain if self.ndim else plain[()]

    def get_shape(self) -> TensorShape:
        """The shape."""
        return TensorShape(self.shape)

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return hash(self.numpy()) if not self.ndim else id(self)

    def __bool__(self) -> bool:
        return bool(self.view(np.ndarray))

    def __str__(self) -> str:
        return str(self.view(np.ndarray))

    def __format__(self, form: str) -> str:
        return format(self.numpy(), form)


def host_tensor(value: Any, dtype: Any = None) -> HostTensor:
    """A value as a tensor on the host."""
    if isinstance(value, bytes):  # NumPy would cut off zeros at the end
        array = np.empty((), object)
        array[()] = value
    else:
        array = np.asarray(value, dtype)
    return array.view(HostTensor)


def text_tensor(value: Any) -> HostTensor:
    """Text in any form (str, bytes, nested lists, arrays) as a tensor of bytes."""
    array = np.asarray(value, dtype=object)
    if array.ndim == 0:
        return host_tensor(_as_bytes(array[()]))
    coded = np.empty(array.shape, object)
    coded.reshape(-1)[:] = [_as_bytes(one) for one in array.reshape(-1)]
    return coded.view(HostTensor)


def _as_bytes(one: Any) -> bytes:
    if isinstance(one, np.ndarray):
        one = one[()]
    return one if isinstance(one, bytes) else str(one).encode()


def holds_text(value: Any) -> bool:
    """Whether a value is text, or an array or nested list of it."""
    if isinstance(value, str | bytes):
        return True
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind == "O":
            return value.size > 0 and isinstance(np.asarray(value).reshape(-1)[0], str | bytes)
        return value.dtype.kind in "US"
    if isinstance(value, list | tuple):
        return bool(value) and holds_text(value[0])
    return False


def as_texts(value: Any) -> np.ndarray:
    """A tensor of text as an array of bytes objects."""
    return text_tensor(value).view(np.ndarray)


def one_text(value: Any) -> bytes:
    """A single text in any form as bytes."""
    found: Any = text_tensor(value).numpy()
    return found


def _without_jax(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_without_jax, index))
    return np.asarray(index) if isinstance(index, jax.Array) else index
