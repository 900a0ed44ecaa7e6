"""Single images: opened, converted and written as by Keras; damaged files are named."""

import io
import os
import struct
import subprocess
import sys
import zlib

import keras
import numpy as np
import pytest
from PIL import Image

from gazelle._core.errors import ArgumentError, DataError, ShapeError
from gazelle._data.images.decoding import FORMATS
from gazelle.utils import array_to_img, img_to_array, load_img, save_img

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (12, 16, 4), np.uint8)


@pytest.fixture
def png(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
@pytest.mark.parametrize("size", [None, (5, 9), (30, 12)])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "lanczos"])
@pytest.mark.parametrize("keep", [False, True])
def test_load_img_equals_keras(png, color_mode, size, interpolation, keep):
    if color_mode != "rgba":  # see below
        Image.fromarray(np.where(np.arange(4) == 3, np.uint8(255), PIXELS)).save(png)
    arguments = {"color_mode": color_mode, "target_size": size, "interpolation": interpolation}
    ours = load_img(png, keep_aspect_ratio=keep, **arguments)
    theirs = keras.utils.load_img(png, keep_aspect_ratio=keep, **arguments)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def strokes(value, mode):
    """A bar in 2 of 8 columns on transparency, stored in one of the ways of image files."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 3:5] = (value, value, value, 255)
    image = Image.fromarray(pixels)
    if mode == "RGBA":
        return image, {}
    if mode == "LA":
        return image.convert("LA"), {}
    grey = Image.fromarray(np.where(pixels[..., 3] > 0, value, 77).astype(np.uint8))
    return (grey if mode == "L" else grey.convert(mode)), {
        "transparency": (77, 77, 77) if mode == "RGB" else 77
    }


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "RGB", "P"])
@pytest.mark.parametrize(("value", "background"), [(0, 255), (150, 255), (255, 0)])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_a_transparent_image_gets_a_white_background_and_white_strokes_a_black_one(
    mode, value, background, color_mode, tmp_path
):
    image, options = strokes(value, mode)
    image.save(tmp_path / "a.png", **options)
    found = np.asarray(load_img(tmp_path / "a.png", color_mode)).reshape(8, 8, -1)
    expected = np.full((8, 8), background)
    expected[:, 3:5] = value
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], found.shape[2], axis=2))


def test_half_transparent_edges_are_blended_with_the_background(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, 1, 3], pixels[:, 2, 3] = 128, 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.asarray(load_img(tmp_path / "a.png", "grayscale"))[0].tolist() == [255, 127, 0, 255]


def test_a_fully_transparent_image_is_white(tmp_path):
    Image.new("RGBA", (3, 3)).save(tmp_path / "a.png")
    assert np.asarray(load_img(tmp_path / "a.png")).min() == 255


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "a pipe, a device or a socket"),
        (lambda path: os.symlink("/dev/zero", path), "a pipe, a device or a socket"),
        (os.mkdir, "pass the path of an image in it"),
        (lambda path: os.symlink("nowhere", path), "a broken link"),
        (lambda path: None, "fix: check the path"),
    ],
)
def test_anything_but_a_regular_file_is_refused_and_never_waited_for(make, words, tmp_path):
    make(tmp_path / "a.png")
    with pytest.raises(DataError, match=words):
        load_img(tmp_path / "a.png")


def test_load_img_takes_an_open_file(png):
    np.testing.assert_array_equal(
        np.asarray(load_img(io.BytesIO(png.read_bytes()), "rgba")), PIXELS
    )


def test_only_the_plugins_of_the_supported_formats_are_loaded(png):
    program = (
        "import sys; from gazelle._data.images.decoding import opened; opened(sys.argv[1]);"
        " print('PIL.WebPImagePlugin' in sys.modules, 'PIL.FliImagePlugin' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, png], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize("data_format", [None, "channels_last", "channels_first"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_pictures_and_arrays_are_converted_as_in_keras(mode, data_format):
    picture = Image.fromarray(PIXELS).convert(mode)
    array = img_to_array(picture, data_format)
    theirs = keras.utils.img_to_array(picture, data_format)
    assert array.dtype == theirs.dtype
    np.testing.assert_array_equal(array, theirs)
    for scale in (True, False):
        back, other = (
            m.array_to_img(array, data_format, scale=scale)
            for m in (__import__("gazelle").utils, keras.utils)
        )
        assert back.mode == other.mode
        np.testing.assert_array_equal(np.asarray(back), np.asarray(other))


def test_scaling_takes_any_range_and_a_plain_area_as_keras_does():
    for x in (np.full((2, 2, 1), 7.0), RNG.normal(size=(3, 3, 3)), np.array([[[1.0], [300.0]]])):
        for scale in (True, False):
            ours, theirs = array_to_img(x, scale=scale), keras.utils.array_to_img(x, scale=scale)
            assert ours.mode == theirs.mode
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_save_img_writes_what_load_img_reads(tmp_path):
    save_img(tmp_path / "b.png", PIXELS, scale=False)
    np.testing.assert_array_equal(np.asarray(load_img(tmp_path / "b.png", "rgba")), PIXELS)
    save_img(tmp_path / "b.jpg", PIXELS)
    assert load_img(tmp_path / "b.jpg").size == (16, 12)
    save_img(str(tmp_path / "b"), PIXELS[:, :, :3], file_format="jpg", quality=90)
    assert (tmp_path / "b").read_bytes()[:3] == b"\xff\xd8\xff"
    with pytest.raises(ArgumentError, match="which format"):
        save_img(tmp_path / "b.xyz", PIXELS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "b.jpg", "b.png"]


@pytest.mark.parametrize(("shape", "text"), [((2, 2), "rank 3"), ((2, 2, 2), "channel number: 2")])
def test_an_array_that_is_not_an_image_is_refused(shape, text):
    with pytest.raises(ShapeError, match=text):
        array_to_img(np.ones(shape))


def test_unknown_argument_values_are_refused(png):
    for arguments in ({"color_mode": "bgr"}, {"interpolation": "cubic"}):
        with pytest.raises(ArgumentError, match="unknown value"):
            load_img(png, **arguments)
    with pytest.raises(ArgumentError, match="data_format"):
        img_to_array(Image.new("L", (2, 2)), "nchw")


def header_of(width, height):
    """A PNG whose header declares this size but whose body holds a single line of pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


DAMAGED = {
    "empty": b"",
    "web page": b"<!DOCTYPE html><p>not found",
    "bomb": header_of(20000, 20000),
    "quiet bomb": header_of(12000, 7000),
    "largest": header_of(2**31 - 1, 2**31 - 1),
    "no pixels": header_of(0, 5),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 5\n",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_is_not_an_image_is_refused_by_name(name, tmp_path):
    (tmp_path / "bad.png").write_bytes(DAMAGED[name])
    with pytest.raises(DataError, match=r"bad\.png"):
        load_img(tmp_path / "bad.png")
    with pytest.raises(DataError, match="in memory"):
        load_img(io.BytesIO(DAMAGED[name]))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_image_is_refused_by_name(kind, share, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), np.uint8)).save(buffer, kind)
    data = buffer.getvalue()
    (tmp_path / "cut.png").write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"cut\.png"):
        load_img(tmp_path / "cut.png")


def test_16_bits_are_scaled_to_8_and_not_clipped(tmp_path):
    values = np.array([[0, 255, 256, 40000, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    for mode in ("rgb", "grayscale"):
        picture = np.asarray(load_img(tmp_path / "deep.png", mode)).reshape(5, -1)
        assert picture[:, 0].tolist() == [0, 0, 1, 156, 255]


def test_the_orientation_of_a_camera_is_ignored_as_in_keras(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "turned.jpg", exif=exif)
    assert (
        load_img(tmp_path / "turned.jpg").size
        == (20, 10)
        == keras.utils.load_img(tmp_path / "turned.jpg").size
    )
