"""Operations between symbolic tensors: `a + b`, `-a`, `a[:, 0]`, `ops.mean(a)`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, short
from gazelle.runtime._activations import ACTIVATIONS

TENSOR = object()  # stands for a tensor among the arguments of an operator


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(x: np.ndarray, axis: Any = None, keepdims: bool = False, **_: Any) -> np.ndarray:
        axes = tuple(axis) if isinstance(axis, list) else axis
        return np.asarray(function(x, axis=axes, keepdims=bool(keepdims)))

    return reduce


def _cast(x: np.ndarray, dtype: str) -> np.ndarray:
    return x.astype(np.dtype(dtype))


def _squeeze(x: np.ndarray, axis: Any = None) -> np.ndarray:
    return np.squeeze(x, tuple(axis) if isinstance(axis, list) else axis)


def _clip(x: np.ndarray, x_min: float, x_max: float) -> np.ndarray:
    return np.clip(x, x_min, x_max)


def _reshape(x: np.ndarray, newshape: Any) -> np.ndarray:
    return np.reshape(x, newshape)


# Those that compute each element from those at the same place.
_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Absolute": operator.abs,
    "Add": operator.add,
    "Cast": _cast,
    "Ceil": np.ceil,
    "Clip": _clip,
    "Divide": operator.truediv,
    "Equal": operator.eq,
    "Exp": np.exp,
    "Expm1": np.expm1,
    "Floor": np.floor,
    "FloorDivide": operator.floordiv,
    "Greater": operator.gt,
    "GreaterEqual": operator.ge,
    "Less": operator.lt,
    "LessEqual": operator.le,
    "Log": np.log,
    "Log1p": np.log1p,
    "LogicalAnd": np.logical_and,
    "LogicalNot": np.logical_not,
    "LogicalOr": np.logical_or,
    "LogicalXor": np.logical_xor,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mod": operator.mod,
    "Multiply": operator.mul,
    "Negative": operator.neg,
    "OnesLike": np.ones_like,
    "NotEqual": operator.ne,
    "Power": operator.pow,
    "Reciprocal": np.reciprocal,
    "Sign": np.sign,
    "Sin": np.sin,
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Subtract": operator.sub,
    "Cos": np.cos,
    "TrueDivide": operator.truediv,
    "Where": np.where,
    "ZerosLike": np.zeros_like,
    "ReLU": ACTIVATIONS["relu"],
    "Relu": ACTIVATIONS["relu"],
    "Relu6": ACTIVATIONS["relu6"],
    "Elu": ACTIVATIONS["elu"],
    "LeakyRelu": ACTIVATIONS["leaky_relu"],
    "Selu": ACTIVATIONS["selu"],
    "Sigmoid": ACTIVATIONS["sigmoid"],
    "Silu": ACTIVATIONS["silu"],
    "Softplus": ACTIVATIONS["softplus"],
    "Softsign": ACTIVATIONS["softsign"],
    "Tanh": np.tanh,
}

# Name in a config -> function.
OPERATORS: dict[str, Callable[..., Any]] = {
    **_ELEMENTWISE,
    "Any": _reduction(np.any),
    "Concatenate": np.concatenate,
    "Einsum": lambda *operands, subscripts: np.einsum(subscripts, *operands),
    "ExpandDims": np.expand_dims,
    "GetItem": operator.getitem,
    "Matmul": operator.matmul,
    "Max": _reduction(np.max),
    "Mean": _reduction(np.mean),
    "Min": _reduction(np.min),
    "Prod": _reduction(np.prod),
    "Reshape": _reshape,
    "Softmax": ACTIVATIONS["softmax"],
    "Squeeze": _squeeze,
    "Stack": np.stack,
    "Std": _reduction(np.std),
    "Sum": _reduction(np.sum),
    "Swapaxes": np.swapaxes,
    "Transpose": np.transpose,
    "Var": _reduction(np.var),
}


def is_operator(entry: Mapping[str, Any]) -> bool:
    """Whether a step of a functional config is an operator and not a layer."""
    return str(entry.get("module")).startswith(("keras.src.ops", "keras.src.activations"))


def bound(name: str, arguments: list[Any], options: Mapping[str, Any]) -> Callable[..., np.ndarray]:
    """An operator as a function of its tensors alone.

    Args:
        name: A key of `OPERATORS`.
        arguments: What it is called with: `TENSOR` for each tensor, a list with `TENSOR`s, or a
            constant from `constant`.
        options: Its options.
    """
    function = OPERATORS[name]
    places = [place for place, argument in enumerate(arguments) if argument is TENSOR]
    if places == list(range(len(arguments))) and not options:
        return function
    if not options and len(arguments) == 2 and places in ([0], [1]):
        if places == [0]:
            return lambda x, second=arguments[1]: function(x, second)
        return lambda x, first=arguments[0]: function(first, x)
    if not _tensors_in(arguments):
        raise DataError(
            f"The config of an operator {name} is damaged.",
            expected="arguments with a tensor among them",
            received=f"{len(arguments)} arguments",
        )

    def filled(*tensors: np.ndarray) -> np.ndarray:
        rest = iter(tensors)
        return function(*[_filled(argument, rest) for argument in arguments], **options)

    return filled


def _tensors_in(arguments: list[Any]) -> int:
    return sum(
        _tensors_in(argument) if isinstance(argument, list) else argument is TENSOR
        for argument in arguments
    )


def _filled(argument: Any, tensors: Iterator[np.ndarray]) -> Any:
    if isinstance(argument, list):
        return [_filled(item, tensors) for item in argument]
    return next(tensors) if argument is TENSOR else argument


def narrowed(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A function whose results are float32 where NumPy widens ints and float32 to float64."""

    def narrow(*inputs: np.ndarray) -> np.ndarray:
        outputs = function(*inputs)
        return outputs.astype(np.float32) if outputs.dtype == np.float64 else outputs

    return narrow


def constant(config: Any, *, index: bool = False) -> Any:
    """A constant argument of an operator: a number, an array, or what may be within `[...]`.

    Args:
        config: The constant as it is in a config.
        index: Whether lists are tuples of an index; otherwise they are arrays.

    Raises:
        DataError: Something else.
    """
    kind, inner = None, {}
    if isinstance(config, dict):
        kind, inner = config["class_name"], config["config"]
    if kind in ("__numpy__", "__tensor__"):
        dtype = np.dtype(inner["dtype"])
        if dtype.kind in "biuf":
            return np.array(inner["value"], dtype)
    elif kind == "__slice__":
        return slice(inner["start"], inner["stop"], inner["step"])
    elif kind == "__ellipsis__":
        return Ellipsis
    elif isinstance(config, list):
        return tuple(constant(item) for item in config) if index else np.array(config)
    elif config is None or isinstance(config, int | float):
        return config
    raise DataError(
        "gazelle.runtime does not know the argument of an operator.",
        expected="a number, an array or an index",
        received=short(config),
        fix="predict with the model itself, in the library that saved it",
    )


def keeps_rows_apart(name: str, arguments: list[Any], ranks: list[int]) -> bool:
    """Whether each row of the output depends only on the same row of the inputs.

    Args:
        name: A key of `OPERATORS`.
        arguments: As for `bound`.
        ranks: The number of axes of each tensor.
    """
    if name not in (*_ELEMENTWISE, "GetItem", "Matmul"):
        return False
    if name == "GetItem":
        index = arguments[1]
        first = index[0] if isinstance(index, tuple) and index else index
        return isinstance(first, slice) and first == slice(None)
    if name == "Matmul":
        constant_last = arguments[-1] is not TENSOR and min(ranks) >= 2
        return constant_last or (len(ranks) == 2 and ranks[0] == ranks[1] >= 3)
    constants = [argument for argument in arguments if argument is not TENSOR]
    return len(set(ranks)) == 1 and all(np.ndim(value) < ranks[0] for value in constants)
