"""Names of Keras's that are not for dense networks: they can be imported, and not used."""

from __future__ import annotations

from typing import Any

from gazelle._core.errors import GazelleError

# Parts of names, by room.
_PARTS = {
    "layers": (
        "Attention", "AutoContrast", "AveragePooling", "Bidirectional", "CenterCrop", "Conv",
        "Cropping", "CutMix", "DenseFeatures", "Equalization", "GRU", "LSTM", "LocallyConnected",
        "MaxPool", "MelSpectrogram", "MixUp", "Pool", "RNN", "RandAugment", "Random", "Resizing",
        "STFT", "SpatialDropout2D", "SpatialDropout3D", "UpSampling", "ZeroPadding", "Cell",
    ),
    "utils": ("multi_gpu_model", "HDF5Matrix", "convert_all_kernels_in_model"),
    "backend": ("conv", "pool", "ctc_", "rnn", "resize_", "padding"),
    "metrics": ("IoU",),
    "losses": ("CTC", "ctc"),
}  # fmt: skip


class OutOfScopeError(GazelleError, NotImplementedError):
    """Something that is not for dense networks is used."""


def outside(room: str, name: str) -> bool:
    """Whether a name of a room is Keras's, but not for dense networks."""
    return any(part in name for part in _PARTS.get(room, ()))


def placeholder(path: str) -> Any:
    """A class that can be imported and asked for with `isinstance`; using it raises.

    Args:
        path: The path below `keras`, for the error.
    """

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OutOfScopeError(
            f"keras.{path} is out of Gazelle's scope: it is for dense networks (multilayer"
            " perceptrons).",
            fix="run this script with Keras",
        )

    name = path.rpartition(".")[2]
    kind = type("OutOfScope", (type,), {"__call__": refuse, "__getattr__": refuse_name(refuse)})
    return kind(name, (), {"__module__": f"keras.{path.rpartition('.')[0]}"})


def refuse_name(refuse: Any) -> Any:
    """A `__getattr__` that refuses every public name."""

    def get(cls: type, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return refuse()

    return get
