"""The operators between symbolic tensors: `a + b`, `-a`, `a[:, 0]`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, short

TENSOR = object()  # stands for a tensor among the arguments of an operator

# Name in a config -> function.
OPERATORS: dict[str, Callable[..., Any]] = {
    "Absolute": operator.abs,
    "Add": operator.add,
    "Divide": operator.truediv,
    "GetItem": operator.getitem,
    "LogicalOr": np.logical_or,
    "Matmul": operator.matmul,
    "Multiply": operator.mul,
    "Negative": operator.neg,
    "NotEqual": operator.ne,
    "Power": operator.pow,
    "Subtract": operator.sub,
    "TrueDivide": operator.truediv,
}

# The same with options from the config; with the operators above, Keras writes masks with them.
WITH_OPTIONS: dict[str, Callable[[Mapping[str, Any]], Callable[..., Any]]] = {
    "Any": lambda options: _with(np.any, options, "axis", "keepdims"),
    "Concatenate": lambda options: lambda *arrays: np.concatenate(arrays, options["axis"]),
    "ExpandDims": lambda options: _with(np.expand_dims, options, "axis"),
    "OnesLike": lambda options: np.ones_like,
    "ZerosLike": lambda options: np.zeros_like,
}
KNOWN = (*OPERATORS, *WITH_OPTIONS)


def _with(function: Callable[..., Any], options: Mapping[str, Any], *names: str) -> Any:
    """A function with some options of a config."""
    given = {name: options[name] for name in names if name in options}
    if isinstance(given.get("axis"), list):
        given["axis"] = tuple(given["axis"])
    return lambda x: function(x, **given)


def is_operator(entry: Mapping[str, Any]) -> bool:
    """Whether a step of a functional config is an operator and not a layer."""
    return str(entry.get("module")).startswith("keras.src.ops")


def bound(name: str, options: Mapping[str, Any], arguments: list[Any]) -> Callable[..., np.ndarray]:
    """An operator as a function of its tensors alone.

    Args:
        name: One of `KNOWN`.
        options: Its config.
        arguments: What the operator is called with: `TENSOR` for each tensor, or a constant from
            `constant`.
    """
    function = WITH_OPTIONS[name](options) if name in WITH_OPTIONS else OPERATORS[name]
    places = [place for place, argument in enumerate(arguments) if argument is TENSOR]
    if places == list(range(len(arguments))):
        return function
    if places == [0] and len(arguments) == 2:
        return lambda x, second=arguments[1]: function(x, second)
    if places == [1] and len(arguments) == 2:
        return lambda x, first=arguments[0]: function(first, x)
    raise DataError(
        f"The config of an operator {name} is damaged.",
        expected="one or two arguments, with a tensor among them",
        received=f"{len(arguments)} arguments",
    )


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


def keeps_rows_apart(
    name: str, options: Mapping[str, Any], arguments: list[Any], ranks: list[int]
) -> bool:
    """Whether each row of the output depends only on the same row of the inputs.

    Args:
        name: One of `KNOWN`.
        options: Its config.
        arguments: As for `bound`.
        ranks: The number of axes of each tensor.
    """
    if name == "GetItem":
        index = arguments[1]
        first = index[0] if isinstance(index, tuple) and index else index
        return isinstance(first, slice) and first == slice(None)
    if name == "Matmul":
        constant_last = arguments[-1] is not TENSOR and min(ranks) >= 2
        return constant_last or (len(ranks) == 2 and ranks[0] == ranks[1] >= 3)
    if name in WITH_OPTIONS and not name.endswith("Like"):
        axis = options.get("axis")
        return isinstance(axis, int) and axis % (ranks[0] + (name == "ExpandDims")) != 0
    constants = [argument for argument in arguments if argument is not TENSOR]
    return len(set(ranks)) == 1 and all(np.ndim(value) < ranks[0] for value in constants)
