"""Keras on PyTorch."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
from keras_script import run

run(keras, "keras", "torch")
