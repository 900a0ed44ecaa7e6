"""Layers that prepare data inside the model: numbers, categories and text.

Those that JAX can compute are layers like all others. Those of `HostLayer` compute with NumPy on
the host, see `gazelle.layers._host`.
"""

from gazelle.layers._preprocessing.category_encoding import CategoryEncoding
from gazelle.layers._preprocessing.discretization import Discretization
from gazelle.layers._preprocessing.hashing import HashedCrossing, Hashing
from gazelle.layers._preprocessing.lookup import IntegerLookup, StringLookup
from gazelle.layers._preprocessing.normalization import Normalization
from gazelle.layers._preprocessing.rescaling import Rescaling
from gazelle.layers._preprocessing.text_vectorization import TextVectorization

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
