"""What every test shares: Keras, the oracle, runs on JAX; compiled programs are kept out of the user's cache."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("MPLBACKEND", "Agg")
