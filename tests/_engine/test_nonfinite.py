"""A loss that is not finite stops a fit before the weights are lost, or its step is skipped."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle import callbacks, layers, optimizers
from gazelle.errors import ArgumentError, CheckWarning

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 6)).astype("float32")
Y = RANDOM.normal(size=(200, 1)).astype("float32")
HUGE = np.where(np.arange(200)[:, None] == 100, np.float32(3e38), Y)  # its square is infinite
BAD_STEP = 7  # of batches of 16 in order
GOOD = np.r_[:96, 112:200]  # without that batch


def made(optimizer="sgd", loss="mse", **compiling):
    gazelle.utils.set_random_seed(0)
    model = gazelle.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer, loss, **compiling)
    return model


def fit(model, x, y=None, **fitting):
    """The history, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(x, y, **{"batch_size": 16, "verbose": 0, "shuffle": False, **fitting})
    return history, [str(one.message) for one in caught]


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [variable.numpy().tolist() for variable in variables]


WAYS = {
    "kernel": ("adam", {}),
    "xla": ("sgd", {}),
    "step by step": ("adam", {"callbacks": callbacks.LambdaCallback(on_train_batch_end=print)}),
    "prepared ahead": ("adam", {"validation_data": (X[:20], Y[:20])}),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_step_is_named_and_undone(way, capsys):
    optimizer, fitting = WAYS[way]
    model = made(optimizer)
    history, told = fit(model, X, HUGE, epochs=3, **fitting)
    assert history.epoch == [0]
    assert not np.isfinite(history.history["loss"][0])
    assert f"at step {BAD_STEP} of epoch 1" in told[0]
    assert "the weights from before this step" in told[0]
    assert "the targets are as large as 3e+38" in told[0]
    assert history.fits[-1].ended in told[0]
    expected = made(optimizer)
    fit(expected, X[:96], Y[:96])
    assert state(model) == state(expected)


def test_in_a_later_epoch(capsys):
    class Spoil(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate = 1e30

    model = made()
    history, told = fit(model, X, Y, epochs=5, callbacks=Spoil())
    assert history.epoch == [0, 1, 2]
    assert "at step 2 of epoch 3" in told[0]
    assert "the learning rate (1e+30)" in told[0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_with_an_epoch_started_ahead():
    model = made("adam")
    history, told = fit(model, X, HUGE, epochs=30)
    assert f"at step {BAD_STEP} of epoch 1" in told[0]
    assert history.epoch == [0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("way", ["kernel", "xla", "eager"])
def test_a_step_can_be_skipped(way):
    optimizer = "sgd" if way == "xla" else "adam"
    compiling = {"run_eagerly": way == "eager"}
    model, expected = made(optimizer, **compiling), made(optimizer, **compiling)
    history, told = fit(model, X, HUGE, epochs=2, nonfinite_loss="skip")
    wanted, _ = fit(expected, X[GOOD], Y[GOOD], epochs=2)
    assert state(model) == state(expected)
    assert history.history == wanted.history
    assert told == [one for one in told if "2 steps skipped" in one]
    assert f"the first was step {BAD_STEP} of epoch 1" in told[0]


def batches(spoiled):
    for number in range(1, 20):
        yield X[:16], HUGE[92:108] if number == spoiled else Y[:16]


def test_a_stream():
    model = made()
    _, told = fit(model, batches(spoiled=9), steps_per_epoch=6, epochs=3)
    assert "at step 3 of epoch 2" in told[0]
    assert "the targets are as large as" in told[0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_step_of_a_stream_can_be_skipped():
    model, expected = made("adam"), made("adam")
    _, told = fit(model, batches(spoiled=9), steps_per_epoch=6, epochs=3, nonfinite_loss="skip")
    fit(expected, (b for b in batches(spoiled=0)), steps_per_epoch=17, epochs=1)
    assert state(model) == state(expected)
    assert "1 step skipped" in told[0]


def test_gradients_that_are_not_finite_undo_the_step_before():
    def loss(y_true, y_pred):
        error = jnp.mean((y_true - y_pred) ** 2, axis=-1)
        # The root of 0 has an infinite gradient; that is where a target is 5.
        is_five = (y_true[:, 0] == 5).astype("float32")
        zero = error - jax.lax.stop_gradient(error)
        return error + jnp.sqrt(zero * is_five + 1 - is_five)

    y = np.where(np.arange(200)[:, None] == 100, np.float32(5), Y)
    model, expected = made(loss=loss), made(loss=loss)
    _, told = fit(model, X, y)
    fit(expected, X[:96], y[:96])
    assert f"at step {BAD_STEP + 1} of epoch 1" in told[0]
    assert "the weights from before the step before it" in told[0]
    assert state(model) == state(expected)


def test_only_so_many_steps_are_skipped_in_a_row():
    model = made(optimizers.SGD(1e30))
    history, told = fit(model, X, Y, epochs=9, batch_size=8, nonfinite_loss="skip")
    assert history.epoch == [0]
    assert "at step 12 of epoch 1" in told[0]
    assert "10 steps skipped" in told[1]


def test_training_can_go_on():
    model = made(optimizers.SGD(1e30))
    history, told = fit(model, X, Y, epochs=3, nonfinite_loss="continue")
    assert len(history.epoch) == 3
    assert len(told) == 1
    assert "from here on the weights are useless" in told[0]


@pytest.mark.parametrize(
    ("cause", "case"),
    [
        ("the inputs are as large as", lambda: (made(), X * 1e20, Y)),
        ("the weights have grown to", lambda: (made(optimizers.SGD(1e3)), X, Y)),
        (
            "is there a logarithm",
            lambda: (made(loss=lambda t, p: jnp.mean(jnp.log(p - p - 1), -1)), X, Y),
        ),
    ],
)
def test_the_probable_cause(cause, case):
    model, x, y = case()
    _, told = fit(model, x, y, epochs=2)
    assert cause in told[0]


def test_weights_that_a_callback_has_spoiled():
    class Spoil(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                weights = self.model.get_weights()
                self.model.set_weights([np.full_like(weight, np.nan) for weight in weights])

    model = made()
    _, told = fit(model, X, Y, epochs=3, callbacks=Spoil())
    assert "the weights were set to values that are not finite" in told[0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_weights_that_were_never_finite():
    model = made()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    _, told = fit(model, X, Y)
    assert "the weights were not finite when the fit began" in told[0]


def test_another_choice_is_refused():
    with pytest.raises(ArgumentError, match="nonfinite_loss"):
        made().fit(X, Y, nonfinite_loss="raise")


def test_a_warning_is_at_the_line_of_the_fit():
    with pytest.warns(CheckWarning, match="fit has ended") as caught:
        made().fit(X, HUGE, verbose=0)
    assert caught[0].filename == __file__


def test_the_epoch_is_told_although_the_next_was_started_ahead():
    """Nothing acts between the epochs, so the next one runs when the loss is read."""

    class FiniteAtFirst(gazelle.layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x, training=False):
            if training:
                self.calls.assign_add(1.0)
            return jnp.where(self.calls > 4, jnp.nan, x)

    inputs = gazelle.Input((4,))
    model = gazelle.Model(inputs, gazelle.layers.Dense(1)(FiniteAtFirst()(inputs)))
    model.compile("sgd", "mse")
    x = np.ones((70, 4), "float32")
    with pytest.warns(UserWarning, match="at step 2 of epoch 2"):
        history = model.fit(x, x[:, :1], epochs=5, verbose=0)
    assert len(history.epoch) == 2
