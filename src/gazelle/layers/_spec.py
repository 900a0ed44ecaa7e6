"""InputSpec, the requirements of a layer on its input, and their check."""

from __future__ import annotations

from typing import Any

from gazelle._core.dtypes import standardize_dtype
from gazelle._core.errors import ShapeError
from gazelle._core.symbolic import leaves


class InputSpec:
    """Requirements on an input; None for no requirement.

    Args:
        dtype: Name of the dtype.
        shape: The whole shape, with None for axes of any size.
        ndim: Number of axes, including the batch axis.
        max_ndim: Maximum number of axes.
        min_ndim: Minimum number of axes.
        axes: Sizes by axis, `{-1: 64}`.
        allow_last_axis_squeeze: Whether a last axis of size 1 may be missing or added.
        name: Name of the input.
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
        """Creates a spec from its config."""
        return cls(**config)


def check_input(specs: InputSpec | list[InputSpec], inputs: Any, layer_name: str) -> None:
    """Check inputs against the specs of a layer.

    Raises:
        ShapeError: The number of inputs, the number of axes or the size of an axis is wrong.
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
    """The requirement that a shape does not meet; None if it meets all."""
    ndim = len(shape)
    if spec.ndim is not None and ndim != spec.ndim:
        squeezes = spec.allow_last_axis_squeeze and abs(ndim - spec.ndim) == 1
        if not squeezes:
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
