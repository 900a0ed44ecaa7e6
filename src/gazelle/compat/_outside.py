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


# Functions and classes of Keras's inside, which public programs import all the same.
_INSIDE = {
    "engine": (
        "check_array_length_consistency", "check_array_lengths",
        "check_loss_and_target_compatibility",
        "check_num_samples", "collect_metrics", "collect_trainable_weights",
        "load_weights_from_hdf5_group",
        "load_weights_from_hdf5_group_by_name", "preprocess_weights_for_loading",
        "save_weights_to_hdf5_group", "standardize_class_weights", "standardize_input_data",
        "standardize_sample_weights", "standardize_weights", "weighted_masked_objective",
    ),
    "utils": (
        "GeneratorEnqueuer", "HDF5Matrix", "OrderedEnqueuer", "SequenceEnqueuer", "h5dict",
        "H5Dict",
        "count_params", "object_list_uid", "threadsafe_generator", "validate_file",
    ),
}  # fmt: skip


class OutOfScopeError(GazelleError, NotImplementedError):
    """Something that is not for dense networks is used."""


class OutOfScope(type):
    """The type of the classes that stand for what is out of scope."""


def outside(room: str, name: str) -> bool:
    """Whether a name of a room is Keras's, but not for dense networks."""
    return name in _INSIDE.get(room, ()) or any(part in name for part in _PARTS.get(room, ()))


def placeholder(path: str) -> Any:
    """A class that can be imported and asked for with `isinstance`; using it raises.

    Args:
        path: The path below `keras`, for the error.
    """
    room, _, name = path.rpartition(".")
    is_inner = name in _INSIDE.get(room, ())
    why = (
        "is of Keras's inside, which Gazelle has not."
        if is_inner
        else "is out of Gazelle's scope: it is for dense networks (multilayer perceptrons)."
    )

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OutOfScopeError(f"keras.{path} {why}", fix="run this script with Keras")

    kind = type("OutOfScope", (OutOfScope,), {"__call__": refuse, "__getattr__": _refused(refuse)})
    return kind(name, (), {"__module__": f"keras.{room}"})


def _refused(refuse: Any) -> Any:
    """A `__getattr__` that refuses every public name."""

    def get(cls: type, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return refuse()

    return get
