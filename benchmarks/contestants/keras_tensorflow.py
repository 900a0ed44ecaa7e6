"""Keras on TensorFlow."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
from keras_script import run

run(keras, "keras", "tensorflow-cpu")
