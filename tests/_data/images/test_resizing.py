import jax
import keras
import numpy as np
import pytest

from gazelle.preprocessing.image import smart_resize

random = np.random.default_rng(0)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3"])
@pytest.mark.parametrize("size", [(4, 4), (20, 5), (3, 11), (1, 9)])
@pytest.mark.parametrize("shape", [(7, 12, 3), (2, 12, 7, 1)])
def test_pixels_are_those_of_keras(interpolation, size, shape):
    images = random.uniform(size=shape).astype("float32")
    ours = smart_resize(images, size, interpolation)
    theirs = keras.preprocessing.image.smart_resize(images, size, interpolation)
    assert isinstance(ours, np.ndarray)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_channels_may_come_first_and_bytes_become_floats():
    images = random.integers(0, 255, (3, 7, 12)).astype("uint8")
    ours = smart_resize(images, (5, 5), data_format="channels_first")
    np.testing.assert_allclose(
        ours, smart_resize(images.transpose(1, 2, 0), (5, 5)).transpose(2, 0, 1)
    )
    assert ours.dtype == "float32"
    assert isinstance(smart_resize(jax.numpy.asarray(images), (2, 2)), jax.Array)


@pytest.mark.parametrize("arguments", [((4,),), ((4, 0),), ((4, 4), "some")])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=r"size|interpolation"):
        smart_resize(np.zeros((4, 4, 1)), *arguments)
    with pytest.raises(ValueError, match="number of axes"):
        smart_resize(np.zeros((4, 4)), (2, 2))
