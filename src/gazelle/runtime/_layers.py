"""One function per layer class: it makes, from config and weights, a function of the inputs.

Inputs have the layer's dtype, except those of the layers in `KEEPS_DTYPE`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gazelle._core.errors import DataError, ShapeError, short
from gazelle.runtime import _activations as activations
from gazelle.runtime import _sequences as sequences
from gazelle.runtime._activations import ACTIVATIONS
from gazelle.runtime._merging import MERGING, unit
from gazelle.runtime._weights import Expected, Weights

Config = Mapping[str, Any]
Function = Callable[..., np.ndarray]
Maker = Callable[[Config, Weights], Function]


def same(x: np.ndarray) -> np.ndarray:
    """The input."""
    return x


def is_builtin(entry: Any) -> bool:
    """Whether a config names a class of Keras's, and not a class that a user registered."""
    module = str(entry.get("module"))
    of_keras = module == "keras" or module.startswith("keras.")
    return of_keras and entry.get("registered_name") in (None, entry.get("class_name"))


def _identity(config: Config, weights: Weights) -> Function:
    return same


def _activation_of(config: Config, weights: Weights, input_shape: Any) -> Function:
    """The function of `config["activation"]`: a name, or the config of a layer.

    Raises:
        DataError: It is not known.
    """
    given = config.get("activation") or "linear"
    if isinstance(given, str) and given in ACTIVATIONS:
        found = ACTIVATIONS[given]
        return same if found is activations.linear else found
    if isinstance(given, dict) and is_builtin(given) and given.get("class_name") in LAYERS:
        inner = weights.within("activation", input_shape)
        return LAYERS[given["class_name"]](given["config"], inner)
    name = given
    if isinstance(given, dict):
        of_function = given.get("class_name") == "function"
        name = given.get("config") if of_function else given.get("class_name")
    raise DataError(
        f"{weights.label}: gazelle.runtime has no activation {short(name, 60)!r}.",
        expected=f"a layer, or one of {', '.join(sorted(ACTIVATIONS))}",
        received=short(given),
        fix="predict with the model itself, in the library that saved it",
    )


def _activation(config: Config, weights: Weights) -> Function:
    return _activation_of(config, weights, weights.input_shape)


def _dense(config: Config, weights: Weights) -> Function:
    if config.get("quantization_config") is not None:
        raise DataError(
            f"{weights.label}: quantized layers are not supported.",
            expected="no quantization_config",
            received=short(config["quantization_config"]),
        )
    units, rank, inputs = config["units"], config.get("lora_rank"), weights.size(-1)
    expected: dict[str, Expected] = {"kernel": (inputs, units)}
    if config.get("use_bias", True):
        expected["bias"] = (units,)
    lora = rank if weights.count() > len(expected) else None  # Keras's files hold it merged
    if lora is not None:
        expected |= {"lora_kernel_a": (inputs, lora), "lora_kernel_b": (lora, units)}
    arrays = weights.take(**expected)
    kernel = arrays[0]
    if lora is not None:
        scale = (config.get("lora_alpha") or lora) / lora
        kernel = kernel + scale * (arrays[-2] @ arrays[-1])
    shape = None if weights.input_shape is None else (*weights.input_shape[:-1], units)
    activation = _activation_of(config, weights, shape)
    if not config.get("use_bias", True):
        return lambda x: activation(np.dot(x, kernel))
    bias = arrays[1]

    def dense(x: np.ndarray) -> np.ndarray:
        outputs = np.dot(x, kernel)
        outputs += bias
        return activation(outputs)

    return dense


def _relu(config: Config, weights: Weights) -> Function:
    slope, top = config.get("negative_slope", 0.0), config.get("max_value")
    threshold = config.get("threshold", 0.0)
    return lambda x: activations.relu(x, slope, top, threshold)


def _leaky_relu(config: Config, weights: Weights) -> Function:
    slope = config.get("negative_slope", 0.3)
    return lambda x: activations.leaky_relu(x, slope)


def _elu(config: Config, weights: Weights) -> Function:
    alpha = config.get("alpha", 1.0)
    return lambda x: activations.elu(x, alpha)


def _prelu(config: Config, weights: Weights) -> Function:
    shared = config.get("shared_axes") or []
    sizes = None
    if weights.input_shape is not None:
        sizes = tuple(1 if i in shared else n for i, n in enumerate(weights.input_shape))[1:]
    (alpha,) = weights.take(alpha=sizes)
    return lambda x: np.maximum(x, 0) - alpha * np.maximum(-x, 0)


def _einsum_dense(config: Config, weights: Weights) -> Function:
    return sequences.einsum_dense(config, weights, _activation_of(config, weights, None))


def _within(config: Config, weights: Weights, input_shape: tuple[int, ...] | None) -> Function:
    """The function of the layer that is the option `layer`.

    Raises:
        DataError: It is not known, or works along the batch axis.
    """
    entry: Any = config.get("layer")
    kind: Any = entry.get("class_name") if isinstance(entry, dict) and is_builtin(entry) else None
    inner: Any = entry["config"] if kind in LAYERS and kind not in MERGING else None
    if not isinstance(inner, dict) or inner.get("axis") == 0:
        raise DataError(
            f"{weights.label}: gazelle.runtime does not know the layer within.",
            expected=f"one of {', '.join(sorted(LAYERS))}",
            received=short(kind or entry),
            fix="predict with the model itself, in the library that saved it",
        )
    return LAYERS[kind](inner, weights.within("layer", input_shape))


def _time_distributed(config: Config, weights: Weights) -> Function:
    shape = weights.input_shape
    step = None if shape is None else (shape[0], *shape[2:])
    return sequences.time_distributed(_within(config, weights, step))


def _spectral_normalization(config: Config, weights: Weights) -> Function:
    weights.take(kernel=None, vector_u=None)  # for training
    return _within(config, weights, weights.input_shape)


def _reversible_embedding(config: Config, weights: Weights) -> Function:
    return sequences.reversible_embedding(config, weights, reverse=False)


def _softmax(config: Config, weights: Weights) -> Function:
    axis = _axes(config)

    def softmax(x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        if mask is None:
            return activations.softmax(x, axis)
        mask = mask if mask.dtype == bool else mask > 0.5
        # Finite, so that a row without any entry gives zeros instead of NaN.
        return activations.softmax(np.where(mask, x, x.dtype.type(-1e9)), axis) * mask

    return softmax


def _batch_normalization(config: Config, weights: Weights) -> Function:
    axis = config.get("axis", -1)
    names = ["gamma"] * config.get("scale", True) + ["beta"] * config.get("center", True)
    names += ["moving_mean", "moving_variance"]
    if config.get("renorm"):
        names += ["moving_stddev", "renorm_mean", "renorm_stddev"]
    size = (weights.size(axis),)
    taken = dict(zip(names, weights.take(**dict.fromkeys(names, size)), strict=True))
    wide = {name: array.astype(np.float64) for name, array in taken.items()}
    scale = wide.get("gamma", 1.0) / np.sqrt(wide["moving_variance"] + config["epsilon"])
    shift = wide.get("beta", 0.0) - wide["moving_mean"] * scale
    factor, offset = scale.astype(weights.dtype), shift.astype(weights.dtype)

    def batch_normalization(x: np.ndarray) -> np.ndarray:
        shape = [1] * x.ndim
        shape[axis] = -1
        outputs = x * factor.reshape(shape)
        outputs += offset.reshape(shape)
        return outputs

    return batch_normalization


def _layer_normalization(config: Config, weights: Weights) -> Function:
    given = _axes(config)
    given = (given,) if isinstance(given, int) else given
    sizes = weights.sizes(given)
    only_scales = config.get("rms_scaling", False)
    names = ["gamma"] * bool(config.get("scale", True) or only_scales)
    names += ["beta"] * bool(config.get("center", True) and not only_scales)
    taken = dict(zip(names, weights.take(**dict.fromkeys(names, sizes)), strict=True))
    gamma, beta, epsilon = taken.get("gamma"), taken.get("beta"), config["epsilon"]

    def layer_normalization(x: np.ndarray) -> np.ndarray:
        axes = tuple(sorted(axis % x.ndim for axis in given))
        shape = [n if i in axes else 1 for i, n in enumerate(x.shape)]
        outputs = x - x.mean(axes, keepdims=True)
        variance = np.square(outputs).mean(axes, keepdims=True)
        factor = 1 / np.sqrt(variance + epsilon)
        if only_scales:
            outputs = x.copy()
        outputs *= factor if gamma is None else factor * gamma.reshape(shape)
        if beta is not None:
            outputs += beta.reshape(shape)
        return outputs

    return layer_normalization


def _normalization(config: Config, weights: Weights) -> Function:
    axis = config.get("axis", -1)
    given = [axis] if isinstance(axis, int) else list(axis or [])
    if config.get("mean") is None:  # `adapt` has set them
        sizes = weights.sizes(given)
        mean, variance, _ = weights.take(mean=sizes, variance=sizes, count=())
    else:
        mean, variance = (np.asarray(config[name], weights.dtype) for name in ("mean", "variance"))
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    inverts = config.get("invert", False)

    def normalization(x: np.ndarray) -> np.ndarray:
        kept = sorted(axis % x.ndim for axis in given)
        shape = [1] * x.ndim
        for place in range(-mean.ndim, 0):
            shape[kept[place]] = mean.shape[place]
        center, scale = mean.reshape(shape), deviation.reshape(shape)
        return x * scale + center if inverts else (x - center) / scale

    return normalization


def _unit_normalization(config: Config, weights: Weights) -> Function:
    axis = _axes(config)
    return lambda x: unit(x, axis)


def _rescaling(config: Config, weights: Weights) -> Function:
    scale, offset = (
        np.asarray(value["config"]["value"] if isinstance(value, dict) else value, weights.dtype)
        for value in (config["scale"], config.get("offset", 0.0))
    )
    return lambda x: x * scale + offset


def _flatten(config: Config, weights: Weights) -> Function:
    channels_first = config.get("data_format") == "channels_first"

    def flatten(x: np.ndarray) -> np.ndarray:
        if channels_first and x.ndim > 1:
            x = np.moveaxis(x, 1, -1)
        return x.reshape((len(x), math.prod(x.shape[1:])))

    return flatten


def _reshape(config: Config, weights: Weights) -> Function:
    target = tuple(config["target_shape"])
    known = math.prod(n for n in target if n != -1)

    def reshape(x: np.ndarray) -> np.ndarray:
        total = math.prod(x.shape[1:])
        shape = tuple(total // max(known, 1) if n == -1 else n for n in target)
        if math.prod(shape) != total:  # NumPy does not check it for 0 rows
            raise ShapeError(
                f"{weights.label} cannot reshape its input.",
                expected=f"{known} numbers per row for {target}",
                received=f"{total} numbers of {x.shape[1:]}",
            )
        return x.reshape((len(x), *shape))

    return reshape


def _permute(config: Config, weights: Weights) -> Function:
    order = (0, *config["dims"])
    return lambda x: x.transpose(order)


def _repeat_vector(config: Config, weights: Weights) -> Function:
    n = config["n"]
    return lambda x: np.repeat(x[:, None], n, axis=1)


def _axes(config: Config) -> Any:
    """The option `axis`: an int, or a tuple of ints."""
    axis = config.get("axis", -1)
    return tuple(axis) if isinstance(axis, list) else axis


LAYERS: dict[str, Maker] = {
    "Activation": _activation,
    "ActivityRegularization": _identity,
    "AlphaDropout": _identity,
    "BatchNormalization": _batch_normalization,
    "Dense": _dense,
    "Dropout": _identity,
    "ELU": _elu,
    "EinsumDense": _einsum_dense,
    "Embedding": sequences.embedding,
    "Flatten": _flatten,
    "GaussianDropout": _identity,
    "GaussianNoise": _identity,
    "GlobalAveragePooling1D": sequences.global_average_pooling,
    "GlobalMaxPooling1D": sequences.global_max_pooling,
    "GroupNormalization": sequences.group_normalization,
    "Identity": _identity,
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": _leaky_relu,
    "Masking": sequences.masking,
    "Normalization": _normalization,
    "PReLU": _prelu,
    "Permute": _permute,
    "RMSNormalization": sequences.rms_normalization,
    "ReLU": _relu,
    "RepeatVector": _repeat_vector,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "ReversibleEmbedding": _reversible_embedding,
    "Softmax": _softmax,
    "SpatialDropout1D": _identity,
    "SpectralNormalization": _spectral_normalization,
    "TimeDistributed": _time_distributed,
    "UnitNormalization": _unit_normalization,
    **{name: lambda config, weights, make=make: make(config) for name, make in MERGING.items()},
}

# They also keep the dtype of inputs that are not floats.
KEEPS_DTYPE = {
    *MERGING,
    *(name for name, maker in LAYERS.items() if maker is _identity),
    "Embedding",
    "Flatten",
    "GlobalMaxPooling1D",
    "Masking",
    "Permute",
    "RepeatVector",
    "Reshape",
    "ReversibleEmbedding",
} - {"Average", "Dot"}
