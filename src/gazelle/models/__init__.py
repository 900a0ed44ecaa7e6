"""Models: networks that can be trained."""

from gazelle.models._cloning import clone_model, model_from_json
from gazelle.models._drawing import describe, plot_model
from gazelle.models._feature_space import FeatureSpace as FeatureSpace  # for its config
from gazelle.models._files import load_model, save_model
from gazelle.models._model import Functional, Model
from gazelle.models._sequential import Sequential

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
