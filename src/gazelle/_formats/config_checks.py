"""Checks of a model's config before anything is made from it: no code, no excess, usable names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gazelle._core.errors import ModelFileError, short

_ALWAYS_LAYERS = 1_000
_LAYERS_PER_ARRAY = 20
_MOST_CALLS = 20_000
_MOST_THRESHOLDS = 1_000_000
_NAME = re.compile(r"[^/\x00-\x1f\x7f]{1,200}")
# Classes whose configs hold code, or the path of a file with code.
_CODE = (
    "__lambda__", "__typespec__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",
)  # fmt: skip


def with_functions(config: Any, functions: Mapping[str, Any]) -> Any:
    """A config in which the code of `Lambda` layers is replaced by the user's functions.

    Args:
        config: The config.
        functions: Functions by the names of the layers that apply them; others are ignored.
    """
    if not functions:
        return config
    if isinstance(config, list):
        return [with_functions(item, functions) for item in config]
    if not isinstance(config, dict):
        return config
    inner = config.get("config")
    if config.get("class_name") == "Lambda" and isinstance(inner, dict):
        name, function = inner.get("name"), inner.get("function")
        is_code = isinstance(function, dict) and function.get("class_name") == "__lambda__"
        if is_code and isinstance(name, str) and name in functions:
            named = {"module": "builtins", "class_name": "function", "config": name}
            return {**config, "config": {**inner, "function": named}}
    return {key: with_functions(value, functions) for key, value in config.items()}


def check_config(config: Any, label: str, arrays: int) -> None:
    """Refuse a config with code, far too many parts, or names that cannot be used.

    Args:
        config: The config of a model.
        label: The file, for messages.
        arrays: How many arrays the file has: layers without any are few.

    Raises:
        ModelFileError: The first thing that is not allowed, with its place in the config.
    """
    layers = calls = 0
    most_layers = _ALWAYS_LAYERS + _LAYERS_PER_ARRAY * arrays
    for place, value in _objects(config):
        name = value.get("class_name")
        if name in _CODE:
            raise _code(label, place, name)
        inner = value.get("layers")
        layers += len(inner) if isinstance(inner, list) else 0
        inbound = value.get("inbound_nodes")
        calls += len(inbound) if isinstance(inbound, list) else 0
        thresholds = value.get("num_thresholds")
        too_many = isinstance(thresholds, int | float) and thresholds > _MOST_THRESHOLDS
        if layers > most_layers or calls > _MOST_CALLS or too_many:
            found = f"{layers:,} layers, {calls:,} calls, {thresholds or 0:,} thresholds"
            raise _refused("budget", label, place, found, "a model that can be built")
        if "batch_shape" in value or "dtype" in value or "trainable" in value:
            _check_own(value, label, place)


def _check_own(config: dict[str, Any], label: str, place: str) -> None:
    """Check what every layer has: a name and whether it is trained."""
    name, trainable = config.get("name"), config.get("trainable")
    if name is not None and (
        not isinstance(name, str) or not _NAME.fullmatch(name) or name in (".", "..")
    ):
        raise _refused("field", label, f"{place}.name", repr(name), "a name without /")
    if trainable is not None and not isinstance(trainable, bool):
        raise _refused("field", label, f"{place}.trainable", repr(trainable), "true or false")


def _code(label: str, place: str, name: str) -> ModelFileError:
    fix = "no file can make Gazelle run code"
    if name == "__lambda__":
        fix = "pass custom_objects={name of the Lambda layer: function}"
    return _refused("code", label, place, f"code in a {name}", "data alone", fix)


def _refused(
    code: str, label: str, place: str, found: str, expected: str, fix: str = "save the model again"
) -> ModelFileError:
    return ModelFileError(
        f"config-{code}", file=label, where=place, found=found, expected=expected, fix=fix
    )


def _objects(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a config with its place, such as `config.layers[1].config`."""
    to_visit: list[tuple[str, Any]] = [("", config)]
    while to_visit:
        place, value = to_visit.pop()
        if isinstance(value, dict):
            yield place or "config.json", value
            dot = f"{place}." if place else ""
            to_visit += [(f"{dot}{short(key, 40)}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            to_visit += [(f"{place}[{index}]", inner) for index, inner in enumerate(value)]
