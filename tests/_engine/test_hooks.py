"""Callbacks in fit, evaluate and predict: order and logs of hooks, and what a callback may do."""

import functools
import io
import itertools
import os
import re
import signal

import numpy as np
import pytest

import gazelle
from gazelle.callbacks import Callback, CSVLogger, LambdaCallback


def trained(K, net, data, callbacks, **arguments):
    model = net(K, loss="mse", metrics=["mae"])
    history = model.fit(
        *data, **{"epochs": 3, "verbose": 0, "shuffle": False, "callbacks": callbacks, **arguments}
    )
    return model, history


# ---- Order ----


@pytest.mark.parametrize(
    "kinds", [("run", "epoch", "batch"), ("run", "epoch"), ("batch",)], ids="+".join
)
def test_hooks_are_called_in_the_order_and_with_the_logs_of_keras(both, net, data, recorder, kinds):
    def run(K):
        callback = recorder(K, *kinds)
        model, _ = trained(
            K,
            net,
            data,
            [callback],
            epochs=2,
            validation_data=(data[0][:40], data[1][:40]),
            validation_freq=2,
        )
        model.evaluate(*data, batch_size=48, verbose=0, callbacks=[callback])
        model.predict(data[0], batch_size=48, verbose=0, callbacks=[callback])
        return callback.calls, callback.params

    (expected, _), (calls, _) = both(run)
    assert [call[:-1] for call in calls] == [call[:-1] for call in expected]
    for ours, theirs in zip(calls, expected, strict=True):
        assert list(ours[-1]) == list(theirs[-1]), ours
        np.testing.assert_allclose(
            list(ours[-1].values()), list(theirs[-1].values()), rtol=2e-5, err_msg=str(ours)
        )


def batches(x, y, size):
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


@pytest.mark.filterwarnings("ignore")  # the data runs out
@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize(
    ("source", "group"),
    [
        *itertools.product(["arrays", "generator"], [1, 2, 3, 101]),
        # With a larger group Keras takes more steps per epoch than it was told.
        *itertools.product(["steps_per_epoch"], [1, 2, 3]),
    ],
)
def test_groups_of_steps_call_the_hooks_as_in_keras(
    both, net, data, recorder, group, eager, source
):
    x, y = data

    def run(K):
        callback = recorder(K, "batch")
        model = net(K, loss="mse", steps_per_execution=group, run_eagerly=eager)
        arguments = {"verbose": 0, "callbacks": [callback]}
        if source == "generator":
            model.fit(batches(x, y, 16), **arguments)
            model.evaluate(batches(x, y, 16), **arguments)
            model.predict(batches(x, y, 16), **arguments)
        elif source == "arrays":
            model.fit(x, y, batch_size=16, epochs=2, shuffle=False, **arguments)
            model.evaluate(x, y, batch_size=16, **arguments)
            model.predict(x, batch_size=16, **arguments)
        else:
            model.fit(x, y, batch_size=10, epochs=2, steps_per_epoch=6, shuffle=False, **arguments)
        return callback.calls

    expected, calls = both(run)
    if source == "generator":  # Keras calls a hook before it finds out that there is no more data
        names = [call[0].removesuffix("_begin") for call in expected] + [""]
        expected = [
            call
            for call, name, after in zip(expected, names, names[1:], strict=False)
            if after == f"{name}_end" or call[0].endswith("_end")
        ]
    assert [call[:-1] for call in calls] == [call[:-1] for call in expected]
    for ours, theirs in zip(calls, expected, strict=True):
        if not eager:
            found, wanted = list(ours[-1].values()), list(theirs[-1].values())
            np.testing.assert_allclose(found, wanted, rtol=2e-4, err_msg=str(ours))


@pytest.mark.parametrize("stage", ["evaluate", "predict"])
def test_a_callback_ends_an_endless_evaluation_or_prediction(net, data, stage):
    class Stops(Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = batch == 4

        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 4

    def endless():
        while True:
            yield data

    model = net(gazelle, loss="mse")
    for _ in range(2):
        if stage == "evaluate":
            assert model.evaluate(endless(), callbacks=[Stops()], verbose=0) > 0
        else:
            assert len(model.predict(endless(), callbacks=[Stops()], verbose=0)) == 5 * 70


def test_run_eagerly_may_be_set_after_compile(net, data):
    seen = []

    class Notes(gazelle.layers.Layer):
        def call(self, x):
            seen.append(x)
            return x

    model = net(gazelle)
    model.add(Notes())
    model.compile("sgd", "mse")
    model.fit(*data, verbose=0)
    traced = len(seen)
    model.fit(*data, verbose=0)
    assert len(seen) == traced
    model.run_eagerly = True
    model.fit(*data, verbose=0)
    assert len(seen) == traced + 3


def test_streams_and_run_eagerly_call_the_same_hooks(net, data, recorder):
    def calls(eager, stream):
        callback = recorder(gazelle, "run", "epoch", "batch")
        model = net(gazelle, loss="mse", run_eagerly=eager)
        x = ((data[0][i : i + 32], data[1][i : i + 32]) for _ in range(2) for i in range(0, 70, 32))
        source, steps = ((x,), 3) if stream else (data, None)
        model.fit(
            *source, steps_per_epoch=steps, epochs=2, verbose=0, shuffle=False, callbacks=callback
        )
        return callback.calls

    expected = calls(False, False)
    for eager, stream in ((True, False), (False, True), (True, True)):
        found = calls(eager, stream)
        assert [call[:-1] for call in found] == [call[:-1] for call in expected]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(
                list(ours[-1].values()), list(theirs[-1].values()), rtol=1e-4
            )


def test_the_batch_hook_receives_the_predictions(net, data):
    seen = []
    callback = LambdaCallback(on_predict_batch_end=lambda batch, logs: seen.append(logs["outputs"]))
    model = net(gazelle)
    predictions = model.predict(data[0], batch_size=32, callbacks=callback)
    assert [len(part) for part in seen] == [32, 32, 6]
    np.testing.assert_allclose(np.concatenate(seen), predictions, rtol=1e-6)


def test_user_callbacks_come_before_the_history_and_may_add_keys(net, data):
    class AddsKey(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = epoch * 10

    _, history = trained(gazelle, net, data, [[AddsKey()]], validation_split=0.2)
    assert history.history["extra"] == [0, 10, 20]
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae", "extra"]


def test_history_keeps_params_model_and_plain_floats(net, data):
    model, history = trained(gazelle, net, data, None)
    assert history.params == {"verbose": 0, "epochs": 3, "steps": 3}
    assert history.model is model
    assert model.history is history
    assert all(type(value) is float for values in history.history.values() for value in values)


# ---- Stopping ----


def stopping(K, hook, at):
    def stop(self, index, logs=None):
        if index == at:
            self.model.stop_training = True

    return type("Stops", (K.callbacks.Callback,), {hook: stop})()


@pytest.mark.parametrize(
    ("hook", "updates"), [("on_epoch_end", 8), ("on_train_batch_end", 2), ("on_epoch_begin", 5)]
)
def test_stop_training_ends_training_where_keras_does(both, net, data, hook, updates):
    def run(K):
        more = {"epochs": 5, "validation_split": 0.1, "batch_size": 16}
        model, history = trained(K, net, data, [stopping(K, hook, 1)], **more)
        return int(model.optimizer.iterations.numpy()), history.epoch, history.history

    (their_updates, epochs, expected), (our_updates, our_epochs, found) = both(run)
    assert our_updates == their_updates == updates
    assert our_epochs == epochs
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5)


def test_a_stopped_model_continues_in_the_next_fit(net, data):
    model, _ = trained(gazelle, net, data, stopping(gazelle, "on_epoch_end", 0))
    assert model.fit(*data, epochs=3, verbose=0).epoch == [0, 1, 2]


# ---- Changing the model ----


def test_a_learning_rate_set_in_a_callback_takes_effect_in_the_next_step(both, net, data):
    def run(K):
        class Slower(K.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.optimizer.learning_rate = 0.1 / (epoch + 2)

        return trained(K, net, data, Slower())[1].history["loss"]

    expected, found = both(run)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_training_continues_from_weights_set_in_a_callback(both, net, data):
    start = net(gazelle).get_weights()

    def run(K):
        class Restores(K.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.model.set_weights(start)

        return trained(K, net, data, Restores())[1].history["loss"]

    expected, found = both(run)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found[0] == found[1] == found[2]


def test_weights_read_in_a_callback_do_not_change_later(net, data):
    kept = []

    class Keeps(Callback):
        def on_train_batch_end(self, batch, logs=None):
            kept.append(([w.value for w in self.model.weights], self.model.get_weights()))

    trained(gazelle, net, data, Keeps())
    assert len(kept) == 9
    for values, copies in kept:
        for value, copy in zip(values, copies, strict=True):
            np.testing.assert_array_equal(np.asarray(value), copy)
    assert not np.array_equal(kept[0][1][0], kept[-1][1][0])


def test_a_callback_may_evaluate_and_predict(net, data):
    seen = []

    class Looks(Callback):
        def on_epoch_end(self, epoch, logs=None):
            predictions = self.model.predict(data[0])
            error = float(((predictions - data[1]) ** 2).mean())
            seen.append((self.model.evaluate(*data, verbose=0)[0], error))

    _, history = trained(gazelle, net, data, Looks(), validation_data=data)
    expected = history.history["val_loss"]
    np.testing.assert_allclose(seen, np.stack([expected, expected], 1), rtol=1e-5)
    plain = trained(gazelle, net, data, None)[1].history["loss"]
    np.testing.assert_allclose(history.history["loss"], plain, rtol=1e-6)


# ---- Ctrl-C and errors ----


def test_ctrl_c_ends_training_and_returns_the_history_so_far(net, data, recorder, capsys):
    class Presses(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                os.kill(os.getpid(), signal.SIGINT)

    recorded = recorder(gazelle, "run")
    before = signal.getsignal(signal.SIGINT)
    model, history = trained(gazelle, net, data, [Presses(), recorded], epochs=50, verbose=2)
    assert history.epoch == [0, 1]
    assert recorded.calls[-1][0] == "on_train_end"
    assert "Interrupted" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before
    assert np.isfinite(model.evaluate(*data, verbose=0)[0])


def test_ctrl_c_within_an_epoch_ends_it_after_the_step(net, data):
    class Presses(Callback):
        def on_train_batch_end(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGINT)

    model, history = trained(gazelle, net, data, Presses(), epochs=50)
    assert history.epoch == [0]
    assert int(model.optimizer.iterations.numpy()) == 1


def test_a_second_ctrl_c_raises_and_leaves_the_model_intact(net, data, recorder):
    class Presses(Callback):
        def on_train_batch_end(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    recorded = recorder(gazelle, "run")
    model = net(gazelle, loss="mse")
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, epochs=50, verbose=0, callbacks=[Presses(), recorded])
    assert recorded.calls[-1][0] == "on_train_end"
    assert int(model.optimizer.iterations.numpy()) == 1
    assert len(model.fit(*data, verbose=0).epoch) == 1


def test_ctrl_c_during_a_step_waits_until_the_weights_are_back(net, data):
    """The program itself sends the signal while it runs; evaluate has no handler of its own."""
    import jax

    class Presses(gazelle.layers.Layer):
        def call(self, inputs):
            jax.debug.callback(lambda: os.kill(os.getpid(), signal.SIGINT))
            return inputs

    model = gazelle.Sequential(
        [
            gazelle.Input((4,)),
            Presses(),
            gazelle.layers.BatchNormalization(),
            gazelle.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    for run in (model.train_on_batch, functools.partial(model.evaluate, verbose=0)):
        with pytest.raises(KeyboardInterrupt):
            run(*data)
        assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert int(model.optimizer.iterations.numpy()) == 1


class Breaks(Callback):
    """Raises in one hook."""

    def __init__(self, hook, at=None):
        def raise_(*args):
            if at is None or args[0] == at:
                raise RuntimeError("broken on purpose")

        setattr(self, hook, raise_)


@pytest.mark.parametrize(
    "hook",
    ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_test_end", "on_epoch_end"],
)
def test_an_error_in_a_callback_reaches_the_user_and_other_callbacks_are_ended(
    net, data, recorder, tmp_path, hook
):
    log, recorded = CSVLogger(tmp_path / "log.csv"), recorder(gazelle, "run")
    with pytest.raises(RuntimeError, match="broken on purpose"):
        trained(gazelle, net, data, [log, Breaks(hook), recorded], validation_split=0.2)
    assert log.csv_file is None
    assert recorded.calls[-1][0] == "on_train_end"


def test_an_error_at_the_end_does_not_hide_the_first_one(net, data, recorder):
    recorded = recorder(gazelle, "run")
    last = LambdaCallback(on_train_end=lambda logs: 1 / 0)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        trained(gazelle, net, data, [Breaks("on_epoch_end"), last, recorded])
    assert recorded.calls[-1][0] == "on_train_end"


def test_an_error_ends_the_live_progress_line(net, data, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    with pytest.raises(RuntimeError, match="broken"):
        trained(gazelle, net, data, [Breaks("on_train_batch_end", at=1)], verbose=1)
    text = screen.getvalue()
    assert "Epoch 1/3" in text
    assert re.search(r"\r +\r$", text)  # cleared, so that the next output starts on an empty line


def test_an_error_leaves_weights_and_optimizer_as_after_the_last_step(net, data):
    expected, _ = trained(gazelle, net, data, None, epochs=1)
    model = net(gazelle, loss="mse", metrics=["mae"], optimizer=gazelle.optimizers.SGD(0.1))
    with pytest.raises(RuntimeError, match="broken"):
        model.fit(*data, epochs=5, verbose=0, shuffle=False, callbacks=[Breaks("on_epoch_end")])
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(model.optimizer.iterations.numpy()) == 3
    assert len(model.fit(*data, verbose=0).epoch) == 1
