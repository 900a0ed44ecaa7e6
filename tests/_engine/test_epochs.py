"""The batches that an epoch trains and validates on: splits, steps, streams, weights."""

import os
import signal
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import gazelle
from gazelle._core.errors import ArgumentError, DataError
from gazelle._engine.runner import Chunk, Runner


def fit(K, net, data, **arguments):
    model = net(K, loss="mse", metrics=["mae"])
    return model.fit(*data, **{"epochs": 3, "verbose": 0, "shuffle": False, **arguments}), model


def assert_same(histories):
    expected, found = histories
    assert list(found.history) == list(expected.history)
    assert found.epoch == expected.epoch
    for name, values in expected.history.items():
        np.testing.assert_allclose(found.history[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "arguments",
    [
        {"validation_split": 0.25},
        {
            "validation_split": 0.1,
            "batch_size": 7,
            "validation_batch_size": 4,
            "validation_steps": 1,
        },
        {"validation_split": 0.3, "steps_per_epoch": 2},
        {"validation_freq": 2},
        {"validation_freq": [1, 3]},
        {"validation_steps": 2, "validation_batch_size": 8},
        {"initial_epoch": 1},
        {"batch_size": 32, "steps_per_epoch": 3},
    ],
    ids=str,
)
def test_epochs_are_those_of_keras(both, net, data, arguments):
    if not any(name.startswith("validation_split") for name in arguments):
        arguments = {**arguments, "validation_data": (data[0][:20], data[1][:20] + 1)}
    assert_same(both(lambda K: fit(K, net, data, **arguments)[0]))


def test_zero_epochs_give_an_empty_history_and_do_not_change_the_weights(net, data):
    history, model = fit(gazelle, net, data, epochs=0)
    assert history.history == {}
    assert history.epoch == []
    for weight, first in zip(model.get_weights(), net(gazelle).get_weights(), strict=True):
        np.testing.assert_array_equal(weight, first)
    assert fit(gazelle, net, data, epochs=2, initial_epoch=2)[0].history == {}


def test_the_split_takes_the_last_samples_of_x_y_and_weights(both, net, data):
    weights = np.linspace(0, 2, 70, dtype="float32")
    assert_same(both(lambda K: fit(K, net, data, sample_weight=weights, validation_split=0.21)[0]))
    last = (data[0][55:], data[1][55:], weights[55:])
    split, model = fit(gazelle, net, data, sample_weight=weights, validation_split=0.21)
    assert split.history["val_loss"][-1] == pytest.approx(
        model.evaluate(*last[:2], sample_weight=last[2], verbose=0)[0]
    )


def test_steps_continue_in_the_next_epoch_and_a_short_epoch_warns(both, net, data):
    def run(K):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            # Three batches in the data give 2 + 1 + 2 updates.
            history, model = fit(K, net, data, batch_size=28, steps_per_epoch=2)
        ended = [str(w.message) for w in seen if "ran out of data" in str(w.message)]
        return history, int(model.optimizer.iterations.numpy()), len(ended)

    (expected, updates, warned), (found, our_updates, we_warned) = both(run)
    assert_same((expected, found))
    assert our_updates == updates == 5
    assert we_warned == warned == 1


def test_more_steps_than_batches_train_on_all_and_warn(net, data):
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        history, model = fit(gazelle, net, data, batch_size=35, steps_per_epoch=4, epochs=2)
    assert int(model.optimizer.iterations.numpy()) == 4
    assert len(history.epoch) == 2


def test_shuffling_within_batches_leaves_every_sample_in_its_batch():
    feed = gazelle._data.feeds.ArrayFeed(np.arange(10.0)[:, None], batch_size=4, shuffle="batch")
    orders = [feed.order() for _ in range(20)]
    assert all(
        [set(o[:4]), set(o[4:8]), set(o[8:])] == [{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}]
        for o in orders
    )
    assert len({tuple(order) for order in orders}) > 10


def test_shuffled_epochs_take_every_sample_once_in_new_orders():
    feed = gazelle._data.feeds.ArrayFeed(np.arange(50.0)[:, None], shuffle=True)
    first, second = feed.order(), feed.order()
    assert sorted(first) == sorted(second) == list(range(50))
    assert list(first) != list(second)


# ---- Generators and datasets ----


def batches(data, size, weights=False, forever=False):
    x, y = data
    while True:
        for i in range(0, len(x), size):
            part = (x[i : i + size], y[i : i + size])
            yield (*part, np.linspace(0, 1, len(part[0]))) if weights else part
        if not forever:
            return


def dataset(K, data, size=16, count=5):
    class Rows(K.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.indices, self.begun, self.ended = [], 0, 0

        @property
        def num_batches(self):
            return count

        def __getitem__(self, index):
            self.indices.append(index)
            rows = slice(index % 5 * size, (index % 5 + 1) * size)
            return data[0][rows], data[1][rows]

        def on_epoch_begin(self):
            self.begun += 1

        def on_epoch_end(self):
            self.ended += 1

    return Rows()


def test_an_endless_generator_trains_like_arrays(net, data):
    arrays, _ = fit(gazelle, net, data, batch_size=16)
    stream, model = fit(gazelle, net, (batches(data, 16, forever=True),), steps_per_epoch=5)
    np.testing.assert_allclose(stream.history["loss"], arrays.history["loss"], rtol=1e-5)
    assert int(model.optimizer.iterations.numpy()) == 15
    assert stream.params["steps"] == 5


def test_generators_with_weights_train_as_in_keras(both, net, data):
    def run(K):
        return fit(
            K,
            net,
            (batches(data, 16, weights=True, forever=True),),
            steps_per_epoch=5,
            shuffle=True,
        )[0]

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*shuffle=True.*")
        assert_same(both(run))


def test_a_generator_that_ends_trains_one_epoch_and_then_stops_with_a_warning(net, data):
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        history, model = fit(gazelle, net, (batches(data, 16),))
    assert history.epoch == [0]
    assert len(history.history["loss"]) == 1
    assert int(model.optimizer.iterations.numpy()) == 5


def test_a_generator_that_ends_within_an_epoch_cuts_it_short(net, data):
    with pytest.warns(UserWarning, match="expected 3 steps, received 2"):
        history, model = fit(gazelle, net, (batches(data, 16),), steps_per_epoch=3, epochs=2)
    assert history.epoch == [0, 1]
    assert int(model.optimizer.iterations.numpy()) == 5


def test_a_generator_validates_every_epoch_on_the_same_batches(net, data):
    source = batches((data[0][:30], data[1][:30] + 1), 10)
    arrays, _ = fit(gazelle, net, data, validation_data=(data[0][:30], data[1][:30] + 1))
    stream, _ = fit(gazelle, net, data, validation_data=source)
    np.testing.assert_allclose(stream.history["val_loss"], arrays.history["val_loss"], rtol=1e-5)


def test_an_empty_generator_is_refused(net):
    with pytest.raises(DataError, match="no batch"):
        net(gazelle, loss="mse").fit(iter(()), verbose=0)


def test_targets_cannot_be_passed_with_a_generator(net, data):
    with pytest.raises(ArgumentError, match="should not be passed"):
        net(gazelle, loss="mse").fit(batches(data, 16), data[1], verbose=0)
    with pytest.raises(ArgumentError, match="validation_split"):
        net(gazelle, loss="mse").fit(batches(data, 16), validation_split=0.5, verbose=0)


def test_a_dataset_trains_and_validates_as_in_keras(both, net, data):
    def run(K):
        return fit(K, net, (dataset(K, data),), validation_data=dataset(K, data, count=2))[0]

    assert_same(both(run))


@pytest.mark.parametrize(("count", "steps"), [(3, 2), (None, 2)], ids=["of 3 batches", "endless"])
def test_steps_of_a_dataset_continue_in_the_next_epoch_as_in_keras(both, net, data, count, steps):
    def run(K):
        source = dataset(K, data, count=count)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Your input ran out of data")
            return fit(K, net, (source,), steps_per_epoch=steps)[0], source

    (expected, theirs), (found, ours) = both(run)
    assert_same((expected, found))
    assert ours.indices == theirs.indices[1:]  # Keras reads one more batch, to build the model


def test_a_dataset_is_notified_of_every_epoch(net, data):
    source = dataset(gazelle, data)
    fit(gazelle, net, (source,))
    assert (source.begun, source.ended) == (3, 3)
    assert source.indices == [0, 1, 2, 3, 4] * 3


def test_a_dataset_is_shuffled_by_batches(net, data):
    source = dataset(gazelle, data)
    fit(gazelle, net, (source,), epochs=6, shuffle=True)
    passes = [source.indices[i : i + 5] for i in range(0, 30, 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len({tuple(one) for one in passes}) > 1


# ---- Other kinds of data ----


def test_frames_and_device_arrays_train_like_numpy_arrays(net, data):
    import jax.numpy as jnp
    import pandas as pd

    expected = fit(gazelle, net, data)[0].history["loss"]
    frames = (
        pd.DataFrame(data[0].astype("float64"), columns=list("abcd")),
        pd.Series(data[1][:, 0], index=range(5, 75)),
    )
    np.testing.assert_allclose(fit(gazelle, net, frames)[0].history["loss"], expected, rtol=1e-5)
    arrays = tuple(jnp.asarray(part) for part in data)
    assert fit(gazelle, net, arrays)[0].history["loss"] == expected
    # The user's arrays still exist.
    assert arrays[0].sum() == pytest.approx(data[0].sum(), rel=1e-5)
    model = net(gazelle, loss="mse")
    np.testing.assert_allclose(model.predict(frames[0]), model.predict(data[0]), rtol=1e-5)


def test_several_inputs_are_a_list_or_a_dict_by_name(data):
    L = gazelle.layers
    a, b = gazelle.Input((4,), name="left"), gazelle.Input((4,), name="right")
    model = gazelle.Model([a, b], L.Dense(1)(L.Subtract()([a, b])))
    x = [data[0], data[0][::-1].copy()]
    by_name = {"right": x[1], "left": x[0], "unused": x[0]}
    np.testing.assert_array_equal(model.predict(by_name), model.predict(x))
    model.compile("sgd", "mse")
    assert model.evaluate(by_name, data[1], verbose=0) == model.evaluate(x, data[1], verbose=0)


# ---- Class weights ----


def classes(data):
    return np.clip((data[0][:, 0] * 1.2 + 1.5).round(), 0, 2).astype("int64")


def test_class_weights_accept_labels_columns_and_one_hot_targets(net, data):
    y, weight = classes(data), {0: 3.0, 1: 0.5}
    losses = []
    for loss, targets in (
        ("sparse_categorical_crossentropy", y),
        ("sparse_categorical_crossentropy", y[:, None]),
        ("categorical_crossentropy", np.eye(3)[y]),
    ):
        model = net(gazelle, 3, "softmax", loss=loss)
        history = model.fit(data[0], targets, class_weight=weight, verbose=0, shuffle=False)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-5)
    weights = np.array([3.0, 0.5, 1.0])[y]
    model = net(gazelle, 3, "softmax", loss="sparse_categorical_crossentropy")
    history = model.fit(data[0], y, sample_weight=weights, verbose=0, shuffle=False)
    assert history.history["loss"] == losses[0]


def test_balanced_class_weights_give_every_class_the_same_share(net, data):
    y = classes(data)
    counts = np.bincount(y)
    weights = (len(y) / (3 * counts))[y]
    losses = []
    for more in ({"class_weight": "balanced"}, {"sample_weight": weights}):
        model = net(gazelle, 3, "softmax", loss="sparse_categorical_crossentropy")
        history = model.fit(data[0], y, verbose=0, shuffle=False, **more)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_class_weights_may_contain_a_class_that_the_data_lacks(net, data):
    model = net(gazelle, 3, "softmax", loss="sparse_categorical_crossentropy")
    y = np.minimum(classes(data), 1)
    assert model.fit(data[0], y, class_weight={0: 1.0, 1: 2.0, 2: 5.0}, verbose=0).history["loss"]


def test_class_weights_refuse_streams_sample_weights_and_several_outputs(net, data):
    model = net(gazelle, loss="mse")
    with pytest.raises(ArgumentError, match="class_weight"):
        model.fit(batches(data, 16), class_weight={0: 1.0}, verbose=0)
    with pytest.raises(ArgumentError, match="both"):
        model.fit(*data, class_weight={0: 1.0}, sample_weight=np.ones(70), verbose=0)


def test_train_on_batch_uses_class_weights_too(both, net, data):
    y = classes(data)

    def run(K):
        model = net(K, 3, "softmax", loss="sparse_categorical_crossentropy")
        return model.train_on_batch(data[0], y, class_weight={0: 2.0, 1: 1.0, 2: 0.25})

    expected, found = both(run)
    assert found == pytest.approx(float(expected), rel=1e-5)


# ---- Epochs that are started before the last one is read ----


@pytest.mark.parametrize(
    "arguments", [{}, {"shuffle": False}, {"steps_per_epoch": 1}, {"initial_epoch": 3}]
)
def test_a_callback_between_epochs_does_not_change_the_numbers(net, data, arguments):
    def run(callbacks):
        np.random.seed(0)  # noqa: NPY002
        model = net(gazelle, loss="mse", metrics=["mae"])
        # This fit measures the pace: from here on, an epoch is one chunk.
        model.fit(*data, batch_size=16, verbose=0)
        history = model.fit(
            *data, batch_size=16, epochs=7, verbose=0, callbacks=callbacks, **arguments
        )
        return history.epoch, history.history, model.get_weights()

    seen = []
    callback = gazelle.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    watched = run([callback])
    epochs, history, weights = run(None)
    assert epochs == watched[0] == seen
    assert history == watched[1]
    for one, other in zip(weights, watched[2], strict=True):
        np.testing.assert_array_equal(one, other)


def test_ctrl_c_counts_every_epoch_that_was_trained(net, data):
    model = net(gazelle, loss="mse")
    model.fit(*data, verbose=0)
    before = int(model.optimizer.iterations.numpy())
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    history = model.fit(*data, epochs=10**6, verbose=0)
    timer.join()
    assert 0 < len(history.epoch) < 10**6
    assert len(history.history["loss"]) == len(history.epoch)
    assert int(model.optimizer.iterations.numpy()) == before + 3 * len(history.epoch)


def test_an_epoch_that_ends_before_the_last_one_is_read_has_its_own_time():
    seconds = []
    engine = SimpleNamespace(read_logs=lambda result: {}, paces={})
    callbacks = SimpleNamespace(
        note_seconds=seconds.append, has_batch_hooks=lambda stage: False, on_progress=lambda *_: 0
    )
    runner = Runner(engine, SimpleNamespace(batch_size=1), "train", callbacks)
    for begun, done in ((0.0, 4.0), (1.0, 3.5), (5.0, 7.0)):
        runner.end_epoch(Chunk(None, 1, 1, begun, done), ran_alone=False)
    assert seconds == [4.0, 2.5, 2.0]
