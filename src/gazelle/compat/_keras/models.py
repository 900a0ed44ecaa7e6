"""Names of `keras.models`."""

from __future__ import annotations

import json
from typing import Any

from gazelle import models
from gazelle._core.packages import need
from gazelle.compat._saving import loads_anything
from gazelle.compat._telling import tell
from gazelle.models import Sequential, model_from_json

__all__ = ["load_model", "model_from_config", "model_from_yaml", "save_model"]


load_model = loads_anything(models.load_model)


def save_model(model: Any, filepath: Any, *args: Any, **kwargs: Any) -> None:
    """`model.save(filepath)`."""
    model.save(filepath, *args, **kwargs)


def model_from_config(config: Any, custom_objects: Any = None) -> Any:
    """A model from the dict that `model.get_config()` or `to_json` gave."""
    if "class_name" in config:
        return model_from_json(json.dumps(config), custom_objects)
    kind = models.Model if "input_layers" in config else Sequential
    return kind.from_config(config, custom_objects=custom_objects)


def model_from_yaml(yaml_string: str, custom_objects: Any = None) -> Any:
    """A model from `to_yaml`; texts of Keras 2 are read by PyYAML.

    Raises:
        PackageError: The text is not JSON, and PyYAML is not installed.
    """
    tell("model_from_yaml()", "model_from_json()")
    try:
        return model_from_json(yaml_string, custom_objects)
    except ValueError:
        need("model_from_yaml", "yaml")
        import yaml

        return model_from_json(json.dumps(yaml.safe_load(yaml_string)), custom_objects)
