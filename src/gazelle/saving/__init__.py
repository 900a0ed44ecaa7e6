"""Weights files: what a model has learned, as data that can be checked before it is used."""

from gazelle._core.registry import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from gazelle._core.registry import deserialize as deserialize_keras_object
from gazelle._core.registry import serialize as serialize_keras_object
from gazelle.saving.h5 import WeightsFile, open_weights, read_weights, write_weights
from gazelle.saving.h5_checks import Spec
from gazelle.saving.loading import load_variables
from gazelle.saving.paths import attribute_sublayers, keras_layers, keras_paths

CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "Spec",
    "WeightsFile",
    "attribute_sublayers",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "keras_layers",
    "keras_paths",
    "load_variables",
    "open_weights",
    "read_weights",
    "register_keras_serializable",
    "serialize_keras_object",
    "write_weights",
]
