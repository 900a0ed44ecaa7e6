"""Weights files: what a model has learned, as data that can be checked before it is used."""

from gazelle.saving.h5 import WeightsFile, open_weights, read_weights, write_weights
from gazelle.saving.h5_checks import Spec
from gazelle.saving.loading import load_variables
from gazelle.saving.paths import attribute_sublayers, keras_layers, keras_paths

__all__ = [
    "Spec",
    "WeightsFile",
    "attribute_sublayers",
    "keras_layers",
    "keras_paths",
    "load_variables",
    "open_weights",
    "read_weights",
    "write_weights",
]
