"""`install` and `uninstall`."""

from __future__ import annotations

import sys
from types import ModuleType

from gazelle.compat import _telling
from gazelle.compat._callbacks import install_callbacks
from gazelle.compat._checks import install_checks
from gazelle.compat._layers import install_layers
from gazelle.compat._logs import install_logs
from gazelle.compat._losses import install_losses
from gazelle.compat._models import install_models
from gazelle.compat._modules import (
    Finder,
    forget_rooms,
    keras_module,
    loaded,
    preprocessing_module,
    scikeras_module,
)
from gazelle.compat._optimizers import install_optimizers
from gazelle.compat._patches import Patches
from gazelle.compat._tensorflow import tensorflow_module
from gazelle.compat._tensorflow._arrays import install_arrays
from gazelle.compat._tensorflow._steps import install_steps

# Top-level module -> what answers for those below it.
_SERVED = {
    **dict.fromkeys(("keras", "keras_core", "tf_keras"), keras_module),
    "keras_preprocessing": preprocessing_module,
    "scikeras": scikeras_module,
    "tensorflow": tensorflow_module,
}

_patches: Patches | None = None


def installed() -> bool:
    """Whether `import keras` gives Gazelle."""
    return _patches is not None


def install() -> None:
    """Let `keras`, `tensorflow.keras` and their kin be Gazelle; a second call does nothing.

    Modules of Keras that are loaded already stay with whoever has them, and come back with
    `uninstall`.
    """
    global _patches
    if _patches is not None:
        return
    _patches = Patches()
    finder = Finder(_SERVED)
    before = loaded(list(finder.serve))
    for name in before:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    _patches.later(lambda: _restore(finder, before))
    install_layers(_patches)
    install_losses(_patches)
    install_callbacks(_patches)
    install_checks(_patches)
    install_optimizers(_patches)
    install_logs(_patches)
    install_models(_patches)
    install_arrays(_patches)
    install_steps(_patches)


def uninstall() -> None:
    """Take everything back that `install` changed; without it, nothing happens."""
    global _patches
    if _patches is not None:
        _patches.undo()
        _patches = None
        _telling.forget()


def _restore(finder: Finder, before: dict[str, ModuleType]) -> None:
    sys.meta_path.remove(finder)
    for name in loaded(list(finder.serve)):
        del sys.modules[name]
    sys.modules.update(before)
    forget_rooms()
