"""The layers of a dense network."""

from typing import TYPE_CHECKING, Any

from gazelle._core.doors import missing
from gazelle.layers._activation import (
    ELU,
    Activation,
    ActivityRegularization,
    LeakyReLU,
    PReLU,
    ReLU,
    Softmax,
)
from gazelle.layers._base import Layer
from gazelle.layers._dense import Dense
from gazelle.layers._dropout import (
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
)
from gazelle.layers._einsum_dense import EinsumDense
from gazelle.layers._embedding import Embedding, ReversibleEmbedding
from gazelle.layers._input import Input, InputLayer
from gazelle.layers._masking import Masking
from gazelle.layers._merging import (
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
from gazelle.layers._normalization import BatchNormalization
from gazelle.layers._pipeline import Pipeline
from gazelle.layers._pooling import (
    GlobalAveragePooling1D,
    GlobalAvgPool1D,
    GlobalMaxPool1D,
    GlobalMaxPooling1D,
)
from gazelle.layers._preprocessing import (
    CategoryEncoding,
    Discretization,
    HashedCrossing,
    Hashing,
    IntegerLookup,
    Normalization,
    Rescaling,
    StringLookup,
    TextVectorization,
)
from gazelle.layers._reshaping import Flatten, Identity, Permute, RepeatVector, Reshape
from gazelle.layers._sample_normalization import (
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from gazelle.layers._serializing import deserialize, serialize
from gazelle.layers._spec import InputSpec
from gazelle.layers._spectral import SpectralNormalization
from gazelle.layers._wrapping import Lambda, TimeDistributed, Wrapper

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Discretization",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAvgPool1D",
    "GlobalMaxPool1D",
    "GlobalMaxPooling1D",
    "GroupNormalization",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "Pipeline",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "ReversibleEmbedding",
    "Softmax",
    "SpatialDropout1D",
    "SpectralNormalization",
    "StringLookup",
    "Subtract",
    "TextVectorization",
    "TimeDistributed",
    "UnitNormalization",
    "Wrapper",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

# Parts of the names of Keras's layers that are not for dense networks.
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


if not TYPE_CHECKING:  # with __getattr__, a type checker would accept every name

    def __getattr__(name: str) -> Any:
        sentence = None
        if any(word in name for word in _ELSEWHERE):
            sentence = (
                f"gazelle.layers has no {name}: Gazelle is for dense networks (multilayer"
                f" perceptrons); Keras has {name}."
            )
        raise missing(__name__, name, sentence)
