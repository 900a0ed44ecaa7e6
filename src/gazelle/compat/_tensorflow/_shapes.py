"""Shapes, and what describes tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gazelle._core.errors import ShapeError
from gazelle.compat._tensorflow._dtypes import DType, as_dtype
from gazelle.compat._tensorflow._table import answers


@answers("TensorShape")
class TensorShape(tuple[int | None, ...]):
    """A shape: a tuple of ints, or None where the size of an axis is not known.

    Args:
        dims: The sizes; another shape, or a number for one axis.
    """

    __slots__ = ()

    def __new__(cls, dims: Any = ()) -> TensorShape:
        """A shape."""
        if isinstance(dims, int):
            dims = (dims,)
        return super().__new__(cls, (_size(one) for one in dims))

    def as_list(self) -> list[int | None]:
        """The sizes as a list."""
        return list(self)

    @property
    def dims(self) -> list[int | None]:
        """The sizes as a list."""
        return list(self)

    @property
    def ndims(self) -> int:
        """The number of axes."""
        return len(self)

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self)

    def num_elements(self) -> int | None:
        """The number of elements; None where a size is not known."""
        product = 1
        for size in self:
            if size is None:
                return None
            product *= size
        return product

    def is_fully_defined(self) -> bool:
        """Whether all sizes are known."""
        return None not in self

    def is_compatible_with(self, other: Iterable[int | None]) -> bool:
        """Whether a tensor could have both shapes."""
        other = tuple(other)
        return len(self) == len(other) and all(
            None in (a, b) or a == b for a, b in zip(self, other, strict=True)
        )

    def assert_is_compatible_with(self, other: Iterable[int | None]) -> None:
        """Refuse a shape that no tensor could have beside this one.

        Raises:
            ShapeError: It is such a shape.
        """
        if not self.is_compatible_with(other):
            raise ShapeError("Shapes do not match.", expected=self, received=tuple(other))

    def concatenate(self, other: Iterable[int | None]) -> TensorShape:
        """This shape with the axes of another behind."""
        return TensorShape((*self, *other))

    def with_rank(self, rank: int) -> TensorShape:
        """This shape, which must have so many axes.

        Raises:
            ShapeError: It has another number.
        """
        if len(self) != rank:
            raise ShapeError("The shape has another rank.", expected=rank, received=self)
        return self

    def merge_with(self, other: Iterable[int | None]) -> TensorShape:
        """What is known of both shapes.

        Raises:
            ShapeError: They do not match.
        """
        other = tuple(other)
        self.assert_is_compatible_with(other)
        return TensorShape(b if a is None else a for a, b in zip(self, other, strict=True))

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return tuple.__new__(TensorShape, found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:  # without __radd__, which would change `[] += shape`
        return tuple.__new__(TensorShape, (*self, *other))

    def __reduce__(self) -> Any:
        return TensorShape, (tuple(self),)

    def __repr__(self) -> str:
        return f"TensorShape({list(self)})"

    def __str__(self) -> str:
        return str(tuple(self))


def _size(size: Any) -> int | None:
    return None if size is None else int(size)


@answers("TensorSpec")
class TensorSpec:
    """The shape and type of a tensor.

    Args:
        shape: Its shape, None for unknown sizes.
        dtype: Its type.
        name: A name, or None.
    """

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None):
        self.shape = TensorShape(shape)
        self.dtype: DType = as_dtype(dtype)
        self.name = name

    def __eq__(self, other: object) -> bool:
        mine = self.shape, self.dtype
        return isinstance(other, TensorSpec) and (other.shape, other.dtype) == mine

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r})"
