import numpy as np
import pytest

import gazelle
from gazelle import layers
from gazelle.utils import timeseries_dataset_from_array


def windows(*arguments, **options):
    """All windows and targets."""
    batches = list(timeseries_dataset_from_array(*arguments, **options))
    if not isinstance(batches[0], tuple):
        return np.concatenate(batches), None
    x, y = zip(*batches, strict=True)
    return np.concatenate(x), np.concatenate(y)


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize(("start", "end"), [(None, None), (5, 30)])
def test_windows_are_those_of_the_definition(length, stride, rate, start, end):
    series = np.arange(40) * 10
    x, y = windows(series, -series, length, stride, rate, 7, start_index=start, end_index=end)
    used = series[start:end]
    last = len(used) - (length - 1) * rate
    expected = [used[i : i + length * rate : rate] for i in range(0, last, stride)]
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, -x[:, 0])


def test_the_example_of_the_indices_of_keras():
    x, y = windows(np.arange(99), None, 10, sampling_rate=2, sequence_stride=3)
    assert y is None
    assert x[0].tolist() == list(range(0, 19, 2))
    assert x[-1].tolist() == list(range(78, 97, 2))


def test_targets_end_the_windows():
    series = np.arange(20)
    x, y = windows(series[:-10], series[10:], 10)
    assert (len(x), y.tolist()) == (1, [10])


def test_shuffled_windows_keep_their_targets_and_follow_the_seed():
    series = np.arange(100)
    one, targets = windows(series, series, 5, shuffle=True, seed=3, batch_size=16)
    np.testing.assert_array_equal(one[:, 0], targets)
    assert not np.array_equal(one, windows(series, series, 5)[0])
    np.testing.assert_array_equal(np.sort(one, axis=0), windows(series, series, 5)[0])
    again = windows(series, series, 5, shuffle=True, seed=3, batch_size=16)[0]
    np.testing.assert_array_equal(one, again)


def test_single_windows_and_batches():
    data = timeseries_dataset_from_array(np.zeros((50, 3)), np.arange(50), 5, batch_size=None)
    assert len(data) == 46
    assert data[-1][0].shape == (5, 3)
    assert data[-1][1] == 45
    data = timeseries_dataset_from_array(np.zeros((50, 3)), None, 5, batch_size=20)
    assert [len(batch) for batch in data] == [20, 20, 6]
    with pytest.raises(IndexError):
        data[3]


def test_a_model_learns_the_next_value():
    series = np.sin(np.arange(400) / 5).astype("float32")
    data = timeseries_dataset_from_array(series[:-8], series[8:], 8, batch_size=32)
    model = gazelle.Sequential([gazelle.Input((8,)), layers.Dense(1)])
    model.compile(gazelle.optimizers.Adam(0.05), "mse")
    assert model.fit(data, epochs=15, verbose=0).history["loss"][-1] < 0.01
    assert model.predict(data).shape == (385, 1)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sequence_length": 0}, "sequence_length"),
        ({"sampling_rate": 0}, "sampling_rate"),
        ({"sampling_rate": 10}, "sampling_rate"),
        ({"sequence_stride": 10}, "sequence_stride"),
        ({"start_index": -1}, "start_index"),
        ({"start_index": 11}, "start_index"),
        ({"end_index": -1}, "end_index"),
        ({"end_index": 11}, "end_index"),
        ({"start_index": 5, "end_index": 3}, "end_index"),
        ({"sequence_length": 11}, "not a single window"),
    ],
)
def test_numbers_out_of_range_are_refused(options, problem):
    with pytest.raises(ValueError, match=problem):
        timeseries_dataset_from_array(np.arange(10), None, **{"sequence_length": 3, **options})
