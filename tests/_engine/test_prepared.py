"""The data of the next epoch is made ready while one runs, and nobody can tell from the numbers."""

import numpy as np
import pytest

import gazelle
from gazelle._engine.runner import Runner
from gazelle.callbacks import CSVLogger, EarlyStopping, ReduceLROnPlateau

ROWS, EPOCHS = 90, 6  # six batches of 16, the last one shorter


class Own(EarlyStopping):
    """A callback of the user's: it may do anything between two epochs, so nothing is prepared."""


class Sequence(gazelle.utils.PyDataset):
    """Data that draws random numbers."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.random.normal(size=(8, 4)), np.zeros((8, 1))  # noqa: NPY002


@pytest.fixture
def prepared(monkeypatch):
    """How often an epoch was prepared."""
    counts = []
    real = Runner.prepare_epoch
    monkeypatch.setattr(Runner, "prepare_epoch", lambda runner: (counts.append(1), real(runner))[1])
    return counts


def train(callbacks, **arguments):
    gazelle.utils.set_random_seed(3)
    x = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
    y = x[:, :1] * 2
    model = gazelle.Sequential(
        [gazelle.layers.Input((4,)), gazelle.layers.Dense(8, "relu"), gazelle.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    history = model.fit(
        x, y, epochs=EPOCHS, batch_size=16, verbose=0, callbacks=callbacks, **arguments
    )
    return history.history, model.get_weights(), np.random.get_state(legacy=False)  # noqa: NPY002


def assert_same(one, other):
    assert one[0] == other[0]
    for a, b in zip(one[1], other[1], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_equal(one[2], other[2])


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
@pytest.mark.parametrize("steps", [None, 3])
def test_prepared_epochs_are_those_that_would_have_come(prepared, shuffle, steps):
    arguments = {"shuffle": shuffle, "steps_per_epoch": steps}
    found = train([EarlyStopping("loss", patience=100)], **arguments)
    assert len(prepared) >= EPOCHS - 2  # the first epoch may take more than one chunk
    prepared.clear()
    expected = train([Own("loss", patience=100)], **arguments)
    assert not prepared
    assert_same(found, expected)


def test_validation_runs_between_and_changes_nothing(prepared):
    data = np.ones((20, 4), "float32"), np.ones((20, 1), "float32")
    found = train([ReduceLROnPlateau("val_loss", patience=0)], validation_data=data)
    assert len(prepared) >= EPOCHS - 2
    assert_same(
        found,
        train(
            [ReduceLROnPlateau("val_loss", patience=0), Own("loss", patience=9)],
            validation_data=data,
        ),
    )


@pytest.mark.parametrize("kind", [EarlyStopping, Own])
def test_an_epoch_that_does_not_come_leaves_the_random_numbers_alone(prepared, kind):
    _, _, state = train([kind("loss", patience=0, baseline=-1.0, min_delta=1e9)])
    gazelle.utils.set_random_seed(3)
    for _ in range(
        2
    ):  # the first epoch is an improvement on nothing, after the second training ends
        np.random.permutation(ROWS)  # noqa: NPY002
    np.testing.assert_equal(state, np.random.get_state(legacy=False))  # noqa: NPY002
    assert bool(prepared) == (kind is EarlyStopping)


def test_nothing_is_prepared_beside_data_that_may_draw(prepared):
    train([EarlyStopping("loss", patience=100)], validation_data=Sequence())
    assert not prepared


def test_nothing_is_prepared_where_the_next_epoch_is_already_started(prepared, tmp_path):
    train([CSVLogger(tmp_path / "log.csv")])
    assert not prepared
