"""`tf.image` and the decoding of images, as far as dense networks of images go."""

from __future__ import annotations

import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gazelle import ops
from gazelle._core.errors import ArgumentError, DataError
from gazelle._core.packages import need
from gazelle.compat._tensorflow._dtypes import array_dtype
from gazelle.compat._tensorflow._host import HostTensor, host_tensor, one_text
from gazelle.compat._tensorflow._random import uniform
from gazelle.compat._tensorflow._table import ANSWERS, answers, enter, out_of_scope
from gazelle.compat._tensorflow._values import cast, convert_to_tensor, sizes

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@answers(
    *("io.decode_image", "image.decode_image", "io.decode_png", "image.decode_png"),
    *("io.decode_jpeg", "image.decode_jpeg", "io.decode_bmp", "image.decode_bmp"),
    *("io.decode_gif", "image.decode_gif", "io.decode_and_crop_jpeg"),
)
def _decode(contents: Any, channels: int | None = 0, dtype: Any = "uint8", **_: Any) -> Any:
    need("Decoding an image", "PIL")
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(one_text(contents)))
        image.load()
    except (UnidentifiedImageError, OSError) as error:
        raise DataError("The bytes are not an image that can be read.", fix=str(error)) from None
    if not channels:
        channels = {"L": 1, "1": 1, "RGBA": 4, "LA": 4}.get(image.mode, 3)
    pixels = np.asarray(image.convert(_MODES[channels]))
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return _convert_image_dtype(convert_to_tensor(pixels), dtype)


@answers("io.encode_png", "image.encode_png")
def _encode_png(image: Any, compression: int = -1) -> HostTensor:
    return _encoded(image, "PNG")


@answers("io.encode_jpeg", "image.encode_jpeg")
def _encode_jpeg(image: Any, format: str = "", quality: int = 95, **_: Any) -> HostTensor:
    return _encoded(image, "JPEG", quality=quality)


def _encoded(image: Any, form: str, **options: Any) -> HostTensor:
    need("Writing an image", "PIL")
    from PIL import Image

    pixels = np.asarray(image, np.uint8)
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.save(buffer, form, **options)
    return host_tensor(buffer.getvalue())


# ---- Types and colors ----


@answers("image.convert_image_dtype")
def _convert_image_dtype(image: Any, dtype: Any, saturate: bool = False) -> Any:
    image, wanted = convert_to_tensor(image), array_dtype(dtype)
    if image.dtype == wanted:
        return image
    from_whole = jnp.issubdtype(image.dtype, jnp.integer)
    to_whole = jnp.issubdtype(wanted, jnp.integer)
    if from_whole and to_whole:
        high, low = int(jnp.iinfo(image.dtype).max), int(jnp.iinfo(wanted).max)
        if high > low:
            return cast(image // ((high + 1) // (low + 1)), wanted)
        return cast(image, wanted) * ((low + 1) // (high + 1))
    if from_whole:
        return cast(image, wanted) * (1.0 / float(jnp.iinfo(image.dtype).max))
    if to_whole:
        scale = float(jnp.iinfo(wanted).max) + 0.5
        return ops.saturate_cast(image * scale, wanted.name)
    return cast(image, wanted)


@answers("image.rgb_to_grayscale")
def _rgb_to_grayscale(images: Any) -> Any:
    images = convert_to_tensor(images)
    floats = _convert_image_dtype(images, "float32")
    gray = floats @ jnp.asarray([0.2989, 0.587, 0.114])
    return _convert_image_dtype(gray[..., None], images.dtype)


@answers("image.grayscale_to_rgb")
def _grayscale_to_rgb(images: Any) -> Any:
    return jnp.repeat(convert_to_tensor(images), 3, axis=-1)


@answers("image.per_image_standardization")
def _per_image_standardization(image: Any) -> Any:
    image = cast(image, "float32")
    axes = (-3, -2, -1)
    least = 1 / np.sqrt(np.prod(image.shape[-3:]))
    spread = jnp.maximum(image.std(axes, keepdims=True), least)
    return (image - image.mean(axes, keepdims=True)) / spread


@answers("image.adjust_brightness")
def _adjust_brightness(image: Any, delta: Any) -> Any:
    return _in_floats(image, lambda x: x + delta)


@answers("image.adjust_contrast")
def _adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    def adjust(x: Any) -> Any:
        mean = x.mean((-3, -2), keepdims=True)
        return (x - mean) * contrast_factor + mean

    return _in_floats(images, adjust)


@answers("image.adjust_gamma")
def _adjust_gamma(image: Any, gamma: float = 1, gain: float = 1) -> Any:
    return _in_floats(image, lambda x: gain * x**gamma)


def _in_floats(image: Any, function: Any) -> Any:
    image = convert_to_tensor(image)
    changed = function(_convert_image_dtype(image, "float32"))
    return _convert_image_dtype(changed, image.dtype, saturate=True)


# ---- Sizes ----


@answers("image.resize", "image.resize_images")
def _resize(
    images: Any,
    size: Any,
    method: Any = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
) -> Any:
    images, (height, width) = convert_to_tensor(images), sizes(size)
    names = {"bicubic": "cubic", 0: "bilinear", 1: "nearest", 2: "cubic", 3: "area"}
    name = names.get(method, method)
    if name not in ("bilinear", "nearest", "cubic", "lanczos3", "lanczos5"):
        raise ArgumentError(
            "tf.image.resize: unknown method.",
            expected="bilinear, nearest, bicubic, lanczos3 or lanczos5",
            received=repr(method),
        )
    if preserve_aspect_ratio:
        ratio = min(height / images.shape[-3], width / images.shape[-2])
        height, width = (round(n * ratio) for n in images.shape[-3:-1])
    shape = (*images.shape[:-3], height, width, images.shape[-1])
    if name == "nearest":
        return jax.image.resize(images, shape, name)
    return jax.image.resize(cast(images, "float32"), shape, name, antialias=antialias)


class ResizeMethod:
    """The names of the methods of `tf.image.resize`."""

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"


enter("image.ResizeMethod", ResizeMethod)


@answers("image.crop_to_bounding_box")
def _crop(
    image: Any, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> Any:
    rows = slice(offset_height, offset_height + target_height)
    columns = slice(offset_width, offset_width + target_width)
    return convert_to_tensor(image)[..., rows, columns, :]


@answers("image.pad_to_bounding_box")
def _pad_to(
    image: Any, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> Any:
    image = convert_to_tensor(image)
    behind = (
        target_height - offset_height - image.shape[-3],
        target_width - offset_width - image.shape[-2],
    )
    widths = [(0, 0)] * (image.ndim - 3)
    widths += [(offset_height, behind[0]), (offset_width, behind[1]), (0, 0)]
    return jnp.pad(image, widths)


@answers("image.resize_with_crop_or_pad", "image.resize_image_with_crop_or_pad")
def _crop_or_pad(image: Any, target_height: int, target_width: int) -> Any:
    image = convert_to_tensor(image)
    height, width = image.shape[-3:-1]
    top, left = max(height - target_height, 0) // 2, max(width - target_width, 0) // 2
    image = _crop(image, top, left, min(height, target_height), min(width, target_width))
    height, width = image.shape[-3:-1]
    above, before = (target_height - height) // 2, (target_width - width) // 2
    return _pad_to(image, above, before, target_height, target_width)


@answers("image.central_crop")
def _central_crop(image: Any, central_fraction: float) -> Any:
    image = convert_to_tensor(image)
    top, left = (int((n - n * central_fraction) / 2) for n in image.shape[-3:-1])
    height, width = image.shape[-3:-1]
    return _crop(image, top, left, height - 2 * top, width - 2 * left)


# ---- Flips, and random changes ----


@answers("image.flip_left_right")
def _flip_left_right(image: Any) -> Any:
    return jnp.flip(convert_to_tensor(image), -2)


@answers("image.flip_up_down")
def _flip_up_down(image: Any) -> Any:
    return jnp.flip(convert_to_tensor(image), -3)


@answers("image.transpose")
def _transpose(image: Any) -> Any:
    return jnp.swapaxes(convert_to_tensor(image), -3, -2)


@answers("image.rot90")
def _rot90(image: Any, k: int = 1) -> Any:
    return jnp.rot90(convert_to_tensor(image), int(k), axes=(-3, -2))


def _between(low: float, high: float, seed: Any, shape: Any = ()) -> Any:
    return uniform(shape, low, high, seed=seed)


def _sometimes(image: Any, function: Any, seed: Any) -> Any:
    image = convert_to_tensor(image)
    shape = (image.shape[0], 1, 1, 1) if image.ndim == 4 else ()
    return jnp.where(_between(0.0, 1.0, seed, shape) < 0.5, function(image), image)


@answers("image.random_flip_left_right")
def _random_flip_left_right(image: Any, seed: Any = None) -> Any:
    return _sometimes(image, _flip_left_right, seed)


@answers("image.random_flip_up_down")
def _random_flip_up_down(image: Any, seed: Any = None) -> Any:
    return _sometimes(image, _flip_up_down, seed)


@answers("image.random_brightness")
def _random_brightness(image: Any, max_delta: float, seed: Any = None) -> Any:
    return _adjust_brightness(image, _between(-max_delta, max_delta, seed))


@answers("image.random_contrast")
def _random_contrast(image: Any, lower: float, upper: float, seed: Any = None) -> Any:
    return _adjust_contrast(image, _between(lower, upper, seed))


@answers("image.random_crop")
def _random_crop(value: Any, size: Any, seed: Any = None) -> Any:
    value, size = convert_to_tensor(value), sizes(size)
    starts = [
        int(_between(0.0, 1.0, seed) * (have - wanted + 1))
        for have, wanted in zip(value.shape, size, strict=True)
    ]
    return value[tuple(slice(s, s + n) for s, n in zip(starts, size, strict=True))]


enter("random_crop", ANSWERS["image.random_crop"])
for _name in (
    *("extract_patches", "random_hue", "random_saturation", "adjust_hue", "adjust_saturation"),
    *("ssim", "non_max_suppression", "draw_bounding_boxes", "crop_and_resize"),
):
    enter(f"image.{_name}", out_of_scope(f"tf.image.{_name}"))
