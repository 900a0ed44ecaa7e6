"""Whole models in the old `.h5` files, as the config and the arrays of a `.keras` file."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, ModelFileError
from gazelle._formats.config_checks import check_config
from gazelle._formats.legacy_h5 import LegacyFile, open_legacy
from gazelle._formats.old_configs import OldConfigs, weight_name
from gazelle.runtime._configs import Entry, groups

Arrays = dict[str, list[np.ndarray]]
# The weights of a layer of Keras's are in this order.
_ORDER = ("kernel", "gamma", "bias", "beta", "moving_mean", "moving_variance")


def read_legacy(path: str | os.PathLike[str]) -> tuple[Any, Arrays]:
    """The config and the arrays by the paths of Keras 3's weights files.

    Raises:
        DataError: The file is damaged, is not a whole model, or does not say to which layer of a
            model within the model an array belongs.
    """
    with open_legacy(path) as file:
        config = file.config()
        if config is None:
            raise _refused(file, "model_config", "weights alone, without a config")
        entry = OldConfigs(file.label, file.version).model(config)
        entry["config"].setdefault("name", "model")  # Keras 1 did not say it
        check_config(entry, file.label, sum(map(len, file.specs.values())))
        return entry, _arrays(entry, file)


def _refused(file: LegacyFile, where: str, found: str) -> ModelFileError:
    return ModelFileError(
        "h5-mismatch",
        file=file.label,
        where=where,
        found=found,
        expected="a whole model, each array of one layer",
        fix="load it with load_model and save it to a .keras file",
    )


def _arrays(entry: Entry, file: LegacyFile) -> Arrays:
    top = file.top_level()
    if top is not None and file.keys[top]:
        raise _refused(file, top, "weights that are in none of the layers")
    arrays: Arrays = {}
    leaves: dict[str, dict[str, str]] = {}  # layer of the model -> its layers -> their paths
    for key, path in groups(entry, (), "", set()):
        if not key:
            continue
        first, name = key[0], key[len(key) - 1]
        within = leaves.setdefault(first, {})
        if name in within and len(key) > 1:
            raise _refused(file, first, f"two layers named {name} within it")
        within[name] = path
    for name, group in file.layers.items():
        if file.keys[group] and name not in leaves:
            raise DataError(
                f"{file.label}: the layer {name!r} of the file is not in its config.",
                fix="save the model again",
            )
        arrays |= _shared_out(file, group, name, leaves.get(name, {}))
    return arrays


def _shared_out(file: LegacyFile, group: str, name: str, paths: dict[str, str]) -> Arrays:
    """The arrays of one layer, or of the layers of a model within the model."""
    arrays: Arrays = {}
    last: dict[str, int] = {}
    for key, value in zip(file.keys[group], file.read(group), strict=True):
        owner, weight = weight_name(key)
        if len(paths) == 1:
            owner = name
        if owner not in paths:
            raise _refused(file, f"{group}/{key}", "an array of a layer that is not there")
        place = _ORDER.index(weight) if weight in _ORDER else -1
        if 0 <= place < last.get(owner, -1):
            raise _refused(file, group, f"weights in another order than {', '.join(_ORDER)}")
        last[owner] = max(place, last.get(owner, -1))
        arrays.setdefault(paths[owner], []).append(value)
    return arrays
