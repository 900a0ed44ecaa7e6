"""Helpers for data under the names of `keras.preprocessing`."""

from gazelle.preprocessing import image, sequence
from gazelle.utils import (
    image_dataset_from_directory,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
