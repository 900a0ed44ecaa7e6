"""Names of `keras.utils` and the files that it had."""

from __future__ import annotations

import binascii
import codecs
import inspect
import marshal
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from gazelle.utils import get_source_inputs

__all__ = [
    "categorical_probas_to_classes",
    "func_dump",
    "func_load",
    "get_source_inputs",
    "has_arg",
    "make_batches",
    "model_to_dot",
    "print_summary",
    "probas_to_classes",
    "slice_arrays",
    "to_list",
    "to_ordinal",
    "unpack_singleton",
]


def has_arg(fn: Callable[..., Any], name: str, accept_all: bool = False) -> bool:
    """Whether a function can be called with `name=`.

    Args:
        fn: The function.
        name: The argument.
        accept_all: The answer for a function with `**kwargs`.
    """
    parameters = inspect.signature(fn).parameters
    if name not in parameters:
        kinds = [parameter.kind for parameter in parameters.values()]
        return accept_all and inspect.Parameter.VAR_KEYWORD in kinds
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return parameters[name].kind in by_name


def func_dump(func: Any) -> tuple[str, Any, Any]:
    """The code (base64), the defaults and the closure of a function, as Keras 2 wrote them."""
    code = codecs.encode(marshal.dumps(func.__code__), "base64").decode("ascii")
    closure = tuple(cell.cell_contents for cell in func.__closure__) if func.__closure__ else None
    return code, func.__defaults__, closure


def func_load(code: Any, defaults: Any = None, closure: Any = None, globs: Any = None) -> Any:
    """A function from `func_dump`. It runs code: never call it on what a file holds."""
    if isinstance(code, tuple | list):
        code, defaults, closure = code
        defaults = tuple(defaults) if isinstance(defaults, list) else defaults
    try:
        dumped = codecs.decode(code.encode("ascii"), "base64")
    except (UnicodeEncodeError, binascii.Error):  # before Keras 2.1.2
        dumped = code.encode("raw_unicode_escape")
    compiled = marshal.loads(dumped)
    cells = None if closure is None else tuple(_as_cell(value) for value in closure)
    names = globals() if globs is None else globs
    return types.FunctionType(compiled, names, compiled.co_name, defaults, cells)


def _as_cell(value: Any) -> Any:
    return value if isinstance(value, types.CellType) else types.CellType(value)


def make_batches(size: int, batch_size: int) -> list[tuple[int, int]]:
    """The first row of each batch and the row after its last."""
    return [(start, min(size, start + batch_size)) for start in range(0, size, batch_size)]


def slice_arrays(arrays: Any, start: Any = None, stop: int | None = None) -> Any:
    """Rows of an array or of each array of a list.

    Args:
        arrays: An array, or a list of arrays and None.
        start: The first row, or a list of rows.
        stop: The row after the last.
    """
    if arrays is None:
        return [None]
    rows = start if hasattr(start, "__len__") else slice(start, stop)
    if isinstance(arrays, list):
        return [None if array is None else np.asarray(array)[rows] for array in arrays]
    return np.asarray(arrays)[rows]


def to_list(x: Any, allow_tuple: bool = False) -> list[Any]:
    """`x` as a list; a list as it is."""
    if isinstance(x, list) or (allow_tuple and isinstance(x, tuple)):
        return list(x)
    return [x]


def unpack_singleton(x: Any) -> Any:
    """The only item of a list of one; anything else as it is."""
    return x[0] if isinstance(x, list | tuple) and len(x) == 1 else x


def probas_to_classes(y_pred: Any) -> Any:
    """The most probable class of each row; with one column, whether it is above 0.5."""
    y_pred = np.asarray(y_pred)
    if y_pred.ndim > 1 and y_pred.shape[1] > 1:
        return y_pred.argmax(axis=1)
    return np.array([1 if p > 0.5 else 0 for p in y_pred.ravel()])


def categorical_probas_to_classes(p: Any) -> Any:
    """The most probable class of each row."""
    return np.argmax(p, axis=1)


def to_ordinal(y: Any, num_classes: int | None = None, dtype: str = "float32") -> Any:
    """Whether each label is above 0, 1, ...: `(samples, classes - 1)`."""
    labels = np.asarray(y, dtype="int").ravel()
    classes = num_classes or int(labels.max()) + 1
    return (labels[:, None] > np.arange(classes - 1)).astype(dtype)


def print_summary(model: Any, line_length: int | None = None, **options: Any) -> None:
    """`model.summary()`."""
    model.summary(line_length=line_length, **options)


class _Drawing:
    """What `model_to_dot` gave: an object that can be shown and written."""

    def __init__(self, model: Any, options: dict[str, Any]):
        self.model, self.options = model, options

    def create(self, prog: str | None = None, format: str = "svg") -> bytes:
        """The drawing as a file of this format."""
        import os
        import tempfile

        from gazelle.utils import plot_model

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, f"model.{format}")
            plot_model(self.model, path, **self.options)
            with open(path, "rb") as file:
                return file.read()


def model_to_dot(model: Any, show_shapes: bool = False, **options: Any) -> Any:
    """A drawing of a model, which `create(format="svg")` gives as a file; without graphviz."""
    return _Drawing(model, {"show_shapes": show_shapes})
