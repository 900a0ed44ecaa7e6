"""The contestants: Gazelle and its peers."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

# `make bench` installs the nightly in its own folder, since its import name is also `keras`.
NIGHTLY = Path(sys.prefix) / "keras-nightly"


@dataclass(frozen=True)
class Contestant:
    """A script of `contestants/` with its settings and environment variables."""

    title: str
    script: str
    settings: dict = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    needs: Path | None = None  # a folder that must exist
    empty_cache: bool = False  # whether Gazelle's compile cache is emptied before each run


def _keras(title: str, backend: str, package: str, nightly: bool = False) -> Contestant:
    settings = {"package": "keras", "versions": ["keras-nightly" if nightly else "keras", package]}
    environment = {"KERAS_BACKEND": backend}
    if nightly:
        environment["PYTHONPATH"] = str(NIGHTLY)
    return Contestant(title, "keras_script.py", settings, environment, NIGHTLY if nightly else None)


_GAZELLE = {"package": "gazelle", "versions": ["gazelle", "jax"]}
_KERAS = _keras("Keras on JAX", "jax", "jax")
CONTESTANTS = {
    "gazelle_cold": Contestant(
        "Gazelle, compile cache empty", "keras_script.py", _GAZELLE, empty_cache=True
    ),
    "gazelle": Contestant("Gazelle", "keras_script.py", _GAZELLE),
    "gazelle_xla": Contestant(
        "Gazelle, XLA alone", "keras_script.py", _GAZELLE, {"GAZELLE_NATIVE": "off"}
    ),
    "jax_by_hand": Contestant("JAX by hand, lax.scan", "jax_by_hand.py"),
    "keras_jax": _KERAS,
    "keras_jax_steps": _keras("Keras on JAX, best steps_per_execution", "jax", "jax"),
    "keras_nightly": _keras(
        "Keras nightly on JAX, best steps_per_execution", "jax", "jax", nightly=True
    ),
    "keras_tensorflow": _keras("Keras on TensorFlow", "tensorflow", "tensorflow-cpu"),
    "keras_torch": _keras("Keras on PyTorch", "torch", "torch"),
    "pytorch": Contestant("PyTorch, fused Adam", "pytorch.py"),
    "scikit_learn": Contestant("scikit-learn", "scikit_learn.py"),
    "import_jax": Contestant("import jax", "imports.py", {"package": "jax", "versions": ["jax"]}),
    "import_gazelle": Contestant("import gazelle", "imports.py", _GAZELLE),
    "import_keras": Contestant(
        "import keras, on JAX", "imports.py", _KERAS.settings, _KERAS.environment
    ),
}
KERAS_JAX = ("keras_jax",)  # as people run it
BEST_KERAS_JAX = ("keras_jax", "keras_jax_steps", "keras_nightly")  # the fastest of these
HAND = ("jax_by_hand",)
SKLEARN = ("scikit_learn",)
EVERYONE = (
    *BEST_KERAS_JAX,
    "keras_tensorflow",
    "keras_torch",
    "pytorch",
    "scikit_learn",
    "jax_by_hand",
)
