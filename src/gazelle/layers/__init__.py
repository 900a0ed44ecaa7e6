"""The layers of a dense network."""

from typing import Any

from gazelle.layers.activation import ELU, Activation, ActivityRegularization, LeakyReLU, PReLU, ReLU, Softmax
from gazelle.layers.base import Layer
from gazelle.layers.dense import Dense
from gazelle.layers.dropout import AlphaDropout, Dropout, GaussianDropout, GaussianNoise
from gazelle.layers.input import Input, InputLayer
from gazelle.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from gazelle.layers.normalization import BatchNormalization, LayerNormalization, UnitNormalization
from gazelle.layers.preprocessing import Rescaling
from gazelle.layers.reshaping import Flatten, Identity, Permute, RepeatVector, Reshape
from gazelle.layers.spec import InputSpec
from gazelle.layers.wrapping import Lambda

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "Subtract",
    "UnitNormalization",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]

_ELSEWHERE = (
    "Conv",
    "Pool",
    "LSTM",
    "GRU",
    "RNN",
    "Attention",
    "Random",
    "Bidirectional",
    "UpSampling",
    "Padding",
    "Crop",
)
_NOT_YET = (
    "Embedding",
    "Normalization",
    "CategoryEncoding",
    "Discretization",
    "EinsumDense",
    "Masking",
    "TimeDistributed",
)


def __getattr__(name: str) -> Any:
    if name in _NOT_YET:
        raise AttributeError(f"gazelle.layers has no {name} yet; Keras has it.")
    if any(word in name for word in _ELSEWHERE):
        raise AttributeError(
            f"gazelle.layers has no {name}: Gazelle is for dense networks (multilayer perceptrons); Keras has {name}."
        )
    raise AttributeError(f"module 'gazelle.layers' has no attribute {name!r}")
