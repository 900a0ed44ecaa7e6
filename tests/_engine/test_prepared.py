"""The data of the next epoch is prepared while one runs, and the numbers stay the same."""

import numpy as np
import pytest

import gazelle
from gazelle._engine.runner import Runner
from gazelle.callbacks import CSVLogger, EarlyStopping, ReduceLROnPlateau

ROWS, EPOCHS = 90, 6  # six batches of 16, the last one shorter


class Own(EarlyStopping):
    """A user's callback may do anything between two epochs, so nothing is prepared."""


class Sequence(gazelle.utils.PyDataset):
    """Data that draws random numbers."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.random.normal(size=(8, 4)), np.zeros((8, 1))  # noqa: NPY002


@pytest.fixture
def prepared(monkeypatch):
    """A list with one entry for each epoch that was prepared."""
    runners = []
    prepare_epoch = Runner.prepare_epoch

    def counted(runner):
        runners.append(runner)
        return prepare_epoch(runner)

    monkeypatch.setattr(Runner, "prepare_epoch", counted)
    return runners


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
def test_prepared_epochs_are_the_same_as_others(prepared, shuffle, steps):
    arguments = {"shuffle": shuffle, "steps_per_epoch": steps}
    found = train([EarlyStopping("loss", patience=100)], **arguments)
    assert len(prepared) >= EPOCHS - 2  # the first epoch may take more than one chunk
    prepared.clear()
    expected = train([Own("loss", patience=100)], **arguments)
    assert not prepared
    assert_same(found, expected)


def test_validation_between_epochs_changes_nothing(prepared):
    data = np.ones((20, 4), "float32"), np.ones((20, 1), "float32")
    found = train([ReduceLROnPlateau("val_loss", patience=0)], validation_data=data)
    assert len(prepared) >= EPOCHS - 2
    callbacks = [ReduceLROnPlateau("val_loss", patience=0), Own("loss", patience=9)]
    assert_same(found, train(callbacks, validation_data=data))


@pytest.mark.parametrize("kind", [EarlyStopping, Own])
def test_an_epoch_that_is_not_run_draws_no_random_numbers(prepared, kind):
    _, _, state = train([kind("loss", patience=0, baseline=-1.0, min_delta=1e9)])
    gazelle.utils.set_random_seed(3)
    # Two epochs: the first always improves, and training ends after the second.
    for _ in range(2):
        np.random.permutation(ROWS)  # noqa: NPY002
    np.testing.assert_equal(state, np.random.get_state(legacy=False))  # noqa: NPY002
    assert bool(prepared) == (kind is EarlyStopping)


def test_nothing_is_prepared_if_validation_data_may_draw_random_numbers(prepared):
    train([EarlyStopping("loss", patience=100)], validation_data=Sequence())
    assert not prepared


def test_nothing_is_prepared_if_the_next_epoch_is_already_started(prepared, tmp_path):
    train([CSVLogger(tmp_path / "log.csv")])
    assert not prepared
