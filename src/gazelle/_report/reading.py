"""A run folder becomes a model again: nothing is built that its files do not bring the weights for."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from gazelle._core.context import variable_budget
from gazelle._core.errors import ArgumentError
from gazelle._files.reading import read_bytes
from gazelle._report import runs, schema
from gazelle._report.runs.jsonfile import MOST_BYTES, parse_json
from gazelle._report.runs.reading import damaged, reading
from gazelle.models import model_from_json
from gazelle.models.weights import require_built
from gazelle.saving.h5 import open_weights

MOST_LAYERS = 2_000
_SPARE = 16 << 20  # bytes for what the weights file does not hold: the state of metrics
_MOST_THRESHOLDS = 100_000


def read_model(folder: Path, config: schema.RunConfig | None = None) -> Any:
    """The trained model of a run folder, compiled.

    Its weights are held against the digests that they were written with; of weights that have none
    a warning says so.

    Args:
        folder: The run folder.
        config: What its `config.json` says; read when None.

    Raises:
        DataError: A file is missing or damaged, or they do not fit together.
        ArgumentError: The run has no model file.
    """
    config = config or runs.read_config(folder)
    path, weights = folder / runs.MODEL, folder / runs.WEIGHTS
    if not path.exists():
        raise ArgumentError(
            f"The run {folder} has no {runs.MODEL}.",
            expected="the architecture of its model",
            received=str(config.settings.get("model file", "no such file"))[:200],
            fix=f"make the model in Python and call model.load_weights({str(weights)!r})",
        )
    with reading(
        path, "a model of Gazelle's layers; one with layers of your own must be made in Python"
    ):
        text = read_bytes(path, MOST_BYTES).decode("utf-8")
        _check_size(parse_json(text))
    with open_weights(weights) as file:
        stored = sum(spec.nbytes for specs in file.specs.values() for spec in specs)
        verified = file.has_digests
    stored = min(
        stored, (64 << 20) + 20 * weights.stat().st_size
    )  # what is packed better was not written by Gazelle
    with (
        reading(path, "a model of Gazelle's layers that fits its weights"),
        variable_budget(stored + _SPARE),
    ):
        model = model_from_json(text)
        require_built(model, "reading a run")
    with reading(weights, "the weights of the model"):
        model.load_weights(weights)
    _check_answers(model, config, path)
    if not verified:
        warnings.warn(
            f"The weights {weights} are not verified: they hold no digests, so that damage cannot"
            " be seen.",
            stacklevel=2,
        )
    return model


def _check_size(config: Any) -> None:
    """Refuse a config with far too many layers or thresholds. No recursion: it may be nested as deep as it likes."""
    layers, waiting = 0, [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
            continue
        if not isinstance(value, dict):
            continue
        waiting.extend(value.values())
        inner = value.get("layers")
        layers += len(inner) if isinstance(inner, list) else 0
        thresholds = value.get("num_thresholds")
        if isinstance(thresholds, int | float) and thresholds > _MOST_THRESHOLDS:
            raise ValueError(f"a metric with {thresholds:,} thresholds")
        if layers > MOST_LAYERS:
            raise ValueError(f"more than {MOST_LAYERS:,} layers")


def _check_answers(model: Any, config: schema.RunConfig, path: Path) -> None:
    """Let the model answer one row of zeros: what config.json says of rows and classes must be true of it."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or not config.input_shape or config.task != "classification":
        return
    wanted = [n for n in inputs[0].shape[1:] if n != 1]
    given = [n for n in config.input_shape if n != 1]
    if len(wanted) != len(given) or any(
        w not in (None, g) for w, g in zip(wanted, given, strict=True)
    ):
        raise damaged(
            path,
            f"inputs {tuple(config.input_shape)}, as config.json says",
            f"inputs {inputs[0].shape[1:]}",
        )
    with reading(path, "a model that answers"):
        shape = model.predict(np.zeros((1, *config.input_shape), np.float32), verbose=0).shape
    names = len(config.class_names)
    if shape not in ((1, names), (1,) if names == 2 else (), (1, 1) if names == 2 else ()):
        raise damaged(
            path,
            f"one output for {names} classes, as config.json says",
            f"outputs of shape {shape[1:]}",
        )
