"""Windows: every sample comes once and in order, whatever fits into a buffer."""

import jax
import numpy as np
import pytest

import gazelle
from gazelle._data import windows
from gazelle._data.feeds import ArrayFeed
from gazelle._data.memory import aligned_cast, aligned_empty
from gazelle._data.windows import Resident, Window, gather, on_device


@pytest.fixture
def small(monkeypatch):
    """Allows windows of any small size."""
    monkeypatch.setattr(windows, "LARGEST_WINDOW_BYTES", 0)


def batches_of(feed, source, order):
    """`[x, y]` of each batch of a pass."""
    source.begin(order)
    found, position = [], 0
    while position < feed.batches:
        piece = source.piece(position)
        sizes = [feed.batch_size] * piece.batches + [feed.tail] * piece.tail
        assert sizes
        row = piece.row
        for size in sizes:
            rows = slice(row, row + size) if piece.order is None else piece.order[row : row + size]
            found.append([np.array(array)[rows] for array in piece.data[:2]])
            row += size
        position += len(sizes)
        if position < feed.batches:
            source.prepare(position)
    return found


@pytest.mark.parametrize("samples", [3, 8, 16, 17, 50])
@pytest.mark.parametrize("window_batches", [1, 2, 3, 100])
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_window_gives_every_sample_once_and_in_order(samples, window_batches, shuffled, small):
    x, y = np.arange(samples * 3, dtype="float64").reshape(samples, 3), np.arange(samples)
    feed = ArrayFeed(x, y, batch_size=8)
    window = Window(feed, window_batches * 8 * (3 * 4 + 4))
    for _ in range(3):
        order = np.random.default_rng(samples).permutation(samples) if shuffled else None
        rows = np.arange(samples) if order is None else order
        found = batches_of(feed, window, order)
        assert [len(part) for part, _ in found] == [
            len(rows[at : at + 8]) for at in range(0, samples, 8)
        ]
        np.testing.assert_array_equal(np.concatenate([part for part, _ in found]), x[rows])
        np.testing.assert_array_equal(np.concatenate([part for _, part in found]), rows)


def test_a_window_has_the_types_of_the_device():
    data = ArrayFeed(np.zeros((9, 2)), np.zeros(9, "int64"), np.ones(9, "uint8"), batch_size=4)
    window = Window(data, 1 << 20)
    window.begin(np.arange(9))
    assert [array.dtype for array in window.piece(0).data] == ["float32", "int32", "uint8"]


@pytest.mark.parametrize("rows", [np.array([4, 0, 2, 2]), slice(1, 5)])
def test_gathering_converts_and_takes_any_layout(rows):
    grid = np.random.default_rng(0).normal(size=(6, 5))
    for array in (
        grid,
        grid.astype("float32"),
        np.asfortranarray(grid.astype("float32")),
        grid[:, ::2],
        grid > 0,
    ):
        out = aligned_empty((4, array.shape[1]), "float32")
        gather(array, rows, out)
        np.testing.assert_array_equal(out, array[rows].astype("float32"))
    gather(np.full((6, 5), 1e300), rows, out := np.empty((4, 5), "float32"))
    assert np.isinf(out).all()


def test_large_arrays_are_converted_part_by_part(monkeypatch):
    monkeypatch.setattr(windows, "_GATHER_BYTES", 100)
    x = np.random.default_rng(0).normal(size=(40, 7))
    rows = np.random.default_rng(1).permutation(40)
    gather(x, rows, out := np.empty((40, 7), "float32"))
    np.testing.assert_array_equal(out, x[rows].astype("float32"))


def test_data_that_is_read_in_its_order_is_used_where_it_is():
    x = aligned_cast(np.ones((20, 16)), np.float32)
    source = on_device(ArrayFeed(x, shuffle=False))
    assert isinstance(source, Resident)
    source.begin(None)
    assert source.piece(0, with_tail=True).data[0].unsafe_buffer_pointer() == x.ctypes.data
    assert isinstance(on_device(ArrayFeed(x, shuffle=True)), Window)
    assert isinstance(
        on_device(ArrayFeed(np.ones((20, 16)), shuffle=False)), Window
    )  # float64 must be converted


def test_an_accelerator_gets_the_whole_data_or_windows(monkeypatch, small):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    feed = ArrayFeed(np.arange(80.0).reshape(20, 4), np.arange(20), batch_size=8, shuffle=True)
    order = np.random.default_rng(0).permutation(20)
    for free, kind in ((1 << 30, Resident), (100, Window)):
        monkeypatch.setattr(windows, "_free_memory", lambda free=free: free)
        source = on_device(feed)
        assert isinstance(source, kind)
        found = batches_of(feed, source, order)
        np.testing.assert_array_equal(np.concatenate([part for _, part in found]), order)


def trained(x, y, **arguments):
    gazelle.utils.set_random_seed(3)
    layers = [gazelle.layers.Dense(3, activation="tanh"), gazelle.layers.Dense(1)]
    model = gazelle.Sequential([gazelle.Input((4,)), *layers])
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(
        x, y, epochs=3, batch_size=8, verbose=0, validation_split=0.2, **arguments
    ).history
    return history, model.get_weights()


@pytest.mark.parametrize(
    "arguments", [{}, {"shuffle": False}, {"shuffle": "batch"}, {"steps_per_epoch": 4}]
)
def test_small_windows_change_no_number(arguments, monkeypatch, small):
    x = np.random.default_rng(0).normal(size=(130, 4))
    y = x[:, :1] * x[:, 1:2]
    history, weights = trained(x, y, **arguments)
    monkeypatch.setattr(windows, "WINDOW_BYTES", 300)
    again, others = trained(x, y, **arguments)
    assert history == again
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_mapped_into_memory_trains_like_an_array(tmp_path, monkeypatch, small):
    monkeypatch.setattr(windows, "WINDOW_BYTES", 1000)
    x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    history, _ = trained(x, x[:, :1])
    assert trained(np.load(tmp_path / "x.npy", mmap_mode="r"), x[:, :1])[0] == history


def test_data_that_a_callback_changes_between_epochs_is_trained_on_as_changed():
    class Clears(gazelle.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            x[:] = 0

    x, y = (
        np.random.default_rng(0).normal(size=(64, 4)).astype("float32"),
        np.zeros((64, 1), "float32"),
    )
    model = gazelle.Sequential([gazelle.Input((4,)), gazelle.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    assert model.fit(x, y, epochs=2, verbose=0, callbacks=[Clears()]).history["loss"][1] == 0


def test_a_window_holds_some_batches_even_where_they_are_large():
    feed = ArrayFeed(np.zeros((100, 4), "float32"), batch_size=10)
    window = Window(feed, 1)
    window.begin(np.arange(100))
    assert window.piece(0).batches == 4
