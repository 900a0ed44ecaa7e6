"""The hashes that TensorFlow, and so Keras, gives to text: FarmHash64 and SipHash.

Sources: FarmHash by Geoff Pike (the 64-bit fingerprint, `farmhashna`); "SipHash: a fast short-input
PRF" by Aumasson and Bernstein, 2012 (SipHash-2-4). All numbers are unsigned, of 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_ALL = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_CAT = 0xC6A4A7935BD1E995
_CROSS_KEY = 0xDECAFCAFFE  # where TensorFlow begins the hash of a cross


def hashed(values: np.ndarray, bins: int, salt: tuple[int, int] | None = None) -> np.ndarray:
    """The bin of each value: its hash modulo `bins`.

    Args:
        values: Text (`str` objects) or whole numbers, which are hashed as their decimal text.
        bins: Number of bins.
        salt: The two halves of a key for SipHash; None for FarmHash64.

    Returns:
        int64 of the same shape.
    """
    of = farmhash64 if salt is None else (lambda text: siphash(text, *salt))
    return _of_each(values, lambda value: of(str(value).encode()) % bins)


def crossed(columns: list[np.ndarray], bins: int) -> np.ndarray:
    """The bin of each combination of values, as TensorFlow's `sparse.cross_hashed` gives it.

    Args:
        columns: Arrays of one shape, of text or whole numbers.
        bins: Number of bins.

    Returns:
        int64 of that shape.
    """
    parts = [column.ravel().tolist() for column in columns]
    known: dict[Any, int] = {}
    found = []
    for values in zip(*parts, strict=True):
        if values not in known:
            known[values] = _cross(values) % bins
        found.append(known[values])
    return np.array(found, np.int64).reshape(columns[0].shape)


def _cross(values: tuple[Any, ...]) -> int:
    result = _CROSS_KEY
    for value in values:
        part = farmhash64(value.encode()) if isinstance(value, str) else value & _ALL
        result = _joined(result, part)
    return result


def _joined(first: int, second: int) -> int:
    """The fingerprint of two fingerprints in this order."""
    result = first ^ _CAT
    result ^= _mixed(second * _CAT & _ALL) * _CAT & _ALL
    result = result * _CAT & _ALL
    result = _mixed(result) * _CAT & _ALL
    return _mixed(result)


def _of_each(values: np.ndarray, function: Callable[[Any], int]) -> np.ndarray:
    """A function of each value, computed once for equal ones."""
    flat = values.ravel().tolist()
    known = {value: function(value) for value in set(flat)}
    return np.array([known[value] for value in flat], np.int64).reshape(values.shape)


# ---- FarmHash64 ----


def farmhash64(text: bytes) -> int:
    """The 64-bit fingerprint of some bytes."""
    size = len(text)
    if size <= 16:
        return _up_to_16(text)
    if size <= 32:
        return _up_to_32(text)
    if size <= 64:
        return _up_to_64(text)
    return _longer(text)


def _word(text: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(text[at : at + size], "little")


def _turned(value: int, by: int) -> int:
    """The bits of a number, turned to the right."""
    return (value >> by | value << (64 - by)) & _ALL if by else value


def _mixed(value: int) -> int:
    return value ^ value >> 47


def _of_two(u: int, v: int, factor: int) -> int:
    a = _mixed((u ^ v) * factor & _ALL)
    b = _mixed((v ^ a) * factor & _ALL)
    return b * factor & _ALL


def _up_to_16(text: bytes) -> int:
    size = len(text)
    if size >= 8:
        factor = _K2 + size * 2 & _ALL
        a, b = _word(text, 0) + _K2 & _ALL, _word(text, size - 8)
        c = _turned(b, 37) * factor + a & _ALL
        d = (_turned(a, 25) + b) * factor & _ALL
        return _of_two(c, d, factor)
    if size >= 4:
        factor = _K2 + size * 2 & _ALL
        return _of_two(size + (_word(text, 0, 4) << 3) & _ALL, _word(text, size - 4, 4), factor)
    if size:
        y = text[0] + (text[size >> 1] << 8)
        z = size + (text[size - 1] << 2)
        return _mixed((y * _K2 ^ z * _K0) & _ALL) * _K2 & _ALL
    return _K2


def _up_to_32(text: bytes) -> int:
    size = len(text)
    factor = _K2 + size * 2 & _ALL
    a, b = _word(text, 0) * _K1 & _ALL, _word(text, 8)
    c, d = _word(text, size - 8) * factor & _ALL, _word(text, size - 16) * _K2 & _ALL
    first = _turned(a + b & _ALL, 43) + _turned(c, 30) + d & _ALL
    return _of_two(first, a + _turned(b + _K2 & _ALL, 18) + c & _ALL, factor)


def _up_to_64(text: bytes) -> int:
    size = len(text)
    factor = _K2 + size * 2 & _ALL
    a, b = _word(text, 0) * _K2 & _ALL, _word(text, 8)
    c, d = _word(text, size - 8) * factor & _ALL, _word(text, size - 16) * _K2 & _ALL
    y = _turned(a + b & _ALL, 43) + _turned(c, 30) + d & _ALL
    z = _of_two(y, a + _turned(b + _K2 & _ALL, 18) + c & _ALL, factor)
    e, f = _word(text, 16) * factor & _ALL, _word(text, 24)
    g, h = (
        (y + _word(text, size - 32)) * factor & _ALL,
        (z + _word(text, size - 24)) * factor & _ALL,
    )
    first = _turned(e + f & _ALL, 43) + _turned(g, 30) + h & _ALL
    return _of_two(first, e + _turned(f + a & _ALL, 18) + g & _ALL, factor)


def _weak(text: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """A weak hash of 32 bytes with two seeds."""
    w, x, y, z = (_word(text, at + 8 * i) for i in range(4))
    a = a + w & _ALL
    b = _turned(b + a + z & _ALL, 21)
    c = a
    a = a + x + y & _ALL
    b = b + _turned(a, 44) & _ALL
    return a + z & _ALL, b + c & _ALL


def _longer(text: bytes) -> int:
    seed, size = 81, len(text)
    x = seed
    y = seed * _K1 + 113 & _ALL
    z = _mixed(y * _K2 + 113 & _ALL) * _K2 & _ALL
    v = w = (0, 0)
    x = x * _K2 + _word(text, 0) & _ALL
    end = (size - 1) // 64 * 64
    last = size - 64
    for at in range(0, end, 64):
        x = _turned(x + y + v[0] + _word(text, at + 8) & _ALL, 37) * _K1 & _ALL
        y = _turned(y + v[1] + _word(text, at + 48) & _ALL, 42) * _K1 & _ALL
        x ^= w[1]
        y = y + v[0] + _word(text, at + 40) & _ALL
        z = _turned(z + w[0] & _ALL, 33) * _K1 & _ALL
        v = _weak(text, at, v[1] * _K1 & _ALL, x + w[0] & _ALL)
        w = _weak(text, at + 32, z + w[1] & _ALL, y + _word(text, at + 16) & _ALL)
        z, x = x, z
    factor = _K1 + ((z & 0xFF) << 1) & _ALL
    w = (w[0] + (size - 1 & 63) & _ALL, w[1])
    v = (v[0] + w[0] & _ALL, v[1])
    w = (w[0] + v[0] & _ALL, w[1])
    x = _turned(x + y + v[0] + _word(text, last + 8) & _ALL, 37) * factor & _ALL
    y = _turned(y + v[1] + _word(text, last + 48) & _ALL, 42) * factor & _ALL
    x ^= w[1] * 9 & _ALL
    y = y + v[0] * 9 + _word(text, last + 40) & _ALL
    z = _turned(z + w[0] & _ALL, 33) * factor & _ALL
    v = _weak(text, last, v[1] * factor & _ALL, x + w[0] & _ALL)
    w = _weak(text, last + 32, z + w[1] & _ALL, y + _word(text, last + 16) & _ALL)
    z, x = x, z
    first = _of_two(v[0], w[0], factor) + _mixed(y) * _K0 + z & _ALL
    return _of_two(first, _of_two(v[1], w[1], factor) + x & _ALL, factor)


# ---- SipHash-2-4 ----


def siphash(text: bytes, first: int, second: int) -> int:
    """SipHash-2-4 of some bytes with the key of these two halves."""
    key0, key1 = first & _ALL, second & _ALL
    state = [
        key0 ^ 0x736F6D6570736575,
        key1 ^ 0x646F72616E646F6D,
        key0 ^ 0x6C7967656E657261,
        key1 ^ 0x7465646279746573,
    ]
    whole = len(text) // 8 * 8
    last = _word(text, whole) | (len(text) & 0xFF) << 56
    for word in [*(_word(text, at) for at in range(0, whole, 8)), last]:
        state[3] ^= word
        _sip_rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _sip_rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _sip_rounds(state: list[int], count: int) -> None:
    a, b, c, d = state
    for _ in range(count):
        a = a + b & _ALL
        b = _turned(b, 51) ^ a
        a = _turned(a, 32)
        c = c + d & _ALL
        d = _turned(d, 48) ^ c
        a = a + d & _ALL
        d = _turned(d, 43) ^ a
        c = c + b & _ALL
        b = _turned(b, 47) ^ c
        c = _turned(c, 32)
    state[:] = a, b, c, d
