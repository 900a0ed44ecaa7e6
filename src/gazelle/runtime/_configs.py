"""Reading the config of a model: its layers, group paths, inputs and dtypes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, short
from gazelle._core.names import snake_case
from gazelle.runtime._layers import LAYERS, is_builtin
from gazelle.runtime._operators import OPERATORS, is_operator

Entry = Mapping[str, Any]
Key = tuple[str, ...]  # of a layer: the names of the models around it, and its own
Place = tuple[
    str, int, int
]  # of a tensor: a layer, the number of its call, the place in its outputs

MODELS = ("Functional", "Sequential")
ELSEWHERE = "predict with the model itself, in the library that saved it"

_SHORT_FLOATS = ("float16", "bfloat16")


@dataclass(frozen=True)
class Source:
    """One input of a model.

    Attributes:
        name: The name of its `Input`.
        shape: Its shape, None for axes of any size.
        dtype: The dtype that data is converted to.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype


def check_known(entry: Entry) -> None:
    """Refuse a config that names something that the runtime cannot compute.

    Raises:
        DataError: The first layer, model or operator that is not known.
    """
    kind = entry["class_name"]
    name = entry["config"].get("name")
    if is_operator(entry):
        if kind in OPERATORS:
            return
        what, known = "operator", OPERATORS
    elif is_builtin(entry) and kind in MODELS:
        for inner in entry["config"]["layers"]:
            check_known(inner)
        return
    elif is_builtin(entry) and kind in (*LAYERS, "InputLayer"):
        return
    else:
        what, known = "layer or model", (*LAYERS, *MODELS)
    registered = entry.get("registered_name")
    received = f"{short(kind, 60)}, named {short(name, 60)!r}"
    if kind == "Lambda":
        received += ", which needs Python code"
    elif not is_builtin(entry) and not is_operator(entry):
        received += f", a class of a user, registered as {short(registered, 60)!r}"
    raise DataError(
        f"gazelle.runtime has no {what} {short(kind, 60)!r}.",
        expected=f"one of {', '.join(sorted(known))}",
        received=received,
        fix=ELSEWHERE,
    )


def groups(entry: Entry, key: Key, path: str, seen: set[Key]) -> Iterator[tuple[Key, str]]:
    """The group path of each layer in a weights file.

    The layers of a model are numbered by class in the order of its config. A layer that occurs
    again keeps its first path, but is also counted where it occurs again.
    """
    if key in seen:
        return
    seen.add(key)
    yield key, path
    if entry["class_name"] not in MODELS or is_operator(entry):
        return
    counts: Counter[str] = Counter()
    for inner in entry["config"]["layers"]:
        if is_operator(inner):
            continue
        name = snake_case(inner["class_name"])
        below = f"{path}/layers/{name}".lstrip("/")
        if counts[name]:
            below += f"_{counts[name]}"
        counts[name] += 1
        yield from groups(inner, key_of(inner, key), below, seen)


def key_of(entry: Entry, around: Key) -> Key:
    """The key of a layer in the model of the key `around`."""
    return (*around, entry["config"]["name"])


def inputs_of(entry: Entry) -> Any:
    """The structure of a model's inputs: lists and dicts of `Source`, or one; None if unknown."""
    config = entry["config"]
    if entry["class_name"] == "Sequential":
        first = config["layers"][0] if config["layers"] else {}
        if first.get("class_name") == "InputLayer":
            return _source(first)
        if isinstance(config.get("build_input_shape"), list):
            shape = tuple(config["build_input_shape"])
            return Source("the input", shape, np.dtype(np.float32))
        return None
    layers = {inner["config"]["name"]: inner for inner in config["layers"]}
    if len(layers) < len(config["layers"]):
        raise DataError("The config is damaged: two layers of a model have the same name.")
    return map_places(lambda place: _source(layers[place[0]]), config["input_layers"])


def output_places(config: Mapping[str, Any]) -> Any:
    """The structure of a functional model's outputs: the place of each, its calls counted from 0.

    Keras counts the calls of functional models from 1 here, and from 0 elsewhere.
    """
    kinds = {inner["config"]["name"]: inner["class_name"] for inner in config["layers"]}
    return map_places(
        lambda place: (place[0], place[1] - (kinds.get(place[0]) == "Functional"), place[2]),
        config["output_layers"],
    )


def _source(entry: Entry) -> Source:
    config = entry["config"]
    name, dtype = config.get("dtype") or "float32", None
    if isinstance(name, str):
        dtype = np.dtype(np.float32 if name in _SHORT_FLOATS else name)
    if dtype is None or dtype.kind not in "biuf":
        raise DataError(
            f"gazelle.runtime has no inputs of dtype {short(name, 60)}.",
            expected="numbers",
            received=short(config.get("name")),
            fix=ELSEWHERE,
        )
    return Source(config["name"], tuple(config["batch_shape"]), dtype)


def dtype_of(entry: Entry) -> np.dtype:
    """The dtype of a layer's arithmetic: float64 or float32.

    Raises:
        DataError: The layer is quantized, or has another policy that is not known.
    """
    given = entry["config"].get("dtype")
    name = given
    if isinstance(given, dict):
        name = given["config"]["name"] if given["class_name"] == "DTypePolicy" else None
    if given is not None and (not isinstance(name, str) or "_from_" in name):
        raise DataError(
            f"gazelle.runtime does not know the dtype policy of {entry['config'].get('name')!r}.",
            expected="the name of a dtype",
            received=short(given),
            fix=ELSEWHERE,
        )
    return np.dtype(np.float64 if name == "float64" else np.float32)


# ---- Structures: lists, and dicts in the order of their sorted keys ----


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """`function` of every leaf, in the same structure."""
    if isinstance(structure, dict):
        return {key: map_structure(function, structure[key]) for key in sorted(structure)}
    if isinstance(structure, list):
        return [map_structure(function, item) for item in structure]
    return function(structure)


def flat(structure: Any) -> list[Any]:
    """The leaves of a structure."""
    leaves: list[Any] = []
    map_structure(leaves.append, structure)
    return leaves


def map_places(function: Callable[[Place], Any], structure: Any) -> Any:
    """`function` of every `[layer, call, output]` in a structure of a config."""
    if isinstance(structure, dict):
        return {key: map_places(function, structure[key]) for key in sorted(structure)}
    if len(structure) == 3 and isinstance(structure[0], str):
        return function(tuple(structure))
    return [map_places(function, item) for item in structure]


def unlisted(structure: Any) -> Any:
    """A list of one as the one."""
    return structure[0] if isinstance(structure, list) and len(structure) == 1 else structure
