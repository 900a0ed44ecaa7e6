"""Rewrites the configs of Keras 1, Keras 2 and tf.keras in the form of Keras 3.

Also Keras 3 writes the older form into `.h5` files. What is not old stays as it is. Names are
changed by the tables of `old_names`; nothing is made from a config here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gazelle._core.errors import ModelFileError, reason, short
from gazelle._formats.old_names import (
    ACTIVATIONS,
    ANY,
    ANY_OPTIMIZER,
    CHANGED_ACTIVATIONS,
    FUNCTION_WRAPPERS,
    LAYERS,
    LOSSES,
    MERGE_ARGUMENTS,
    MERGE_MODES,
    OF_EVERY_LAYER,
    OPERATORS,
    OPTIMIZER_CLASSES,
    PARTS,
    REDUCTIONS,
    WEIGHTS,
    Renamed,
)

_MODULES = {
    "Functional": "keras.src.models.functional",
    "Model": "keras.src.models.functional",
    "Sequential": "keras",
}
_MODELS = tuple(_MODULES)
_KERAS = ("builtins", "keras", "keras_core", "tensorflow", "tf_keras")  # whose modules they are
_OF_AN_ENTRY = ("class_name", "config", "name", "inbound_nodes", "build_config")
_PART_ENDINGS = ("_regularizer", "_constraint", "_initializer")
_COMPILE = (
    "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution",
    "jit_compile",
)  # fmt: skip
_CONSTANT = "_CONSTANT_VALUE"  # tf.keras's mark of an argument that is no tensor

Config = dict[str, Any]


@dataclass(frozen=True)
class OldConfigs:
    """Rewrites the configs of one file.

    Args:
        label: The file, for messages.
        version: The version of Keras that wrote it: `"2.2.4-tf"`.
        known: Names of classes and functions of the user's, which stay as they are.
    """

    label: str
    version: str = "1"
    known: Collection[str] = field(default_factory=tuple)

    def model(self, config: Any, training: Any = None) -> Config:
        """The config of a model.

        Args:
            config: The JSON values in `model_config`.
            training: Those in `training_config`; None for a model that is not compiled.

        Returns:
            What `serialize` gives for such a model.

        Raises:
            ModelFileError: The config is damaged, or says what no layer of Gazelle does.
        """
        where = "model_config"
        try:
            model = self._layer(_decoded(config))
            if training is not None:
                where = "training_config"
                model["compile_config"] = self._compiled(_decoded(training))
        except ModelFileError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            found, expected = f"damaged: {reason(error, 50)}", "a config as Keras writes it"
            raise self._refused(where, found, expected) from None
        return model

    def _refused(
        self,
        where: str,
        found: str,
        expected: str,
        fix: str = "save the model again",
        code: str = "field",
    ) -> ModelFileError:
        return ModelFileError(
            f"config-{code}",
            file=self.label,
            where=where,
            found=found,
            expected=expected,
            fix=fix,
        )

    @property
    def _is_old(self) -> bool:
        return re.match("[3-9]|[1-9][0-9]", self.version) is None

    # ---- Layers ----

    def _layer(self, entry: Any) -> Config:
        """The config of a layer, or of a model."""
        name = entry["class_name"]
        if not isinstance(name, str) or not isinstance(entry["config"], dict | list):
            found = f"{short(name, 30)} with {type(entry['config']).__name__}"
            raise self._refused("model_config", found, "a class_name and a config")
        entry, name = self._registered(entry)
        config = entry["config"]
        if isinstance(config, list):  # a Sequential of Keras 1 or of the first versions of Keras 2
            config = {"layers": config} | ({"name": entry["name"]} if "name" in entry else {})
        if _is_operator(entry):
            return {**entry, "module": "keras.src.ops.numpy", "registered_name": name}
        config = self._parts(config)
        if self._is_users(entry, name):
            config = {key: value for key, value in config.items() if key not in OF_EVERY_LAYER}
            return {**entry, "config": config}
        entry = {key: value for key, value in entry.items() if key in _OF_AN_ENTRY}
        entry["module"] = _MODULES.get(name, "keras.layers")
        if name == "Merge":
            return {**entry, **self._merge(config)}
        if name == "Lambda":
            config = self._lambda(config)
        if name == "Sequential":
            config = self._sequential(config)
        elif name in _MODELS and "layers" in config:
            config = self._functional(config)
        renamed = LAYERS.get(name, Renamed(name))
        config = self._with_new_names(config, renamed, name)
        if name != "InputLayer" or "batch_shape" in config:
            dropped = (*OF_EVERY_LAYER, "input_shape")
            config = {key: value for key, value in config.items() if key not in dropped}
        axis = config.get("axis")
        if renamed.name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
            config["axis"] = axis[0]
        return {**entry, "class_name": renamed.name, "config": config}

    def _registered(self, entry: Config) -> tuple[Config, str]:
        """An entry whose class is named `package>name` as Keras 3 does that."""
        package, mark, name = entry["class_name"].rpartition(">")
        if not mark or package == "keras":
            return ({**entry, "class_name": name} if mark else entry), name
        return {**entry, "class_name": name, "registered_name": f"{package}>{name}"}, name

    def _is_users(self, entry: Config, name: str) -> bool:
        """Whether a class is the user's, whose config stays as it is."""
        module, registered = entry.get("module"), entry.get("registered_name")
        is_elsewhere = isinstance(module, str) and module.partition(".")[0] not in _KERAS
        return name in self.known or registered not in (None, "", name) or is_elsewhere

    def _with_new_names(self, config: Config, renamed: Renamed, owner: str) -> Config:
        new = {key: value for key, value in renamed.added.items() if key not in config}
        for key, value in config.items():
            if key not in renamed.dropped:
                name = renamed.arguments.get(key, key)
                if name != key and name in config:
                    raise self._refused(
                        "model_config", f"{key} and {name} of {owner}", "one of them"
                    )
                new[name] = value
                continue
            allowed = renamed.dropped[key]
            if allowed is not ANY and value not in allowed:
                found = f"{key}={short(value, 20)} of {owner}"
                raise self._refused("model_config", found, f"{key}={allowed[0]}")
        return new

    def _parts(self, config: Config) -> Config:
        """A config whose activation, regularizers, initializers and the like have new names."""
        new = {}
        for key, value in config.items():
            if key == "activation" and isinstance(value, str):
                value = self._activation(value)
            elif key == "dtype" and isinstance(value, dict):
                value = _policy(value)
            elif key.endswith(_PART_ENDINGS) and isinstance(value, dict):
                value = self._part(key, value)
            new[key] = value
        return new

    def _activation(self, name: str) -> str:
        if name in CHANGED_ACTIVATIONS and self._is_old and name not in self.known:
            raise self._refused(
                "model_config",
                f"the activation {name} of Keras 2, {CHANGED_ACTIVATIONS[name]}",
                "one that is still computed in that way",
                f"pass custom_objects={{{name!r}: function}}",
                "class",
            )
        return ACTIVATIONS.get(name, name)

    def _part(self, key: str, part: Config) -> Config:
        if "class_name" in part:
            name, config = part["class_name"], part["config"]
        else:  # Keras 1
            name = part["name"]
            config = {inner: value for inner, value in part.items() if inner != "name"}
        if name in self.known or not isinstance(config, dict):
            return part
        if key.endswith("_initializer"):
            config = {inner: value for inner, value in config.items() if inner != "dtype"}
        renamed = PARTS.get(name, Renamed(name))
        config = self._with_new_names(config, renamed, name)
        return {**part, "class_name": renamed.name, "config": config}

    def _lambda(self, config: Config) -> Config:
        """The config of a Lambda whose function, if it is code, is marked as Keras 3 does it."""
        config = dict(config)
        for key in ("function", "output_shape", "mask"):
            kind = config.pop(f"{key}_type", None)
            value = config.get(key)
            is_code = kind == "lambda" or (key == "function" and isinstance(value, list))
            if kind == "function":
                config[key] = {"class_name": "function", "config": value}
            elif is_code and value is not None:
                config[key] = {"class_name": "__lambda__", "config": {}}
            config.pop(f"{key}_module", None)
        config.pop("module", None)
        return config

    def _merge(self, config: Config) -> Config:
        """The layer that a Merge of Keras 1 is today."""
        mode = config.get("mode")
        if "layers" in config or not isinstance(mode, str) or mode not in MERGE_MODES:
            raise self._refused(
                "model_config",
                f"Merge of {'models' if 'layers' in config else short(mode, 20)}",
                f"Merge in a graph: {', '.join(MERGE_MODES)}",
                "build the model again and load the weights with load_weights",
                "class",
            )
        renamed = MERGE_MODES[mode]
        new = {key: value for key, value in config.items() if key not in MERGE_ARGUMENTS}
        new |= {renamed.arguments[key]: config[key] for key in renamed.arguments if key in config}
        return {"class_name": renamed.name, "config": new}

    # ---- Models ----

    def _sequential(self, config: Config) -> Config:
        layers = [self._layer(entry) for entry in config["layers"]]
        kind, first = "InputLayer", {}
        if layers:
            kind, first = config["layers"][0]["class_name"], config["layers"][0]["config"]
        shape = None if kind in ("InputLayer", *_MODELS) else _first_shape(kind, first)
        if shape is not None:
            dtype = first.get("input_dtype") or "float32"
            source = {"batch_shape": shape, "dtype": dtype, "name": f"{first.get('name')}_input"}
            source = {"class_name": "InputLayer", "config": source, "module": "keras.layers"}
            layers.insert(0, source)
        return {**config, "layers": layers}

    def _functional(self, config: Config) -> Config:
        layers = [self._layer(entry) for entry in config["layers"]]
        new = {**config, "layers": layers}
        calls = [call for entry in layers for call in entry["inbound_nodes"]]
        if any(isinstance(call, dict) and "args" in call for call in calls):
            return new  # the form of Keras 3
        graph = _Graph(config)
        for entry in layers:
            entry["inbound_nodes"] = [graph.call(call) for call in entry["inbound_nodes"]]
        kinds = {entry["name"]: entry["class_name"] for entry in layers}

        def output(place: list[Any]) -> list[Any]:
            # Keras 3 counts the calls of functional models from 1 here.
            name, number, index = graph.place(place)
            return [name, number + (kinds.get(name) == "Functional"), index]

        new["input_layers"] = _map_places(graph.place, config["input_layers"])
        new["output_layers"] = _map_places(output, config["output_layers"])
        return new

    # ---- Compiling ----

    def _compiled(self, config: Config) -> Config:
        new = {key: config[key] for key in _COMPILE if key in config}
        new["optimizer"] = self._optimizer(config["optimizer_config"])
        new["loss"] = self._objects(new.get("loss"), "keras.losses")
        for key in ("metrics", "weighted_metrics"):
            new[key] = self._objects(new.get(key), "keras.metrics") or None
        return new

    def _optimizer(self, entry: Config) -> Config:
        if entry["class_name"].startswith("Custom>") and entry["class_name"] not in self.known:
            # tf.keras registered its own optimizers like classes of users.
            entry = {**entry, "class_name": entry["class_name"].removeprefix("Custom>")}
        entry, name = self._registered(entry)
        if self._is_users(entry, name):
            return entry
        renamed = OPTIMIZER_CLASSES.get(name, ANY_OPTIMIZER)
        if "lr" not in entry["config"]:  # not of Keras 1 or 2
            renamed = replace(renamed, added={})
        config = self._with_new_names(entry["config"], renamed, name)
        if config.get("epsilon", 0) is None:
            del config["epsilon"]
        decay, rate = config.pop("decay", 0), config.get("learning_rate")
        if isinstance(rate, dict):
            config["learning_rate"] = {**rate, "module": "keras.optimizers.schedules"}
        elif decay:
            # Keras 1 and 2 divide the rate by 1 + decay * iterations.
            inner = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
            config["learning_rate"] = {
                "module": "keras.optimizers.schedules",
                "class_name": "InverseTimeDecay",
                "config": {**inner, "staircase": False},
            }
        return {"module": "keras.optimizers", "class_name": name, "config": config}

    def _objects(self, value: Any, module: str) -> Any:
        """Losses or metrics in a structure."""
        if isinstance(value, list):
            return [self._objects(item, module) for item in value]
        if not isinstance(value, dict):
            return value
        if "class_name" not in value:
            return {key: self._objects(item, module) for key, item in value.items()}
        entry, name = self._registered(value)
        if self._is_users(entry, name):
            return entry
        if not isinstance(entry["config"], dict):  # the name of a function
            return entry
        config = dict(entry["config"])
        if name in FUNCTION_WRAPPERS and module == "keras.losses":
            return config["fn"]
        if name in FUNCTION_WRAPPERS:
            name = "MeanMetricWrapper"
        if isinstance(config.get("reduction"), str):
            config["reduction"] = REDUCTIONS.get(config["reduction"], config["reduction"])
        if module == "keras.losses":
            name = LOSSES.get(name, Renamed(name)).name
            config.pop("fn", None)
        return {"module": module, "class_name": name, "config": config}


@dataclass(frozen=True)
class _Graph:
    """The calls in the config of a functional model of Keras 1, Keras 2 or tf.keras.

    The calls of models within it are counted from 1 in some versions and from 0 in others. Every
    call is used, so the largest number tells which.
    """

    config: Config
    _first: dict[str, int] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        calls = {entry["name"]: entry["inbound_nodes"] for entry in self.config["layers"]}
        if len(calls) < len(self.config["layers"]):
            raise ValueError("two layers of one name")
        self._names.update(calls)
        places = list(_places([list(calls.values()), self.config["output_layers"]], self._names))
        largest: dict[str, int] = {}
        for name, number in places:
            largest[name] = max(number, largest.get(name, 0))
        for name, number in largest.items():
            self._first[name] = int(bool(calls[name]) and number >= len(calls[name]))

    def place(self, place: list[Any]) -> list[Any]:
        """A place `[layer, call, output]` with calls counted from 0."""
        name, number, index = place[:3]
        return [name, number - self._first.get(name, 0), index]

    def call(self, call: Any) -> Config:
        """The arguments of one call."""
        if isinstance(call, list) and call and isinstance(call[0], str):
            call = [call]
        options: dict[str, Any] = {}

        def argument(place: list[Any]) -> Any:
            if len(place) > 3:
                options.update(place[3])
            return place[2] if place[0] == _CONSTANT else self._tensor(place)

        inputs = _map_places(argument, call)
        if isinstance(inputs, list) and len(inputs) == 1:
            inputs = inputs[0]
        kwargs = {key: self._option(value) for key, value in options.items() if value is not None}
        return {"args": [inputs], "kwargs": kwargs}

    def _tensor(self, place: list[Any]) -> Config:
        return {
            "class_name": "__keras_tensor__",
            "config": {"keras_history": self.place(place)},
        }

    def _option(self, value: Any) -> Any:
        if _is_place(value, self._names):
            return self._tensor(value)
        return [self._option(item) for item in value] if isinstance(value, list) else value


def weight_name(name: str) -> tuple[str, str]:
    """The names of a layer, `""` if it is not said, and of its weight, as of today.

    Args:
        name: `dense_1_W`, `model/dense/kernel:0` or the like.
    """
    *above, last = name.partition(":")[0].split("/")
    if above:
        return above[-1], last
    for end, new in WEIGHTS.items():
        if last.endswith(f"_{end}"):
            return last.removesuffix(f"_{end}"), new
    return "", last


def _is_operator(entry: Config) -> bool:
    """Whether an entry is an operator between tensors: unlike a layer, it has no options."""
    if str(entry.get("module")).startswith("keras.src.ops"):
        return True
    return entry["class_name"] in OPERATORS and list(entry["config"]) == ["name"]


def _is_place(value: Any, names: Collection[str]) -> bool:
    """Whether a value of a config is the place of a tensor."""
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        return False
    return value[0] in names and isinstance(value[1], int)


def _places(value: Any, names: Collection[str]) -> Iterator[tuple[str, int]]:
    """The layer and the call of every place in a structure."""
    if _is_place(value, names):
        yield value[0], value[1]
        value = value[3:]
    if isinstance(value, dict):
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _places(item, names)


def _map_places(function: Callable[[list[Any]], Any], structure: Any) -> Any:
    """`function` of every `[layer, call, output, ...]` in a structure."""
    if isinstance(structure, dict):
        return {key: _map_places(function, inner) for key, inner in structure.items()}
    if isinstance(structure[0], str):
        return function(structure)
    return [_map_places(function, inner) for inner in structure]


def _first_shape(kind: str, config: Config) -> Any:
    """The shape of the input that the first layer of a Sequential gives, with the batch axis."""
    if config.get("batch_input_shape") is not None:
        return config["batch_input_shape"]
    if config.get("input_shape") is not None:
        return [None, *config["input_shape"]]
    is_size = kind in LAYERS and "input_dim" in LAYERS[kind].dropped
    size = config.get("input_dim") if is_size else None
    return None if size is None else [None, size]


def _policy(config: Config) -> Any:
    """A dtype policy of tf.keras as that of Keras 3."""
    if config.get("class_name") not in ("Policy", "PolicyV1"):
        return config
    name = config["config"]["name"]
    if name in ("infer", "_infer"):
        return None
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": name}}


def _decoded(value: Any) -> Any:
    """A config in which tuples and shapes, for which tf.keras has a form of its own, are lists."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("__tuple__", "TensorShape") and "items" in value:
        return _decoded(value["items"])
    return {key: _decoded(item) for key, item in value.items()}
