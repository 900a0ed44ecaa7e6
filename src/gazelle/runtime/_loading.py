"""Loading a saved model as a `Predictor`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gazelle._core.errors import ArgumentError, DataError, GazelleError, reason, short
from gazelle._files.reading import read_bytes
from gazelle._formats.config_checks import check_config
from gazelle._formats.h5 import read_weights
from gazelle._formats.keras_file import open_keras_file
from gazelle._formats.legacy_h5 import is_legacy_name
from gazelle._formats.strict_json import json_values
from gazelle.runtime._legacy import read_legacy
from gazelle.runtime._predictor import Predictor
from gazelle.runtime._program import Program

_MOST_CONFIG = 64 << 20  # bytes

Path = str | os.PathLike[str]


def load(path: Path, config: Path | Mapping[str, Any] | None = None) -> Predictor:
    """A saved model as a function of NumPy arrays, without JAX.

    Models with layers of Gazelle, functional or sequential, are known. The arithmetic is float32,
    or float64 for layers with a float64 policy; it is float32 also for layers with the policies
    float16, bfloat16, mixed_float16 and mixed_bfloat16, which round to the shorter type elsewhere.

    Args:
        path: A `.keras` file, a folder of Keras's, an old `.h5` or `.hdf5` file with a whole model,
            or with `config` a `.weights.h5` file.
        config: The model's config: what `to_json` returned, as text, as a dict or as the path of a
            file; None for a `.keras` file, which has its own.

    Returns:
        A function from arrays to arrays.

    Raises:
        DataError: A file cannot be read or is damaged; the config names a layer, activation or
            operator that is not known, such as a class of a user's; or the weights do not match the
            config.
        ArgumentError: A weights file without a config, or a `.keras` file with one.

    Example:
        >>> import gazelle
        >>> predictor = gazelle.runtime.load("m.keras")  # doctest: +SKIP
        >>> predictor(numpy.zeros((1, 4)))  # doctest: +SKIP
        array([[0.2, 0.5, 0.3]], dtype=float32)
    """
    is_old = is_legacy_name(os.fspath(path))
    is_whole = is_old or os.fspath(path).endswith(".keras") or os.path.isdir(path)
    if is_whole != (config is None):
        raise ArgumentError(
            "A whole model has its own config." if is_whole else "A weights file has no config.",
            expected="a .keras file, or a .weights.h5 file with its config",
            received=short(os.fspath(path)),
            fix="leave config= out" if is_whole else "pass config=model.to_json()",
        )
    try:
        if is_old:
            entry, arrays = read_legacy(path)
        elif config is None:
            entry, arrays = _read_keras_file(path)
        else:
            entry, arrays = _read_config(config), read_weights(path)
        program = Program(entry, arrays)
    except GazelleError as error:
        error.args = (f"{short(os.fspath(path), 200)}: {error}",)
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise DataError(
            f"{short(os.fspath(path), 200)}: the config of the model is damaged.",
            expected="what to_json returns",
            received=reason(error),
            fix="save the model again",
        ) from None
    return Predictor(program)


def _read_keras_file(path: Path) -> tuple[Any, dict[str, list[np.ndarray]]]:
    """The config and the weights in a `.keras` file."""
    with open_keras_file(path) as file:
        weights = file.weights
        check_config(file.config, file.label, sum(map(len, weights.specs.values())))
        return file.config, {group: weights.read(group) for group in weights.specs}


def _read_config(config: Path | Mapping[str, Any]) -> Any:
    if isinstance(config, Mapping):
        return config
    text = os.fspath(config)
    if text.lstrip().startswith("{"):
        return _parsed(text)
    try:
        return _parsed(read_bytes(config, _MOST_CONFIG))
    except OSError as error:
        raise DataError(
            f"Cannot read the config {short(text)!r}.",
            expected="JSON text, or the path of a JSON file",
            received=reason(error),
            fix="check the path",
        ) from None


def _parsed(text: str | bytes) -> Any:
    try:
        return json_values(text.encode() if isinstance(text, str) else text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            "The config is not JSON.",
            expected="what to_json returns",
            received=reason(error),
            fix="save the model again",
        ) from None
