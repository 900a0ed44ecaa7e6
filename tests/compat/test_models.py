"""Models as scripts of Keras 1 and 2 use them."""

import numpy as np
import pytest

import gazelle

pytestmark = pytest.mark.filterwarnings("ignore::gazelle.compat.OldFormWarning")


@pytest.fixture
def data():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 4)).astype("float32")
    return x, (x.sum(axis=1) > 0).astype("int32")


def classifier(outputs=1, metrics=("accuracy",)):
    from keras.layers import Dense
    from keras.models import Sequential

    last = "sigmoid" if outputs == 1 else "softmax"
    loss = "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"
    model = Sequential()
    model.add(Dense(8, input_dim=4, activation="relu"))
    model.add(Dense(outputs, activation=last))
    model.compile(loss=loss, optimizer="adam", metrics=list(metrics))
    return model


def batches(x, y, size=20):
    while True:
        for start in range(0, len(x), size):
            yield x[start : start + size], y[start : start + size]


def test_history_under_both_names(installed, data):
    history = classifier().fit(*data, nb_epoch=2, verbose=0, validation_split=0.2).history
    assert history["acc"] == history["accuracy"] == history["binary_accuracy"]
    assert history["val_acc"] == history["val_accuracy"]
    assert "val_acc" in history
    assert "lr" not in history
    assert history.get("precision") is None
    with pytest.raises(KeyError):
        history["precision"]
    assert sorted(history) == ["accuracy", "loss", "val_accuracy", "val_loss"]


def test_monitors_under_old_names(installed, data, tmp_path, recwarn):
    from keras.callbacks import EarlyStopping, ModelCheckpoint

    path = str(tmp_path / "best-{epoch:02d}-{val_acc:.2f}.hdf5")
    callbacks = [
        EarlyStopping(monitor="val_acc", patience=1, mode="max"),
        ModelCheckpoint(path, monitor="val_acc", save_best_only=True, mode="max", period=1),
    ]
    model = classifier()
    model.fit(*data, epochs=3, verbose=0, validation_data=data, callbacks=callbacks)
    assert not [w for w in recwarn if "val_acc" in str(w.message)]
    files = sorted(tmp_path.glob("best-01-0.*.hdf5"))
    assert len(files) == 1


def test_period(installed, data, tmp_path):
    from keras.callbacks import ModelCheckpoint

    path = str(tmp_path / "w{epoch}.h5")
    keeper = ModelCheckpoint(path, save_weights_only=True, period=2)
    classifier().fit(*data, epochs=5, verbose=0, callbacks=[keeper])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w2.h5", "w4.h5"]


def test_validation_data_of_callbacks(installed, data):
    from keras.callbacks import Callback

    class Seen(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.shapes = [part.shape for part in self.validation_data]

    seen = Seen()
    x, y = data
    classifier().fit(x, y, epochs=1, verbose=0, callbacks=[seen], validation_data=(x[:7], y[:7]))
    assert seen.shapes == [(7, 4), (7,), (7,)]
    classifier().fit(x, y, epochs=1, verbose=0, callbacks=[seen], validation_split=0.25)
    assert seen.shapes == [(15, 4), (15,), (15,)]


def test_generators(installed, data):
    model, (x, y) = classifier(), data
    history = model.fit_generator(
        batches(x, y), samples_per_epoch=60, nb_epoch=2, verbose=0, max_q_size=2, nb_worker=1,
        validation_data=batches(x, y), nb_val_samples=40,
    )  # fmt: skip
    assert len(history.history["loss"]) == 2
    whole = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(model.evaluate_generator(batches(x, y), 3), whole, rtol=1e-5)
    np.testing.assert_allclose(
        model.evaluate_generator(batches(x, y), val_samples=60), whole, rtol=1e-5
    )
    np.testing.assert_allclose(
        model.predict_generator(batches(x, y), 3), model.predict(x), rtol=1e-5
    )


def test_counted_samples_train_each_row_once(installed, data):
    """Keras 1's samples_per_epoch=60 with batches of 20 is three steps."""
    x, y = data
    one, other = classifier(), classifier()
    other.set_weights(one.get_weights())
    one.fit_generator(batches(x, y), samples_per_epoch=60, nb_epoch=1, verbose=0)
    other.fit(x, y, batch_size=20, epochs=1, shuffle=False, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_classes_and_probabilities(installed, data):
    x, _ = data
    model = classifier()
    assert model.predict_classes(x).tolist() == (model.predict(x) > 0.5).astype(int).tolist()
    model = classifier(outputs=3)
    np.testing.assert_array_equal(model.predict_classes(x), model.predict(x).argmax(axis=-1))
    np.testing.assert_array_equal(model.predict_proba(x), model.predict(x))


def test_lists_as_data(installed):
    model = classifier()
    x, y = [[0, 0, 1, 1], [1, 0, 1, 0]], [[0], [1]]
    model.fit(x, y, epochs=1, verbose=0, validation_data=(x, y))
    np.testing.assert_array_equal(model.predict(x), model.predict(np.array(x)))


def test_lists_for_several_inputs(installed):
    from keras.layers import Dense, Input, add
    from keras.models import Model

    a, b = Input((1,)), Input((1,))
    model = Model([a, b], Dense(1)(add([a, b])))
    model.compile("sgd", "mse")
    model.fit([[1, 2, 3], [4, 5, 6]], [7, 8, 9], epochs=1, verbose=0)
    arrays = [np.array([1.0, 2, 3]), np.array([4.0, 5, 6])]
    np.testing.assert_array_equal(model.predict([[1, 2, 3], [4, 5, 6]]), model.predict(arrays))


def test_dicts_and_callbacks(installed):
    from keras.callbacks import EarlyStopping
    from keras.layers import Dense, Input
    from keras.models import Model

    x = Input((2,), name="x")
    model = Model(x, Dense(1)(x))
    model.compile("sgd", "mse")
    data = {"x": np.ones((8, 2))}, np.ones(8)
    stopper = EarlyStopping(patience=3)
    model.fit(*data, validation_split=0.25, epochs=1, verbose=0, callbacks=[stopper])
    model.fit(*data, validation_data=data, epochs=1, verbose=0, callbacks=[stopper])
    assert stopper.validation_data is None


def test_metrics_as_one_name_and_for_every_output(installed):
    from keras.layers import Dense, Input
    from keras.models import Model

    x = Input((2,))
    model = Model(x, [Dense(1, name="a")(x), Dense(1, name="b")(x)])
    model.compile("sgd", "mse", metrics=["mae"])
    names = model.evaluate(np.ones((4, 2)), [np.ones(4)] * 2, verbose=0, return_dict=True)
    assert {"a_mae", "b_mae"} <= set(names)
    single = Model(x, Dense(1)(x))
    single.compile("sgd", "mse", metrics="mae")
    assert "mae" in single.evaluate(np.ones((4, 2)), np.ones(4), verbose=0, return_dict=True)


def test_learning_rate_by_its_old_name(installed, data):
    from keras import backend as k

    model = classifier()
    assert k.get_value(model.optimizer.lr) == pytest.approx(0.001)
    k.set_value(model.optimizer.lr, 0.25)
    assert float(model.optimizer.learning_rate) == 0.25


def test_show_accuracy(installed, data):
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(1, input_dim=4, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer="sgd")
    model.fit(*data, nb_epoch=1, show_accuracy=True, verbose=0)
    loss, accuracy = model.evaluate(*data, show_accuracy=True, verbose=0)
    assert 0 <= accuracy <= 1
    assert loss > 0


def test_models_that_begin_with_a_merge(installed):
    from keras.layers import Dense, Merge
    from keras.models import Sequential

    left, right = Sequential([Dense(3, input_dim=2)]), Sequential([Dense(4, input_dim=5)])
    model = Sequential()
    model.add(Merge([left, right], mode="concat"))
    model.add(Dense(1))
    model.compile("sgd", "mse")
    draw = np.random.default_rng(0)
    x = [draw.normal(size=(8, 2)), draw.normal(size=(8, 5))]
    model.fit(x, np.ones(8), nb_epoch=1, verbose=0)
    assert model.predict(x).shape == (8, 1)
    assert len(model.get_weights()) == 6


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("sum", 5.0), ("mul", 6.0), ("ave", 2.5), ("max", 3.0), (lambda t: t[0] - t[1], -1.0)],
)
def test_merge(installed, mode, expected):
    from keras.layers import Input, merge
    from keras.models import Model

    a, b = Input((2,)), Input((2,))
    model = Model([a, b], merge([a, b], mode=mode))
    found = model.predict([np.full((1, 2), 2.0), np.full((1, 2), 3.0)])
    np.testing.assert_allclose(found, np.full((1, 2), expected))


def test_loss_terms_of_a_functional_model(installed, data):
    """A variational autoencoder as tf.keras's books write it: add_loss of a symbolic tensor."""
    from keras import backend as k
    from keras.layers import Dense, Input
    from keras.models import Model

    x, _ = data
    inputs = Input((4,))
    code = Dense(2, name="code")(inputs)
    outputs = Dense(4, name="back")(code)
    model = Model(inputs, outputs)
    model.add_loss(k.mean(k.square(inputs - outputs)) + 0.1 * k.mean(k.square(code)))
    model.compile(optimizer="sgd")
    codes = Model(inputs, code).predict(x)
    expected = np.mean((x - model.predict(x)) ** 2) + 0.1 * np.mean(codes**2)
    assert model.evaluate(x, verbose=0) == pytest.approx(expected, rel=1e-5)
    losses = model.fit(x, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    with pytest.warns(gazelle.errors.CheckWarning, match="add_loss"):
        model.get_config()


def test_a_loss_term_must_be_symbolic(installed):
    from keras.layers import Dense, Input
    from keras.models import Model

    x = Input((4,))
    model = Model(x, Dense(1)(x))
    with pytest.raises(NotImplementedError, match="symbolic"):
        model.add_loss(np.float32(1))


def test_values_that_gazelle_refuses_are_warned_of(installed):
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(1, input_dim=2)])
    model.compile("sgd", "hinge")
    with pytest.warns(gazelle.errors.CheckWarning, match="hinge"):
        model.fit(np.ones((4, 2)), np.array([0.3, 2.0, 5.0, -0.1]), epochs=1, verbose=0)
