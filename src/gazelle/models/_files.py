"""Whole models as `.keras` files; old `.h5` files are passed on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import gazelle
from gazelle._core.context import variable_budget
from gazelle._core.errors import (
    ArgumentError,
    CheckWarning,
    DataError,
    GazelleError,
    ModelFileError,
    UnknownNameError,
    reason,
)
from gazelle._core.registry import deserialize, serialize
from gazelle._formats.config_checks import check_config, with_functions
from gazelle._formats.h5 import WeightsFile
from gazelle._formats.keras_file import KerasFile, open_keras_file, write_keras_file
from gazelle._formats.legacy_h5 import LegacyFile
from gazelle.layers import Layer
from gazelle.models._assets import collected, load_assets, warn_of_assets
from gazelle.models._legacy import (
    LegacyModel,
    is_legacy,
    load_legacy_state,
    open_legacy_model,
    save_legacy_model,
)
from gazelle.models._loading import match
from gazelle.models._weights import (
    layers_by_path,
    optimizer_of,
    optimizer_variables,
    saved_state,
    state_tree,
)

_STATE_BYTES = 16 << 20  # for variables that no file holds: states of metrics and generators
_SAVE_AGAIN = "get the file again, or save it again"


def save_model(
    model: Any,
    filepath: str | os.PathLike[str] | BinaryIO,
    overwrite: bool = True,
    zipped: bool | None = None,
    *,
    include_optimizer: bool = True,
    **kwargs: Any,
) -> None:
    """Write a model with its weights, compile settings and optimizer state; Keras 3 reads it too.

    The file is complete or absent: an old file is replaced at the very end. The same state gives
    the same bytes.

    Args:
        model: The model, or a `FeatureSpace`.
        filepath: A path that ends in `.keras`, or a binary file object; or, with a warning, a path
            that ends in `.h5` or `.hdf5`, for the old format of Keras.
        overwrite: Whether to replace an existing file.
        zipped: False to write a new folder with three files, whose name does not end in `.keras`.
        include_optimizer: Whether a `.h5` file also holds the compile settings and the optimizer's
            state.
        **kwargs: Options of older versions of Keras, which are refused.

    Raises:
        ArgumentError: Another ending or an unknown option; the file exists and `overwrite` is
            False; or its folder does not exist.
        ArgumentTypeError: Something in the model cannot be written into a config, such as a lambda.
        OSError: Writing failed, for example because the disk is full; an old file is unchanged.
    """
    if kwargs:
        raise ArgumentError(
            f"The following argument(s) are not supported: {sorted(kwargs)}.",
            expected="overwrite, zipped and include_optimizer",
            fix="remove them; the ending of the path says the format",
        )
    zipped = True if zipped is None else zipped
    path = os.fspath(filepath) if isinstance(filepath, str | os.PathLike) else None
    is_old = path is not None and zipped and is_legacy(path)
    if path is not None and not is_old:
        _check_ending(path, zipped)
    if not is_old and not include_optimizer:
        raise ArgumentError(
            "include_optimizer=False is for .h5 files.",
            received=repr(filepath),
            fix="leave it out, or load the model with compile=False",
        )
    if not model.built:
        warnings.warn(
            f"The model {model.name!r} is saved before it is built: the file has no weights. Give"
            " the input shape, or call the model on data first.",
            CheckWarning,
            stacklevel=3,
        )
    if path is not None and is_old:
        warn_of_assets(layers_by_path(model), path)
        save_legacy_model(
            model,
            path,
            overwrite=overwrite,
            include_optimizer=include_optimizer,
            own_state=list(saved_state(model).layers.values()),
        )
        return
    write_keras_file(
        filepath,
        serialize(model),
        _with_unbuilt_optimizer(model, state_tree(model)),
        collected(layers_by_path(model)),
        writer=f"gazelle {gazelle.__version__}",
        overwrite=overwrite,
        zipped=zipped,
    )


def load_model(
    filepath: str | os.PathLike[str] | BinaryIO,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    *,
    allow_nonfinite: bool = False,
) -> Any:
    """A model from a file of Gazelle or Keras. Loading never runs code from the file.

    Args:
        filepath: A `.keras` file of Gazelle or Keras 3, the folder that `zipped=False` writes, or a
            `.h5` or `.hdf5` file, also of Keras 1, Keras 2 and tf.keras; or a binary file object.
        custom_objects: The user's classes and functions by name. A `Lambda` layer whose function is
            code in the file needs `{name of the layer: function}`.
        compile: Whether to compile the model as it was, with the state of its optimizer.
        safe_mode: Kept for Keras's signature; code in a file is never run.
        allow_nonfinite: Whether weights may be NaN or infinite.

    Returns:
        The model.

    Raises:
        ModelFileError: The file is missing, damaged, holds code, names an unknown class, or holds
            weights that are not finite. It is refused before memory is taken for what it declares.
    """
    custom_objects = custom_objects or {}
    if is_legacy(filepath):
        with open_legacy_model(filepath, custom_objects, compile) as file:
            model = _model_from(file, custom_objects, compile)
            load_legacy_state(model, file, allow_nonfinite)
    else:
        with open_keras_file(filepath) as file:
            model = _model_from(file, custom_objects, compile)
            _load_state(model, file.weights, allow_nonfinite)
            load_assets(layers_by_path(model), file)
    _complete_optimizer(model)
    return model


def _check_ending(path: str, zipped: bool) -> None:
    if zipped != path.endswith(".keras"):
        wanted = "a `.keras` extension" if zipped else "a folder's name, without `.keras`"
        raise ArgumentError(
            f"Invalid `filepath` argument: expected {wanted}.",
            expected=wanted,
            received=f"filepath={path}",
            fix=f"use {os.path.splitext(path)[0]}{'.keras' if zipped else ''}",
        )


def _with_unbuilt_optimizer(model: Any, tree: dict[str, Any]) -> dict[str, Any]:
    """Variables or values, with what an optimizer has before it is built, as in Keras's files."""
    optimizer = optimizer_of(model)
    if optimizer is None or "optimizer" in tree:
        return tree
    return {**tree, **optimizer_variables(optimizer)}


def _model_from(
    file: KerasFile | LegacyModel, custom_objects: dict[str, Any], compile: bool
) -> Any:
    functions: Mapping[str, Callable[..., Any]] = {
        name: value for name, value in custom_objects.items() if not isinstance(value, type)
    }
    config = with_functions(file.config, functions)
    if not compile:
        config = {**config, "compile_config": None}
    check_config(config, file.label, sum(map(len, file.weights.specs.values())))
    # Keras's files have no low-rank additions, which take less than the weights that they are for.
    with variable_budget(2 * _stored_bytes(file.weights) + _STATE_BYTES):
        try:
            model = deserialize(config, custom_objects)
        except GazelleError as error:
            raise _config_error(file, error) from error.__cause__
        if not (isinstance(model, Layer) and hasattr(model, "save")):
            raise ModelFileError(
                "config-not-a-model",
                file=file.label,
                where=file.config_name,
                found=f"a {type(model).__name__}",
                expected="a model",
                fix=_SAVE_AGAIN,
            )
        _build_optimizer(model, file.weights)
    return model


def _config_error(file: KerasFile | LegacyModel, error: GazelleError) -> ModelFileError:
    code, fix = "field", _SAVE_AGAIN
    if isinstance(error, UnknownNameError):
        code, fix = "class", "pass custom_objects={name: class or function}"
    elif isinstance(error, DataError):
        code = "budget"
    version = file.metadata.get("keras_version")
    return ModelFileError(
        f"config-{code}",
        file=file.label,
        where=" in ".join([file.config_name, *error.places[:1]]),
        found=reason(error, 64),
        expected=f"a config of Keras (this is {version})" if version else "a config of Keras",
        fix=fix,
    )


def _stored_bytes(weights: WeightsFile | LegacyFile) -> int:
    return sum(spec.nbytes for specs in weights.specs.values() for spec in specs)


def _build_optimizer(model: Any, weights: WeightsFile | LegacyFile) -> None:
    """Make the optimizer's state, if the file has it."""
    optimizer = optimizer_of(model)
    if optimizer is None or not model.built:
        return
    if len(weights.specs.get("optimizer", ())) > len(optimizer.variables):
        optimizer.build(model.trainable_variables)


def _complete_optimizer(model: Any) -> None:
    """Mark the optimizer of a trained model as built where it has no slots, such as plain SGD.

    Weights that are loaded later then bring their learning rate and iterations.
    """
    optimizer = optimizer_of(model)
    if optimizer is not None and model.built and not optimizer.built and int(optimizer.iterations):
        optimizer.build(model.trainable_variables)


def _load_state(model: Any, weights: WeightsFile, allow_nonfinite: bool) -> None:
    """Load weights and optimizer state, all or nothing."""
    optional = ("optimizer",) if optimizer_of(model) is None else ()
    state = saved_state(model)
    variables = _with_unbuilt_optimizer(model, state.variables)
    if "optimizer" not in weights.specs:  # a model that was compiled after it was saved
        variables = {
            path: own for path, own in variables.items() if path.split("/")[0] != "optimizer"
        }
    matches = match(weights, variables, state.loaders, optional)
    for group, problem in matches.problems.items():
        raise ModelFileError(
            "h5-mismatch",
            file=weights.label,
            where=f"model.weights.h5, {group or 'the model itself'}",
            found=problem,
            expected="the weights of config.json",
            fix=_SAVE_AGAIN,
        )
    if not allow_nonfinite:
        matches.check_finite(weights.label)
    matches.assign()
