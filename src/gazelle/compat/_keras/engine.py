"""Names of `keras.engine`, which were the parts of layers and models."""

from gazelle.compat._keras.layers import Input, Merge, merge
from gazelle.compat._keras.models import model_from_config
from gazelle.compat._keras.utils import get_source_inputs, make_batches, slice_arrays
from gazelle.models import Functional, Model

__all__ = [
    "Container",
    "Functional",
    "Input",
    "Merge",
    "Network",
    "get_source_inputs",
    "make_batches",
    "merge",
    "model_from_config",
    "slice_arrays",
]

Network = Container = Model
