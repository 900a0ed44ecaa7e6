import numpy as np
import pytest

from gazelle._core.errors import DataError
from gazelle._report import figures, runs


def test_predictions_keep_float16_and_convert_other_types_to_float32(tmp_path):
    outputs = np.random.default_rng(0).random((5, 3))
    runs.write_predictions(tmp_path, [0, 1, 2, 0, 1], outputs.astype(np.float16))
    found = runs.read_predictions(tmp_path)
    assert (found.labels.dtype, found.outputs.dtype) == (np.int32, np.float16)
    runs.write_predictions(tmp_path, [0.5] * 5, outputs)
    found = runs.read_predictions(tmp_path)
    assert (found.labels.dtype, found.outputs.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(found.outputs, outputs, rtol=1e-6)


def test_predictions_of_another_length_are_refused(tmp_path):
    with pytest.raises(DataError, match="numbers of rows"):
        runs.write_predictions(tmp_path, [0, 1], np.zeros((3, 2)))


def test_the_most_confidently_wrong_come_first():
    probabilities = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.01, 0.99]]
    assert figures.most_confidently_wrong([1, 0, 1, 0], probabilities, 2).tolist() == [3, 0]
    assert figures.most_confidently_wrong([0, 1, 1, 1], probabilities, 2).tolist() == []


def test_samples_show_each_class_and_the_wrong_predictions(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
    labels = np.arange(40) % 4
    probabilities = rng.dirichlet(np.ones(4), 40)
    samples = figures.choose_samples(images, labels, probabilities, per_class=3, wrong=5)
    assert samples.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    for image, label in zip(samples.images, samples.labels, strict=True):
        assert any(np.array_equal(image, other) for other in images[labels == label])
    places = figures.most_confidently_wrong(labels, probabilities, 5)
    np.testing.assert_array_equal(samples.wrong_images, images[places])
    np.testing.assert_array_equal(samples.wrong_predictions, probabilities.argmax(axis=1)[places])
    assert np.all(np.diff(samples.wrong_confidences) <= 0)
    runs.write_samples(tmp_path, samples)
    found = runs.read_samples(tmp_path)
    np.testing.assert_array_equal(found.images, samples.images)
    np.testing.assert_array_equal(found.wrong_labels, samples.wrong_labels)


def test_samples_without_predictions_have_no_mistakes(tmp_path):
    samples = figures.choose_samples(np.zeros((4, 2, 2)), [0, 1, 0, 1])
    runs.write_samples(tmp_path, samples)
    assert len(runs.read_samples(tmp_path).wrong_images) == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 127.5, 255.0], [0, 128, 255]),
        ([0, 8, 16], [0, 128, 255]),
    ],
)
def test_floats_are_rescaled_to_bytes(values, expected):
    assert figures.as_bytes(np.array(values).reshape(1, 1, 3)).reshape(-1).tolist() == expected


def test_one_channel_is_dropped_and_other_shapes_are_refused():
    assert figures.as_bytes(np.zeros((2, 4, 5, 1), np.uint8)).shape == (2, 4, 5)
    with pytest.raises(DataError, match="shown as images"):
        figures.as_bytes(np.zeros((2, 64)))
    with pytest.raises(DataError, match="shown as images"):
        figures.as_bytes(np.zeros((2, 4, 4, 2)))


def test_inconsistent_samples_are_refused(tmp_path):
    samples = figures.choose_samples(np.zeros((4, 2, 2)), [0, 1, 0, 1])
    samples.labels = samples.labels[:1]
    with pytest.raises(DataError, match="labels of shape"):
        runs.write_samples(tmp_path, samples)
