"""Names of Keras's that are not for dense networks: they can be imported, and not used."""

from __future__ import annotations

from collections.abc import Callable
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

    refuse: Callable[..., Any]  # of such a class: raises the error


def outside(room: str, name: str) -> bool:
    """Whether a name of a room is Keras's, but not for dense networks."""
    return name in _INSIDE.get(room, ()) or any(part in name for part in _PARTS.get(room, ()))


def placeholder(path: str) -> Any:
    """What stands for a name that is out of scope; using it raises.

    A class can be imported, asked for with `isinstance`, and instances can be made; these cannot be
    called or added to a model, and have no attributes. A function can be imported.

    Args:
        path: The path below `keras`, for the error.
    """
    room, _, name = path.rpartition(".")
    why = (
        "is of Keras's inside, which Gazelle has not."
        if name in _INSIDE.get(room, ())
        else "is out of Gazelle's scope: it is for dense networks (multilayer perceptrons)."
    )

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OutOfScopeError(f"keras.{path} {why}", fix="run this script with Keras")

    def get(owner: Any, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        return refuse()

    of_type: dict[str, Any] = {"__getattr__": get}
    if not name[:1].isupper():  # a function
        of_type["__call__"] = refuse
    kind = type("OutOfScope", (OutOfScope,), of_type)
    of_instances = {
        "__init__": lambda self, *args, **kwargs: None,
        "__call__": refuse,
        "__getattr__": get,
        "__module__": f"keras.{room}",
        "refuse": staticmethod(refuse),
    }
    return kind(name, (), of_instances)


def refuse_outside(layers: Any) -> None:
    """Refuse layers of a model that are out of scope.

    Raises:
        OutOfScopeError: One of them is.
    """
    for layer in layers if isinstance(layers, list | tuple) else [layers]:
        if isinstance(type(layer), OutOfScope):
            type(layer).refuse()
