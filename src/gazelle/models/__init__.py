"""Models: networks that can be trained."""

from gazelle.models.cloning import clone_model, model_from_json
from gazelle.models.drawing import describe, plot_model
from gazelle.models.feature_space import FeatureSpace as FeatureSpace  # for its config
from gazelle.models.files import load_model, save_model
from gazelle.models.model import Functional, Model
from gazelle.models.sequential import Sequential

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "describe",
    "load_model",
    "model_from_json",
    "plot_model",
    "save_model",
]
