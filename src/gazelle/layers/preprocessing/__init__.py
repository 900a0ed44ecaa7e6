"""Layers that prepare data inside the model: numbers, categories and text.

Those that JAX can compute are layers like all others. Those of `HostLayer` compute with NumPy on
the host, see `gazelle.layers.host`.
"""

from gazelle.layers.preprocessing.category_encoding import CategoryEncoding
from gazelle.layers.preprocessing.discretization import Discretization
from gazelle.layers.preprocessing.hashing import HashedCrossing, Hashing
from gazelle.layers.preprocessing.lookup import IntegerLookup, StringLookup
from gazelle.layers.preprocessing.normalization import Normalization
from gazelle.layers.preprocessing.rescaling import Rescaling
from gazelle.layers.preprocessing.text_vectorization import TextVectorization

__all__ = [
    "CategoryEncoding",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "Normalization",
    "Rescaling",
    "StringLookup",
    "TextVectorization",
]
