"""InputSpec: what a layer demands of its input, and the check."""

from __future__ import annotations

from typing import Any

from gazelle._core.dtypes import standardize_dtype
from gazelle._core.errors import ShapeError
from gazelle._core.symbolic import leaves


class InputSpec:
    """Demands on an input; None where anything goes.

    Args:
        dtype: The dtype's name.
        shape: Tuple of the whole shape, None for axes of any size.
        ndim: Number of axes, the batch axis included.
        max_ndim: At most so many.
        min_ndim: At least so many.
        axes: Sizes by axis, `{-1: 64}`.
        allow_last_axis_squeeze: Whether a last axis of size 1 may be missing or too many.
        name: The input's name.
        optional: Whether None may be passed.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: tuple[int | None, ...] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = standardize_dtype(dtype) if dtype is not None else None
        self.shape = tuple(shape) if shape is not None else None
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "ndim": self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
            "allow_last_axis_squeeze": self.allow_last_axis_squeeze,
            "name": self.name,
            "optional": self.optional,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """A spec from `get_config`."""
        return cls(**config)


def check_input(specs: InputSpec | list[InputSpec], inputs: Any, layer_name: str) -> None:
    """Refuse inputs that do not fit the specs of a layer.

    Raises:
        ShapeError: Number of inputs, number of axes or size of an axis is wrong; the layer is
            named.
    """
    spec_list = list(specs) if isinstance(specs, list | tuple) else [specs]
    tensors = leaves(inputs)
    if len(tensors) != len(spec_list):
        raise ShapeError(
            f"Layer {layer_name!r} got the wrong number of inputs.",
            expected=len(spec_list),
            received=len(tensors),
        )
    for index, (spec, tensor) in enumerate(zip(spec_list, tensors, strict=True)):
        if tensor is None:
            if spec.optional:
                continue
            raise ShapeError(
                f"Input {index} of layer {layer_name!r} is missing.",
                expected="a tensor",
                received=None,
            )
        if (wrong := _mismatch(spec, tuple(tensor.shape))) is not None:
            raise ShapeError(
                f"Input {index} of layer {layer_name!r} is incompatible with the layer: {wrong}, "
                f"but received input with shape {tuple(tensor.shape)}.",
                expected=wrong.removeprefix("expected "),
                received=f"shape {tuple(tensor.shape)}",
                fix="reshape the data, or correct the input shape of the model",
            )


def _mismatch(spec: InputSpec, shape: tuple[int | None, ...]) -> str | None:
    ndim = len(shape)
    if (
        spec.ndim is not None
        and ndim != spec.ndim
        and not (spec.allow_last_axis_squeeze and abs(ndim - spec.ndim) == 1)
    ):
        return f"expected ndim={spec.ndim}"
    if spec.max_ndim is not None and ndim > spec.max_ndim:
        return f"expected max_ndim={spec.max_ndim}"
    if spec.min_ndim is not None and ndim < spec.min_ndim:
        return f"expected min_ndim={spec.min_ndim}"
    for axis, size in spec.axes.items():
        if size is not None and -ndim <= axis < ndim and shape[axis] not in (size, None):
            return f"expected axis {axis} of input shape to have value {size}"
    if spec.shape is not None:
        for axis, (size, real) in enumerate(zip(spec.shape, shape, strict=False)):
            if size is not None and real not in (size, None):
                return f"expected shape={spec.shape} (axis {axis} has another size)"
    return None
