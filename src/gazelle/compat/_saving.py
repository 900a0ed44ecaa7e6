"""Models and weights in files of any name, as Keras 2 wrote and read them."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable
from typing import Any

from gazelle import models
from gazelle._files.writing import atomic_path
from gazelle.compat._telling import tell
from gazelle.models._legacy import load_legacy_weights, save_legacy_weights
from gazelle.models._weights import require_built

_OF_MODELS = (".keras", ".h5", ".hdf5")  # endings that say the format of a model
_OF_WEIGHTS = (".weights.h5", ".safetensors", ".weights.json", ".keras")


def _has_ending(path: Any, endings: tuple[str, ...]) -> bool:
    return not isinstance(path, str | os.PathLike) or os.fspath(path).endswith(endings)


def saves_anywhere(save: Callable[..., Any]) -> Callable[..., Any]:
    """`model.save` that also takes other paths, and open files of h5py."""

    @functools.wraps(save)
    def call(self: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        if hasattr(filepath, "create_group"):
            _save_into(self, filepath)
            return
        if _has_ending(filepath, _OF_MODELS):
            save(self, filepath, *args, **kwargs)
            return
        tell("model.save('name')", "model.save('name.keras')")
        kwargs.pop("include_optimizer", None)
        os.makedirs(os.path.dirname(os.path.abspath(filepath)), exist_ok=True)
        with atomic_path(filepath) as temporary, open(temporary, "wb") as file:
            save(self, file, *args, **kwargs)

    return call


def _save_into(model: Any, group: Any) -> None:
    """Write a model into an open file or group of h5py."""
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.h5")
        models.save_model(model, path)
        with h5py.File(path, "r") as file:
            group.attrs.update(file.attrs)
            for name in file:
                file.copy(name, group)


def loads_anything(load: Callable[..., Any]) -> Callable[..., Any]:
    """`load_model` that goes by what a file holds where its name does not say it."""

    @functools.wraps(load)
    def call(filepath: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("options", None)
        if hasattr(filepath, "create_group"):
            return load(_as_bytes(filepath), *args, **kwargs)
        if _has_ending(filepath, _OF_MODELS) or os.path.isdir(filepath):
            return load(filepath, *args, **kwargs)
        with open(filepath, "rb") as file:
            return load(file, *args, **kwargs)

    return call


def _as_bytes(group: Any) -> Any:
    """The content of an open file or group of h5py as a file object."""
    import io

    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs.update(group.attrs)
        for name in group:
            group.copy(name, file)
    content.seek(0)
    return content


def saves_weights_anywhere(save: Callable[..., Any]) -> Callable[..., Any]:
    """`save_weights` that also takes other paths, and writes what Keras 2 wrote there."""

    @functools.wraps(save)
    def call(self: Any, filepath: Any, overwrite: bool = True, *args: Any, **kwargs: Any) -> Any:
        if _has_ending(filepath, _OF_WEIGHTS):
            save(self, filepath, overwrite, *args, **kwargs)
            return
        tell("save_weights('w.h5')", "save_weights('w.weights.h5')")
        require_built(self, "save_weights")
        os.makedirs(os.path.dirname(os.path.abspath(filepath)), exist_ok=True)
        save_legacy_weights(self, os.fspath(filepath), overwrite=overwrite)

    return call


def loads_weights_anywhere(load: Callable[..., Any]) -> Callable[..., Any]:
    """`load_weights` that also reads files of other names."""

    @functools.wraps(load)
    def call(self: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        if _has_ending(filepath, (*_OF_WEIGHTS, ".h5", ".hdf5")):
            load(self, filepath, *args, **kwargs)
        else:
            require_built(self, "load_weights")
            load_legacy_weights(
                self,
                os.fspath(filepath),
                by_name=bool(kwargs.get("by_name")),
                skip_mismatch=bool(kwargs.get("skip_mismatch")),
                allow_nonfinite=False,
            )
        return LoadStatus()

    return call


class LoadStatus:
    """What tf.keras's `load_weights` returned; everything was loaded or an error raised."""

    def expect_partial(self) -> LoadStatus:
        """Itself."""
        return self

    assert_consumed = assert_existing_objects_matched = expect_partial
