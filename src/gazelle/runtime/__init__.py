"""Predictions from saved models with NumPy and h5py alone, without JAX.

`load` reads a `.keras` file, or a weights file with its config, of Gazelle or of Keras 3, and makes
it a function from arrays to arrays. It knows the layers, activations and operators of Gazelle. A
model with anything else is refused when it is loaded.

The arithmetic is float32, and float64 for layers with a float64 policy. That includes models of the
policies float16, bfloat16, mixed_float16 and mixed_bfloat16: their predictions differ from those of
the model by the rounding to the shorter type, which does not happen here.
"""

from gazelle.runtime._loading import load
from gazelle.runtime._predictor import Predictor

__all__ = ["Predictor", "load"]
