"""gazelle inspect: what is in a model file, read without building anything from it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gazelle._core.errors import short
from gazelle._formats.h5 import WeightsFile, open_weights
from gazelle._formats.keras_file import KerasFile, open_keras_file
from gazelle._formats.kinds import HDF5
from gazelle._formats.legacy_h5 import LegacyFile, is_legacy_name, open_legacy
from gazelle.cli.tables import table

_WORDS = 60  # characters of a cell
_SETTINGS = (
    "units", "output_dim", "activation", "rate", "p", "axis", "target_shape", "scale",
    "batch_shape", "batch_input_shape",
)  # fmt: skip


def description(path: Path) -> str:
    """What is in a `.keras` file, a folder of Keras's, a `.weights.h5` file, or an old `.h5` file.

    All values are read once, and compared with the digests that the file has.

    Raises:
        ModelFileError: The file is missing or damaged, or is no model file.
    """
    if is_legacy_name(str(path)) and _is_hdf5(path):
        with open_legacy(path) as old:
            return "\n".join(_old_description(path, old))
    if _is_hdf5(path):
        with open_weights(path) as weights:
            lines = [f"{path}: weights, {_size(path)}", _verified(weights, weights.has_digests)]
            return "\n".join([*lines, "", _arrays(weights)])
    with open_keras_file(path) as file:
        lines = [f"{path}: a whole model, {_size(path)}", f"Written by {_writer(file)}."]
        lines.append(_verified(file.weights, file.is_verified))
        layers = [["layer", "kind", "settings"], *_layers(file.config)]
        compiled = _compiled(file.config.get("compile_config"))
        return "\n".join([*lines, compiled, "", table(layers, _WORDS), "", _arrays(file.weights)])


def _old_description(path: Path, file: LegacyFile) -> Iterator[str]:
    config, training = file.config(), file.config("training_config")
    what = "weights" if config is None else "a whole model"
    yield f"{path}: {what} in the old format of Keras, {_size(path)}"
    writer = f"{short(file.writer, 40)}, in the format of " if file.writer else ""
    yield f"Written by {writer}Keras {short(file.version, 30)}."
    yield _verified(file, file.has_digests)
    if isinstance(config, dict):
        if isinstance(training, dict):
            training = {**training, "optimizer": training.get("optimizer_config")}
        layers = [["layer", "kind", "settings"], *_layers(config)]
        yield from (_compiled(training), "", table(layers, _WORDS))
    yield from ("", _arrays(file))


def _is_hdf5(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(HDF5)) == HDF5


def _size(path: Path) -> str:
    files = [path] if path.is_file() else [inner for inner in path.iterdir() if inner.is_file()]
    return _bytes(sum(os.path.getsize(file) for file in files))


def _bytes(count: int) -> str:
    return f"{count:,} bytes" if count < 100_000 else f"{count / 1e6:,.1f} MB"


def _writer(file: KerasFile) -> str:
    version = short(file.metadata.get("keras_version", "an unknown version"), 30)
    if "written_by" in file.metadata:
        return f"{short(file.metadata['written_by'], 40)}, in the format of Keras {version}"
    return f"Keras {version}"


def _verified(weights: WeightsFile | LegacyFile, is_verified: bool) -> str:
    """Reads all values, and says whether they were compared with digests."""
    for group in weights.specs:
        weights.read(group)
    if is_verified:
        return "Verified: everything is as it was written."
    return "Not verified: the file has no digests, as Keras writes it; it can be read."


def _compiled(config: Any) -> str:
    if not isinstance(config, dict) or (config.get("optimizer"), config.get("loss")) == (
        None,
        None,
    ):
        return "Not compiled."
    parts = [f"{key} {_name(config.get(key))}" for key in ("optimizer", "loss", "metrics")]
    return f"Compiled: {', '.join(parts)}."


def _name(value: Any) -> str:
    """An object of a config in a few words."""
    if isinstance(value, dict) and "class_name" in value:
        inner = value.get("config")
        return short(inner if isinstance(inner, str) else value["class_name"], 40)
    if isinstance(value, list):
        return "[" + ", ".join(_name(item) for item in value[:8]) + "]"
    return short(value, 40)


def _layers(config: dict[str, Any], indent: str = "") -> Iterator[list[str]]:
    """A row for the model and for every layer in it."""
    inner = config.get("config")
    if isinstance(inner, list):  # a Sequential of Keras 1
        inner = {"layers": inner}
    inner = inner if isinstance(inner, dict) else {}
    settings = [f"{key} {_name(inner[key])}" for key in _SETTINGS if inner.get(key) is not None]
    name = indent + short(inner.get("name", "-"), 30)
    yield [name, short(config.get("class_name"), 30), ", ".join(settings)]
    layers = inner.get("layers")
    for layer in layers if isinstance(layers, list) else []:
        if isinstance(layer, dict):
            yield from _layers(layer, f"{indent}  ")


def _layers_first(item: tuple[str, Any]) -> tuple[bool, list[tuple[int, str]]]:
    """A key by which layers come before the optimizer, and `dense_2` before `dense_10`."""
    parts = re.split(r"(\d+)", item[0])
    return item[0].startswith("optimizer"), [(int(p) if p.isdigit() else -1, p) for p in parts]


def _place(group: str, key: str) -> str:
    """The place of an array; in an old file, without the parts that name its layer again."""
    *above, last = key.partition(":")[0].split("/")
    layer = group.rpartition("/")[2]
    if not above:
        return f"{group}/{key}" if group else key
    return "/".join([layer, *([] if above[-1] in layer else above[-1:]), last])


def _arrays(weights: WeightsFile | LegacyFile) -> str:
    rows = [["array", "shape", "type", "size"]]
    total = 0
    for group, specs in sorted(weights.specs.items(), key=_layers_first):
        for key, spec in zip(weights.keys[group], specs, strict=True):
            where = _place(group, key)
            rows.append([where, str(spec.shape), str(spec.dtype), _bytes(spec.nbytes)])
            total += spec.nbytes
    return f"{table(rows, _WORDS)}\n\n{len(rows) - 1} arrays, {_bytes(total)}"
