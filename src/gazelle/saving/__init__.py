"""Saving and loading: whole models, and the configs of what they are made of."""

from gazelle._core.registry import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from gazelle._core.registry import deserialize as deserialize_keras_object
from gazelle._core.registry import serialize as serialize_keras_object
from gazelle.models import load_model, save_model
from gazelle.models._weights import load_weights, save_weights
from gazelle.saving._file_editor import KerasFileEditor

CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
