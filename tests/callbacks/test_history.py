"""History after fit: the curves of all epochs, and a record of each fit."""

import copy
import math
import pickle

import numpy as np
import pytest

from gazelle import callbacks, layers, models, optimizers, utils
from gazelle.callbacks import History

LOT = np.random.default_rng(0)
X = LOT.normal(size=(48, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)


@pytest.fixture
def model():
    network = models.Sequential([layers.Input((3,)), layers.Dense(1, activation="sigmoid")])
    network.compile(optimizers.SGD(0.1), "binary_crossentropy")
    return network


class Mine(callbacks.Callback):
    """A user's callback that sets the learning rate."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.5 / (epoch + 1)


def history(*rows):
    found = History()
    found.on_train_begin()
    for epoch, logs in enumerate(rows):
        found.on_epoch_end(epoch, logs)
    return found


def test_curves_are_drawn_after_a_validation_every_fifth_epoch(model, tmp_path):
    found = model.fit(X, Y, epochs=7, validation_data=(X, Y), validation_freq=5, verbose=0)
    figure = found.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    lines = {line.get_label(): line.get_xdata() for line in figure.axes[0].lines}
    assert list(lines["training"]) == list(range(1, 8))
    assert list(lines["validation"]) == [5]


@pytest.mark.parametrize(
    "rows",
    [
        [{"loss": 1.0}],
        [{"loss": math.nan}, {"loss": math.nan}],
        [{"loss": 1.0}, {"loss": math.inf}, {"loss": -math.inf}],
        [{"loss": 1.0, "val_loss": math.nan}, {"loss": 0.0, "note": "text", "table": np.eye(2)}],
        [{}, {"loss": 2.0}],
        [{"loss": 1e-30}, {"loss": 1e30}],
    ],
)
def test_everything_that_was_logged_can_be_plotted(rows):
    figure = history(*rows).plot()
    figure.canvas.draw()
    assert len(figure.axes) == 1


def test_the_course_omits_values_that_are_not_numbers_and_keeps_the_positions():
    epochs, figures = history({"loss": 1.0, "note": "a"}, {"loss": 2.0, "val_loss": 3.0}).course()
    assert epochs == [1, 2]
    assert sorted(figures) == ["loss", "val_loss"]
    np.testing.assert_array_equal(figures["val_loss"], [math.nan, 3.0])


def test_a_second_fit_continues_the_count_and_both_are_recorded(model):
    model.fit(X, Y, epochs=2, verbose=0)
    model.fit(X, Y, epochs=5, initial_epoch=2, batch_size=16, verbose=0)
    found = model.fit(X[:40], Y[:40], epochs=1, verbose=0)
    assert found.course()[0] == [1, 2, 3, 4, 5, 6]
    assert found.epoch == [0]  # as in Keras
    assert [(fit.rows, fit.batch_size, fit.done) for fit in found.fits] == [
        (48, 32, 2),
        (48, 16, 3),
        (40, 32, 1),
    ]
    assert [fit.continued for fit in found.fits] == [None, True, True]
    assert all(fit.seconds > 0 and fit.started for fit in found.fits)


def test_one_history_for_two_fits_counts_them_once(model):
    mine = History()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[mine])
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[mine])
    assert mine.course()[0] == [1, 2, 3]
    assert [fit.done for fit in mine.fits] == [2, 1]


def test_the_parts_of_a_validation_split_are_told_apart(model):
    fit = model.fit(X, Y, validation_split=0.25, verbose=0).fits[0]
    assert (fit.rows, fit.validation, fit.validation_rows) == (36, "validation_split", 12)
    assert fit.label_counts == np.bincount(Y[:36]).tolist()
    assert fit.validation_label_counts == np.bincount(Y[36:], minlength=2).tolist()


def test_only_known_facts_are_recorded_for_a_generator(model):
    def batches():
        while True:
            yield X[:8], Y[:8]

    fit = model.fit(batches(), steps_per_epoch=3, verbose=0).fits[0]
    assert (fit.rows, fit.batch_size, fit.steps, fit.label_counts, fit.sample) == (
        None,
        None,
        3,
        [],
        [],
    )


def test_the_learning_rate_is_that_of_the_beginning_of_each_epoch(model):
    assert model.fit(X, Y, epochs=2, verbose=0).fits[-1].learning_rates == pytest.approx([0.1, 0.1])
    rates = model.fit(X, Y, epochs=3, verbose=0, callbacks=[Mine()]).fits[-1].learning_rates
    assert rates == pytest.approx([0.5, 0.25, 0.5 / 3])
    scheduler = callbacks.LearningRateScheduler(lambda epoch: 0.01 * (epoch + 1))
    rates = model.fit(X, Y, epochs=2, verbose=0, callbacks=[scheduler]).fits[-1].learning_rates
    assert rates == pytest.approx([0.01, 0.02])


def test_the_learning_rate_of_a_schedule_is_computed_from_the_steps(model):
    schedule = optimizers.schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5)
    model.compile(optimizers.SGD(schedule), "binary_crossentropy")
    model.fit(X, Y, epochs=1, verbose=0)
    fits = model.fit(X, Y, epochs=2, verbose=0).fits  # two steps per epoch
    assert [fit.learning_rates for fit in fits] == [
        pytest.approx([0.1]),
        pytest.approx([0.05, 0.025]),
    ]


def test_the_weights_that_early_stopping_restores_are_recorded(model):
    model.fit(X, Y, epochs=3, verbose=0)
    stopping = callbacks.EarlyStopping("loss", mode="max", patience=2, restore_best_weights=True)
    fit = model.fit(X, Y, epochs=9, verbose=0, callbacks=[stopping]).fits[-1]
    assert (fit.weights, fit.weights_epoch, fit.monitor) == ("epoch", 4, "loss")
    assert fit.ended == "EarlyStopping: loss had not improved for 2 epochs."
    assert model.history.weights_changed() is False


def test_weights_are_the_last_ones_unless_a_callback_may_have_set_them(model):
    assert model.fit(X, Y, verbose=0).fits[-1].weights == "last"

    class Setting(callbacks.Callback):
        def on_train_end(self, logs=None):
            self.model.set_weights([np.zeros((3, 1)), np.zeros(1)])

    assert model.fit(X, Y, verbose=0, callbacks=[Setting()]).fits[-1].weights == ""


def test_weights_that_are_set_after_fit_are_noticed(model):
    found = model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X)
    assert found.weights_changed() is False
    model.set_weights(model.get_weights())
    assert found.weights_changed() is True
    assert model.fit(X, Y, verbose=0).fits[-1].continued is False
    assert History().weights_changed() is None


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_keeps_its_record_and_knows_nothing_about_its_weights(model, again):
    model.fit(X, Y, epochs=2, verbose=0)
    other = again(model)
    assert [(fit.done, fit.learning_rates) for fit in other.history.fits] == [
        (2, pytest.approx([0.1, 0.1]))
    ]
    assert other.history.weights_changed() is None
    assert other.fit(X, Y, verbose=0).course()[0] == [1, 2, 3]


def test_an_error_in_fit_is_recorded_and_propagates(model):
    class Failing(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        model.fit(X, Y, epochs=5, verbose=0, callbacks=[Failing()])
    fit = model.history.fits[0]
    assert (fit.done, fit.ended) == (1, "OSError ended the training.")


def test_the_seed_is_the_one_that_was_set_last(model):
    utils.set_random_seed(11)
    assert model.fit(X, Y, verbose=0).fits[-1].seed == 11
    utils.clear_session(free_memory=False)
    assert model.fit(X, Y, verbose=0).fits[-1].seed is None


def test_a_history_in_a_notebook_is_a_small_table_of_first_best_and_last(model):
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    page = model.fit(
        X, Y, epochs=3, validation_split=0.25, validation_freq=2, verbose=0
    )._repr_html_()
    assert all(f">{word}<" in page for word in ("loss", "val_accuracy", "first", "best", "last"))
    assert "History of 3 epochs" in page
    assert len(page) < 50_000
    assert "http" not in page
    odd = History()
    odd.history = {"<script>": [1.0, math.nan]}
    assert "<script" not in odd._repr_html_()
    assert "History of 0 epochs" in History()._repr_html_()
