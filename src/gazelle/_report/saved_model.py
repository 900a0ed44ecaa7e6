"""Loading the model of a run folder, which may be damaged or hostile.

Nothing is built that is larger than the weights file allows.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.context import variable_budget
from gazelle._core.errors import ArgumentError
from gazelle._files.reading import read_bytes
from gazelle._formats.config_checks import check_config
from gazelle._formats.h5 import open_weights
from gazelle._formats.strict_json import json_values
from gazelle._report import runs, schema
from gazelle._report.runs.damage import damaged, reporting_damage
from gazelle._report.runs.jsonfile import MOST_BYTES
from gazelle.models import model_from_json

_STATE_BYTES = 16 << 20  # for variables that are not in the weights file: the state of metrics
_ALWAYS_ALLOWED = 64 << 20  # bytes of weights, whatever the size of their file
_MOST_RATIO = 20  # of weights to the bytes of their file; Gazelle's own files stay below it


def read_model(folder: Path, config: schema.RunConfig | None = None) -> Any:
    """Load the trained model of a run folder, compiled.

    The weights are compared with the digests in their file; a file without digests gets a warning.

    Args:
        folder: The run folder.
        config: Its `config.json`; None to read it.

    Raises:
        DataError: A file is missing or damaged, or the files do not match.
        ArgumentError: The run has no model file.
    """
    config = config or runs.read_config(folder)
    path, weights = folder / runs.MODEL, folder / runs.WEIGHTS
    if not path.exists():
        raise ArgumentError(
            f"The run {folder} has no {runs.MODEL}.",
            expected="the architecture of its model",
            received=str(config.settings.get("model file", "no such file"))[:200],
            fix=f"build the model in Python and call model.load_weights({str(weights)!r})",
        )
    with open_weights(weights) as file:
        stored = sum(spec.nbytes for specs in file.specs.values() for spec in specs)
        arrays = sum(map(len, file.specs.values()))
        has_digests = file.has_digests
    with reporting_damage(
        path, "a model of Gazelle's layers; one with layers of your own must be built in Python"
    ):
        content = read_bytes(path, MOST_BYTES)
        check_config(json_values(content, only_finite=True), path.name, arrays)
    allowed = _ALWAYS_ALLOWED + _MOST_RATIO * weights.stat().st_size
    with (
        reporting_damage(path, "a model of Gazelle's layers that matches its weights"),
        variable_budget(min(stored, allowed) + _STATE_BYTES),
    ):
        model = model_from_json(content.decode("utf-8-sig"))
        if not model.built:
            raise ValueError("a model without an input shape")
    with reporting_damage(weights, "the weights of the model"):
        model.load_weights(weights)
    _check_shapes(model, config, path)
    if not has_digests:
        warnings.warn(
            f"The weights {weights} cannot be verified: the file has no digests, so damage would go"
            " unnoticed.",
            stacklevel=2,
        )
    return model


def _check_shapes(model: Any, config: schema.RunConfig, path: Path) -> None:
    """Check that the input and output shape of a classifier match `config.json`."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or not config.input_shape or config.task != "classification":
        return
    shape = inputs[0].shape[1:]
    if not _matches(shape, config.input_shape):
        raise damaged(
            path,
            f"inputs of shape {tuple(config.input_shape)}, as in config.json",
            f"inputs of shape {shape}",
        )
    with reporting_damage(path, "a model that can predict"):
        zeros = np.zeros((1, *config.input_shape), np.float32)
        shape = model.predict(zeros, verbose=0).shape
    names = len(config.class_names)
    expected = [(1, names)]
    if names == 2:
        expected += [(1,), (1, 1)]  # a single output is the probability of the second class
    if shape not in expected:
        raise damaged(
            path,
            f"outputs for {names} classes, as in config.json",
            f"outputs of shape {shape[1:]}",
        )


def _matches(shape: Sequence[int | None], recorded: Sequence[int]) -> bool:
    """Whether a shape matches the recorded one; axes of size 1 do not count, None matches all."""
    sizes = [size for size in shape if size != 1]
    others = [size for size in recorded if size != 1]
    if len(sizes) != len(others):
        return False
    return all(size in (None, other) for size, other in zip(sizes, others, strict=True))
