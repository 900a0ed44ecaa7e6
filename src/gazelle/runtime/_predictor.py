"""Predictor, the function that a loaded model is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from gazelle._core.errors import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    GazelleError,
    ShapeError,
    reason,
)
from gazelle.runtime._configs import Source, flat, map_structure
from gazelle.runtime._program import Program, fits

# The limits of a block: without blocks, a network of 64, 100 and 10 units needed 100 MiB more for
# 200,000 rows, and a quarter more time.
_LEAST_ROWS = 256
_MOST_NUMBERS = 1 << 19  # of the widest value


class Predictor:
    """A saved model as a function of NumPy arrays; made by `gazelle.runtime.load`.

    It has no state that a call changes, so several threads may call it.

    Attributes:
        input_shapes: Name of each input -> its shape, the batch axis first, None for any size.
    """

    def __init__(self, program: Program):
        self._inputs = program.inputs
        self._sources: list[Source] = flat(program.inputs)
        self._outputs = program.outputs
        self._slots: list[int] = flat(program.outputs)
        self._shared = program.shared
        self._slots_in_all = program.slots
        self._steps = [(step.function, step.sources, step.target) for step in program.steps]
        self._chain = _chain(program)
        self._most_rows = max(_LEAST_ROWS, _MOST_NUMBERS // max(program.widest, 1))
        if not program.rows_apart:
            self._most_rows = sys.maxsize
        self.input_shapes = {source.name: source.shape for source in self._sources}

    def __repr__(self) -> str:
        return f"<Predictor of inputs {self.input_shapes}>"

    def __call__(self, inputs: Any) -> Any:
        """The outputs of the model for `inputs`, which are not changed.

        Args:
            inputs: An array, or a list or dict of arrays in the structure of the model's inputs.
                A dict may also name the inputs. The batch axis comes first, `(rows, ...)`. Values
                are converted to the dtype of each input.

        Returns:
            New NumPy arrays in the structure of the model's outputs, `(rows, ...)`: float32, or
            float64 for layers with a float64 policy.

        Raises:
            ShapeError: The number of inputs, a shape, or the number of rows does not match.
            ArgumentTypeError: An input does not hold numbers.
            ArgumentError: A dict misses an input.
            DataError: Numbers that are too large for the dtype of an input.

        Example:
            >>> import gazelle
            >>> predictor = gazelle.runtime.load("m.keras")  # doctest: +SKIP
            >>> predictor(numpy.zeros((1, 4))).shape  # doctest: +SKIP
            (1, 3)
        """
        given = [inputs] if isinstance(inputs, np.ndarray) else self._given(inputs)
        if len(given) != len(self._sources):
            raise self._wrong_number(len(given))
        values = [
            _entered(value, source) for value, source in zip(given, self._sources, strict=True)
        ]
        rows = len(values[0])
        if len(values) > 1:
            _check_rows(values, self._sources)
        if rows <= self._most_rows:
            outputs = self._run(values)
            for place in self._shared:
                outputs[place] = outputs[place].copy()
        else:
            outputs = self._run_blocks(values, rows)
        if len(outputs) == 1 and not isinstance(self._outputs, dict):
            return outputs[0]
        ordered = iter(outputs)
        return map_structure(lambda slot: next(ordered), self._outputs)

    def _run(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """The outputs of some rows; they may share memory with the inputs."""
        try:
            with np.errstate(all="ignore"):
                return self._computed(inputs)
        except GazelleError:
            raise
        except (ValueError, IndexError) as error:  # only where an axis may be of any size
            raise ShapeError(
                "The shape of the data does not match the layers of the model.",
                expected=f"one of {self.input_shapes} that they can compute",
                received=f"{[array.shape for array in inputs]}: {reason(error)}",
                fix="pass data of another size along the axes of size None",
            ) from None

    def _computed(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        if self._chain is not None:
            x = inputs[0]
            for function in self._chain:
                x = function(x)
            return [x]
        values: list[Any] = [*inputs, *[None] * (self._slots_in_all - len(inputs))]
        for function, sources, target in self._steps:
            values[target] = function(*[values[source] for source in sources])
        return [values[slot] for slot in self._slots]

    def _run_blocks(self, inputs: list[np.ndarray], rows: int) -> list[np.ndarray]:
        """The outputs of many rows: blocks of them need less memory and stay in the caches."""
        wholes: list[np.ndarray] = []
        for start in range(0, rows, self._most_rows):
            block = slice(start, start + self._most_rows)
            parts = self._run([array[block] for array in inputs])
            wholes = wholes or [np.empty((rows, *part.shape[1:]), part.dtype) for part in parts]
            for whole, part in zip(wholes, parts, strict=True):
                whole[block] = part
        return wholes

    def _given(self, inputs: Any) -> list[Any]:
        """The values for the inputs, in their order."""
        structure = self._inputs
        if isinstance(inputs, dict) and not isinstance(structure, dict):
            return _by_keys(inputs, [source.name for source in self._sources])
        if isinstance(structure, Source):
            is_list = isinstance(inputs, list | tuple) and len(inputs) == 1
            wraps = is_list and np.ndim(inputs[0]) == len(structure.shape)
            return [inputs[0] if wraps else inputs]
        return self._matched(structure, inputs)

    def _matched(self, structure: Any, inputs: Any) -> list[Any]:
        """The values in the order of the structure's leaves."""
        if isinstance(structure, Source):
            return [inputs]
        if isinstance(structure, dict):
            if not isinstance(inputs, dict):
                raise ArgumentTypeError(
                    "The inputs of the model are a dict.",
                    expected=f"a dict with the keys {sorted(structure)}",
                    received=type(inputs).__name__,
                    fix="pass a dict of arrays",
                )
            keys = sorted(structure)
            pairs = zip((structure[key] for key in keys), _by_keys(inputs, keys), strict=True)
        else:
            if not isinstance(inputs, list | tuple) or len(inputs) != len(structure):
                raise self._wrong_number(len(inputs) if isinstance(inputs, list | tuple) else 1)
            pairs = zip(structure, inputs, strict=True)
        return [value for inner, given in pairs for value in self._matched(inner, given)]

    def _wrong_number(self, received: int) -> ShapeError:
        names = [source.name for source in self._sources]
        return ShapeError(
            "The model got the wrong number of inputs.",
            expected=f"{len(names)}: {names}",
            received=received,
            fix="pass a list with one array per input, or a dict by their names",
        )


def _by_keys(inputs: dict[str, Any], keys: list[str]) -> list[Any]:
    missing = [key for key in keys if key not in inputs]
    if missing:
        raise ArgumentError(
            f"The data misses the inputs {missing}.", expected=keys, received=sorted(inputs)
        )
    return [inputs[key] for key in keys]


def _chain(program: Program) -> list[Any] | None:
    """The functions of a model that calls one after the other, or None for other models."""
    previous = 0
    for step in program.steps:
        if step.sources != (previous,):
            return None
        previous = step.target
    is_chain = isinstance(program.inputs, Source) and program.outputs == previous
    return [step.function for step in program.steps] if is_chain else None


def _entered(value: Any, source: Source) -> np.ndarray:
    """One input with the rank and dtype of its `Input`."""
    if hasattr(value, "toarray"):
        value = value.toarray()  # a sparse matrix of SciPy
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(
            f"The input {source.name!r} is not an array.",
            expected=f"shape {source.shape} (None means any size)",
            received=reason(error),
            fix="pass rows of equal length",
        ) from None
    if array.dtype != source.dtype:
        array = _converted(array, source)
    if fits(array.shape, source.shape):
        return array
    found, wanted = array.shape, source.shape
    if len(found) == len(wanted) - 1 and wanted[-1] == 1:
        array = array[..., None]
    elif len(found) == len(wanted) + 1 and found[-1] == 1:
        array = array[..., 0]
    if fits(array.shape, wanted):
        return array
    is_one = fits((1, *found), wanted)
    raise ShapeError(
        f"The input {source.name!r} has the wrong shape.",
        expected=f"shape {wanted} (None means any size)",
        received=f"shape {found}",
        fix=(
            "pass a batch of rows; a single one becomes a batch with x[numpy.newaxis]"
            if is_one
            else f"pass data of shape {tuple(wanted[1:])} per row"
        ),
    )


def _converted(array: np.ndarray, source: Source) -> np.ndarray:
    """An array in the dtype of an input."""
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ArgumentTypeError(
            f"The input {source.name!r} does not hold numbers.",
            expected="numbers",
            received=f"dtype {array.dtype}",
            fix="encode text as numbers first",
        )
    try:
        with np.errstate(over="raise", invalid="raise"):
            converted = array.astype(source.dtype)
    except FloatingPointError:
        converted = None
    both_whole = array.dtype.kind in "iu" and source.dtype.kind in "iu"
    if converted is None or (both_whole and not np.array_equal(converted, array)):
        raise DataError(
            f"The input {source.name!r} has numbers that {source.dtype} cannot hold.",
            expected=f"numbers in the range of {source.dtype}",
            received=f"an array of dtype {array.dtype}",
            fix="correct or rescale the data",
        )
    return converted


def _check_rows(arrays: Sequence[np.ndarray], sources: Sequence[Source]) -> None:
    rows = {source.name: len(array) for array, source in zip(arrays, sources, strict=True)}
    if len(set(rows.values())) > 1:
        raise ShapeError(
            "The inputs have different numbers of rows.", expected="equal numbers", received=rows
        )
