"""Helpers for models and data, like `keras.utils`. All of them are defined in other packages."""

from typing import TYPE_CHECKING, Any

from gazelle._core import doors as _doors
from gazelle._core.dtypes import standardize_dtype
from gazelle._core.named_values import Config
from gazelle._core.registry import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from gazelle._core.registry import deserialize as deserialize_keras_object
from gazelle._core.registry import serialize as serialize_keras_object
from gazelle._core.symbolic import get_source_inputs
from gazelle._data.arrays import normalize, pad_sequences, split_dataset, to_categorical
from gazelle._data.dataset import (
    ImageDataset,
    PyDataset,
    Sequence,
    TextDataset,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from gazelle._data.images.folder import image_dataset_from_directory
from gazelle._data.images.image import array_to_img, img_to_array, load_img, save_img
from gazelle._data.texts import text_dataset_from_directory
from gazelle._data.timeseries import TimeseriesDataset, timeseries_dataset_from_array
from gazelle._files.download import get_file
from gazelle._files.writing import atomic_path, cache_folder
from gazelle.backend import is_keras_tensor
from gazelle.callbacks._progress import Progbar
from gazelle.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from gazelle.config._session import clear_session, set_random_seed
from gazelle.models import plot_model
from gazelle.models._feature_space import FeatureSpace

CustomObjectScope = custom_object_scope


if not TYPE_CHECKING:  # with __getattr__, a type checker would accept every name

    def __getattr__(name: str) -> Any:
        sentence = None
        if name == "model_to_dot":
            sentence = "model_to_dot: Gazelle draws without graphviz; use utils.plot_model."
        elif name == "legacy":
            sentence = "legacy: these configs are Keras 2's; use utils.serialize_keras_object."
        raise _doors.missing(__name__, name, sentence)


__all__ = [
    "Config",
    "CustomObjectScope",
    "FeatureSpace",
    "ImageDataset",
    "Progbar",
    "PyDataset",
    "Sequence",
    "TextDataset",
    "TimeseriesDataset",
    "array_to_img",
    "atomic_path",
    "cache_folder",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "load_img",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
