"""Masks: which entries of an array count. A mask belongs to an array and travels with it.

An array and a symbolic tensor hold their mask as the attribute `_keras_mask`, as in Keras. The
arrays of a program that is being traced take no attributes: their masks are in a table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax.numpy as jnp
from jax.core import Tracer

from gazelle._core.symbolic import leaves, map_structure

_MOST = 64  # traced arrays that are remembered behind the call of a layer


class _Table(threading.local):
    def __init__(self) -> None:
        self.masks: dict[int, tuple[Any, Any]] = {}  # by the id of the traced array
        self.ends = False  # whether a block forgets them


_table = _Table()


def mask_of(value: Any) -> Any:
    """The mask that an array or a symbolic tensor carries; None if it carries none."""
    if isinstance(value, Tracer):
        return _table.masks.get(id(value), (None, None))[1]
    return getattr(value, "_keras_mask", None)


def masks_of(structure: Any) -> Any:
    """The masks of the arrays in a structure, in the same structure; None where there is none."""
    return map_structure(mask_of, structure)


def set_mask(value: Any, mask: Any) -> None:
    """Let an array or a symbolic tensor carry a mask; None for none."""
    if not isinstance(value, Tracer):
        if mask is not None or mask_of(value) is not None:
            value._keras_mask = mask
    elif mask is None:
        _table.masks.pop(id(value), None)
    else:
        _table.masks[id(value)] = value, mask


def set_masks(structure: Any, masks: Any) -> None:
    """Let the arrays in a structure carry the masks in a structure like it."""
    for value, mask in zip(leaves(structure), leaves(masks), strict=True):
        if mask is not None:
            set_mask(value, mask)


def moved(value: Any, source: Any) -> Any:
    """`value`, which was made from `source` by a conversion, with the mask of that."""
    if value is not source and (mask := mask_of(source)) is not None:
        set_mask(value, mask)
    return value


def carrying_mask(value: Any, mask: Any) -> Any:
    """An array that carries `mask`: `value` if it does, else a copy, since others may hold it."""
    if mask is None or mask_of(value) is mask:
        return value
    copy = jnp.array(value, copy=True)
    set_mask(copy, mask)
    return copy


@contextmanager
def own_table() -> Iterator[None]:
    """Within the block, which traces a program, masks of traced arrays are kept, and not behind."""
    outer = _table.masks, _table.ends
    _table.masks, _table.ends = {}, True
    try:
        yield
    finally:
        _table.masks, _table.ends = outer


def forget_old(outputs: Any) -> None:
    """Forget masks of traced arrays after an outermost call of a layer that gave `outputs`.

    In a function that a user traces (`jax.jit`), the next layer is called on these outputs. So some
    are kept, until a layer is called on arrays with values.
    """
    masks = _table.masks
    if not masks or _table.ends:
        return
    if not any(isinstance(leaf, Tracer) for leaf in leaves(outputs)):
        masks.clear()
    while len(masks) > _MOST:
        masks.pop(next(iter(masks)))
