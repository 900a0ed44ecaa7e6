"""Input, the start of a functional model."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from gazelle._core.dtypes import floatx, standardize_dtype
from gazelle._core.errors import ArgumentError
from gazelle._core.registry import builtin
from gazelle._core.symbolic import KerasTensor, Node
from gazelle.layers._base import Layer
from gazelle.layers._parts import given_input_shape


@builtin("keras.layers")
class InputLayer(Layer):
    """The layer behind `Input`.

    Args:
        shape: Shape of one sample, a tuple without the batch axis, with None for axes of any size.
        batch_size: Size of the batch axis; None for any.
        dtype: Dtype of the data inside the model; floatx if None.
        sparse: Whether layers get sparse data as it is, as BCOO arrays. Sparse data may be passed
            without it too; layers that compute from dense arrays alone then get dense batches.
        ragged: Not supported; for compatibility with Keras's signature.
        batch_shape: Shape with the batch axis, instead of `shape` and `batch_size`.
        input_tensor: An existing symbolic tensor to use for this input.
        optional: Whether None may be fed.
        name: Name of the layer; generated if None.

    Raises:
        ArgumentError: There is no shape, there are two, or it is not a valid shape.
    """

    def __init__(
        self,
        shape: Iterable[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Iterable[int | None] | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        if "input_shape" in kwargs:
            warnings.warn(
                "Argument `input_shape` is deprecated. Use `shape` instead.",
                UserWarning,
                stacklevel=2,
            )
        super().__init__(name=name, **kwargs)
        given = given_input_shape(self)  # Keras 2's spelling: input_shape= or batch_input_shape=
        if given is not None:
            shape = given
        if ragged:
            raise ArgumentError(
                "Ragged inputs are not supported.",
                expected="ragged=False",
                fix="pad the rows to one length, and mask what was padded",
            )
        if input_tensor is not None:
            _check_tensor(input_tensor, shape, batch_size, batch_shape, dtype, sparse)
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
            sparse = input_tensor.sparse
        elif batch_shape is None:
            batch_shape = (batch_size, *_as_shape(shape))
        elif shape is not None or batch_size is not None:
            name = "shape" if shape is not None else "batch_size"
            raise ArgumentError(
                f"You cannot pass both `{name}` and `batch_shape`: pass one of them.",
                received=f"shape={shape}, batch_size={batch_size}, batch_shape={batch_shape}",
            )
        self.batch_shape = _as_shape(batch_shape)
        self.optional = optional
        self.sparse, self.ragged = bool(sparse), False
        self.input_dtype = standardize_dtype(dtype or floatx())
        self.built = True
        self.supports_masking = True
        tensor = input_tensor
        if tensor is None:
            tensor = KerasTensor(self.batch_shape, self.input_dtype, self.sparse, name=self.name)
        Node(self, (), {}, tensor)

    def call(self, *args: Any) -> Any:
        """Inputs are not called."""
        raise NotImplementedError(
            "An InputLayer cannot be called; it marks where data enters a model."
        )

    @property
    def dtype(self) -> str:
        """The dtype of the data inside the model."""
        return self.input_dtype

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "batch_shape": list(self.batch_shape),
            "dtype": self.input_dtype,
            "sparse": self.sparse,
            "ragged": False,
            "optional": self.optional,
            "name": self.name,
        }


def Input(  # noqa: N802 (Keras's name)
    shape: Iterable[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Iterable[int | None] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor for the input data, the start of a functional model.

    Args:
        shape: Shape of one sample, a tuple without the batch axis: `(32, 32, 3)`.
        batch_size: Size of the batch axis; None for any.
        dtype: Dtype of the data inside the model; floatx if None.
        sparse: Whether layers get sparse data as it is, see `InputLayer`.
        ragged: Not supported.
        batch_shape: Shape with the batch axis, instead of `shape` and `batch_size`.
        name: Name of the input, which is its key in dicts of data.
        tensor: An existing symbolic tensor to use for this input.
        optional: Whether None may be fed.

    Returns:
        A symbolic tensor of shape `(batch_size, *shape)`.

    Raises:
        ArgumentError: There is no shape, there are two, or it is not a valid shape.

    Example:
        >>> import gazelle
        >>> gazelle.Input(shape=(3,)).shape
        (None, 3)
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    )
    return layer.output


def _check_tensor(
    tensor: Any, shape: Any, batch_size: int | None, batch_shape: Any, dtype: Any, sparse: Any
) -> None:
    """Refuse a tensor as input that is none, or that the other arguments do not fit.

    Raises:
        ArgumentError: The first argument that does not fit.
    """
    if not isinstance(tensor, KerasTensor):
        raise ArgumentError(
            "Argument `input_tensor` must be a KerasTensor.",
            expected="what Input() or calling a layer on a symbolic tensor gave",
            received=f"{type(tensor).__name__}",
        )
    has = {
        "shape": (shape, tensor.shape[1:]),
        "batch_size": (batch_size, tensor.shape[0] if tensor.shape else None),
        "batch_shape": (batch_shape, tensor.shape),
        "dtype": (None if dtype is None else standardize_dtype(dtype), tensor.dtype),
        "sparse": (sparse, tensor.sparse),
    }
    for name, (given, found) in has.items():
        given = tuple(given) if isinstance(given, list) else given
        if given is not None and given != found:
            raise ArgumentError(
                f"You cannot provide an incompatible `{name}` together with `input_tensor`.",
                expected=found,
                received=given,
            )


def _as_shape(shape: Any) -> tuple[int | None, ...]:
    if not isinstance(shape, list | tuple):
        raise ArgumentError(
            f"Cannot convert '{shape}' to a shape.",
            expected="a tuple of ints without the batch axis, such as shape=(4,)",
            received=repr(shape),
            fix=f"write shape=({shape},)" if isinstance(shape, int) else "pass shape=(...)",
        )
    for n in shape:
        if n is not None and not _is_size(n):
            raise ArgumentError(
                f"Cannot convert {shape!r} to a shape.",
                expected="ints >= 0 or None",
                received=repr(n),
            )
    return tuple(None if n is None else int(n) for n in shape)


def _is_size(n: Any) -> bool:
    is_int = hasattr(n, "__index__") and not isinstance(n, bool)
    return is_int and int(n) >= 0
