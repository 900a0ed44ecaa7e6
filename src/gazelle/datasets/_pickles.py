"""Reads pickles of plain objects and arrays without executing them.

Old data sets come as such files. A pickle is a program; here each of its steps is known before the
first one is done, and whatever it refers to outside of it is replaced by something that does
nothing.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np

# The steps of the pickles of Python 2 that hold dicts, lists, text, whole numbers and arrays.
_STEPS = {
    "APPEND", "APPENDS", "BINGET", "BININT", "BININT1", "BININT2", "BINPUT", "BINSTRING",
    "BINUNICODE", "BUILD", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "GLOBAL", "LONG_BINGET",
    "LONG_BINPUT", "MARK", "NEWFALSE", "NEWTRUE", "NONE", "PROTO", "REDUCE", "SETITEM", "SETITEMS",
    "SHORT_BINSTRING", "STOP", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
}  # fmt: skip


def plain_objects(content: bytes) -> Any:
    """The value of a pickle of plain objects; every step of it is known before the first is done.

    Raises:
        Exception: It has other steps, or is damaged.
    """
    for opcode, _, _ in pickletools.genops(content):
        if opcode.name not in _STEPS:
            raise pickle.UnpicklingError(f"it has a step {opcode.name}")
    return _ArraysOnly(io.BytesIO(content), encoding="bytes").load()


def array_of_lists(content: bytes) -> list[Any]:
    """The items of a pickled array of objects, which are lists of numbers.

    Its steps, millions of them, are not looked at first: none of them can do anything, since all
    that they refer to is a stand-in.

    Raises:
        Exception: It is something else, or damaged.
    """
    array = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    _, shape, _, _, items = array.state
    if not isinstance(items, list) or shape != (len(items),):
        raise ValueError(f"an array of shape {shape}, not a list of sequences")
    return items


class _StandIn:
    """Stands for a NumPy object while a pickle is read: it keeps its arguments and does nothing."""

    def __init__(self, *args: Any):
        self.args = args
        self.state: Any = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """The pickled array, if it is uint8 and has this shape."""
        _, found, dtype, fortran_order, data = self.state
        is_bytes = dtype.args[0] in (b"u1", "u1") and isinstance(data, bytes)
        if found != shape or not is_bytes or fortran_order:
            raise ValueError(f"an array of shape {found}, not uint8 {shape}")
        return np.frombuffer(data, np.uint8).reshape(shape)


class _ArraysOnly(pickle.Unpickler):
    """Reads numbers, bytes, lists, dicts and arrays; anything else in a pickle is refused."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        modules = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
        if module_name in modules and global_name in ("_reconstruct", "ndarray", "dtype"):
            return _StandIn
        raise pickle.UnpicklingError(f"it refers to {module_name}.{global_name}")
