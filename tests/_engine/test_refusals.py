"""Mistakes that would make training useless raise an error or a warning."""

import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle import callbacks, metrics
from gazelle._core.errors import ArgumentError, ArgumentTypeError, DataError, ShapeError, StateError
from gazelle.errors import CheckWarning
from gazelle.layers import Dense, Layer

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(96, 3)).astype("float32")
Y = (X.sum(axis=1) > 0).astype("int32")


def make(loss="binary_crossentropy", units=1, layers=(), **compiled):
    output = Dense(units, activation="sigmoid")
    model = gazelle.Sequential([gazelle.Input((3,)), *layers, output])
    model.compile(compiled.pop("optimizer", "sgd"), loss, **compiled)
    return model


def batches(*changes, count=3):
    """A generator of batches of 32, some of them replaced: `changes` are (number, batch) pairs."""
    for i in range(count):
        rows = slice(32 * i, 32 * i + 32)
        yield dict(changes).get(i, (X[rows], Y[rows]))


# ---- Nothing to minimize ----


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.fit(X, verbose=0),
        lambda model: model.fit(((X[:32],) for _ in range(3)), verbose=0),
        lambda model: model.fit(X, Y, validation_data=(X,), verbose=0),
        lambda model: model.evaluate(X, verbose=0),
        lambda model: model.train_on_batch(X),
        lambda model: model.test_on_batch(X),
        lambda model: model.fit(batches((2, (X[:32],))), verbose=0),
    ],
    ids=[
        "fit",
        "stream",
        "validation",
        "evaluate",
        "train_on_batch",
        "test_on_batch",
        "third batch",
    ],
)
def test_a_loss_without_targets_is_refused(call):
    model = make()
    with pytest.raises(DataError, match="no targets"):
        call(model)


@pytest.mark.parametrize("call", ["fit", "train_on_batch"])
def test_training_without_a_loss_is_refused(call):
    model = make(loss=None)
    with pytest.raises(StateError, match="nothing to minimize"):
        getattr(model, call)(X, Y)


class Shrinks(Layer):
    def build(self, input_shape):
        self.w = self.add_weight(shape=(), initializer="ones")

    def call(self, inputs):
        self.add_loss(self.w**2)
        return inputs * self.w


def test_a_model_that_only_adds_losses_trains():
    model = make(loss=None, layers=[Shrinks()])
    losses = model.fit(X, epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[0]


def test_gradients_that_are_all_zero_cause_a_warning_after_the_first_epoch():
    model = make(loss=lambda y_true, y_pred: (jnp.round(y_pred) - y_true) ** 2)
    with pytest.warns(CheckWarning, match="no weight has changed in epoch 1"):
        model.fit(X, Y, epochs=2, verbose=0)


def test_a_model_without_trainable_weights_causes_a_warning_and_is_evaluated():
    model = make()
    model.trainable = False
    model.compile("sgd", "binary_crossentropy")
    with pytest.warns(CheckWarning, match="does not have any trainable weights"):
        loss = model.fit(X, Y, epochs=2, verbose=0).history["loss"]
    assert loss == [pytest.approx(model.evaluate(X, Y, verbose=0))] * 2


@pytest.mark.parametrize("what", ["loss", "metric", "compute_loss"])
def test_a_function_without_return_is_named_in_the_error(what):
    def forgot(y_true, y_pred):
        pass

    if what == "loss":
        model = make(loss=forgot)
    elif what == "metric":
        model = make(metrics=[forgot])
    else:

        class Own(gazelle.Sequential):
            def compute_loss(self, **parts):
                pass

        model = Own([Dense(1)])
        model.compile("sgd")
    with pytest.raises(ArgumentTypeError, match="returns None") as raised:
        model.fit(X, Y, verbose=0)
    assert ("forgot" if what != "compute_loss" else "compute_loss") in str(raised.value)


# ---- Streams ----


def test_every_batch_of_a_stream_is_checked():
    nan = X[:32].copy()
    nan[5, 1] = np.nan
    with pytest.raises(DataError, match=r"x in batch 3 .*\n.*\n.*row 5, column 1"):
        make().fit(batches((2, (nan, Y[:32]))), verbose=0)
    model = gazelle.Sequential([Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(DataError, match="y in batch 2 holds labels outside"):
        model.fit(batches((1, (X[:32], Y[:32] + 1))), verbose=0)
    with pytest.raises(DataError, match="validation y in batch 3"):
        make().fit(X, Y, validation_data=batches((2, (X[:32], np.full(32, np.nan)))), verbose=0)


def test_a_batch_that_is_none_is_refused():
    with pytest.raises(DataError, match="batch 2 is None"):
        make().fit(batches((1, None)), verbose=0)


def test_a_batch_is_used_as_it_was_when_the_generator_returned_it():
    def reuses():
        x, y = np.empty((32, 3), "float32"), np.empty(32, "float32")
        for i in range(3):
            x[:], y[:] = X[32 * i : 32 * i + 32], Y[32 * i : 32 * i + 32]
            yield x, y
            x[:], y[:] = np.nan, np.nan

    first, second = make(), make()
    second.set_weights(first.get_weights())
    first.fit(reuses(), verbose=0)
    second.fit(batches(), verbose=0)
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_class_weights_work_the_same_for_streams_and_arrays():
    weight = {0: 1.0, 1: 5.0}

    class Rows(gazelle.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return list(batches())[index]

    results = []
    start = make().get_weights()
    for source in ((X, Y), (batches(),), (Rows(),)):
        model = make()
        model.set_weights(start)
        model.fit(*source, class_weight=weight, shuffle=False, verbose=0)
        results.append(model.get_weights()[0])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-6)
    with pytest.raises(ArgumentError, match="balanced"):
        make().fit(batches(), class_weight="balanced", verbose=0)


@pytest.mark.parametrize("class_weight", [{0: 1.0, 1: 2.0}, "balanced"])
@pytest.mark.parametrize(
    ("y", "units", "loss"),
    [
        (np.tile([1, 0, 1], (96, 1)), 3, "binary_crossentropy"),
        (X[:, :1] + 0.5, 1, "mse"),
        (X[:, 0], 1, "mse"),
        (np.abs(X), 3, "mse"),
    ],
    ids=["several labels", "quantities in a column", "quantities", "table of quantities"],
)
def test_class_weights_for_targets_that_are_not_classes_are_refused(y, units, loss, class_weight):
    with pytest.raises(ArgumentError, match="class_weight needs targets that are classes"):
        make(loss, units).fit(X, y, class_weight=class_weight, verbose=0)


# ---- Names and results ----


def test_names_and_results_of_several_outputs_match():
    x = gazelle.Input((3,))
    model = gazelle.Model(x, [Dense(1, name="b")(x), Dense(1, name="a")(x)])
    model.compile("sgd", ["mse", "mse"], metrics=[["mae"], ["mae"]])
    y = [X[:, :1], X[:, 1:2] + 10]
    results = model.evaluate(X, y, verbose=0)
    by_name = model.evaluate(X, y, verbose=0, return_dict=True)
    assert dict(zip(model.metrics_names, results, strict=True)) == by_name


def test_a_users_own_metric_function_gets_targets_with_the_rank_of_the_output():
    def gap(y_true, y_pred):
        return jnp.abs(y_true - y_pred)

    model = make(metrics=[gap])
    found = model.evaluate(X, Y, verbose=0, return_dict=True)["gap"]
    assert found == pytest.approx(np.abs(model.predict(X)[:, 0] - Y).mean(), rel=1e-5)


def test_a_metric_whose_result_is_its_variable_is_logged():
    class Sum(metrics.Metric):
        def __init__(self, name="sum"):
            super().__init__(name=name)
            self.total = self.add_variable((), "zeros", name="total")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(jnp.sum(y_true))

        def result(self):
            return self.total

    model = make(metrics=[Sum()])
    assert model.fit(X, Y, epochs=2, verbose=0).history["sum"] == [Y.sum()] * 2


# ---- Keras's protocol ----


@pytest.mark.parametrize(
    "name", ["make_train_function", "make_test_function", "stateless_compute_loss"]
)
def test_a_model_with_a_method_that_is_never_called_is_refused_at_compile(name):
    kind = type("Own", (gazelle.Sequential,), {name: lambda self, *args: None})
    with pytest.raises(StateError, match=rf"Own defines {name}\(\)"):
        kind([Dense(1)]).compile("sgd", "mse")


def test_a_layer_with_a_method_that_is_never_called_is_refused_at_compile():
    class Own(Layer):
        def call(self, inputs):
            return inputs

        def symbolic_call(self, inputs):
            return inputs

    with pytest.raises(StateError, match=r"Own defines symbolic_call\(\)"):
        make(layers=[Own()])


# ---- Callbacks ----


class Steps(callbacks.Callback):
    taken = 0

    def on_progress(self, stage, step, logs=None):
        self.taken += 1


@pytest.mark.parametrize(
    ("make_callback", "match"),
    [
        (lambda path: callbacks.ModelCheckpoint(path / "f" / "m.h5"), "not a folder"),
        (
            lambda path: callbacks.ModelCheckpoint(
                path / "f" / "m.weights.h5", save_weights_only=True
            ),
            "not a folder",
        ),
        (lambda path: callbacks.CSVLogger(path / "nowhere" / "log.csv"), "not a folder"),
        (lambda path: callbacks.CSVLogger(path), "it is a folder"),
        (lambda path: callbacks.CSVLogger(path / "f", append=True), "cannot continue"),
        (lambda path: callbacks.CSVLogger(path / "log.csv", append=True), "columns are missing"),
    ],
    ids=["whole model", "folder is a file", "no folder", "folder", "not a log", "missing columns"],
)
def test_the_files_of_callbacks_are_checked_before_the_first_step(make_callback, match, tmp_path):
    (tmp_path / "f").write_text("a,b\n1,2\n")
    (tmp_path / "log.csv").write_text("epoch,mae\n0,0.5\n")
    callback, steps = make_callback(tmp_path), Steps()
    listed = [callback] if "columns" in match else [callback, steps]
    with pytest.raises(ArgumentError, match=match):
        make().fit(X, Y, callbacks=listed, verbose=0)
    assert not steps.taken


def test_a_path_with_a_name_that_is_not_in_the_logs_is_refused_before_the_first_step(tmp_path):
    checkpoint = callbacks.ModelCheckpoint(
        tmp_path / "{val_loss:.2f}.weights.h5", save_weights_only=True
    )
    with pytest.raises(ArgumentError, match="val_loss"):
        make().fit(X, Y, callbacks=[checkpoint], verbose=0)
    make().fit(X, Y, callbacks=[checkpoint], verbose=0, validation_split=0.5)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
def test_a_monitor_that_will_not_exist_causes_one_warning_before_training(kind):
    with pytest.warns(
        UserWarning, match=r"`val_loss` which is not available.*monitor='loss'"
    ) as caught:
        make().fit(X, Y, epochs=3, callbacks=[kind()], verbose=0)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="pass validation_data or validation_split to fit.$"):
        make().fit(X, Y, callbacks=[kind("val_los")], verbose=0)


def test_a_log_without_a_final_line_break_is_continued_on_a_new_line(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,val_loss\n0,0.5,NA")
    make().fit(X, Y, callbacks=[callbacks.CSVLogger(path, append=True)], verbose=0)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["epoch,loss,val_loss", "0,0.5,NA"]
    assert len(lines) == 3
    assert lines[2].startswith("0,")


def test_a_checkpoint_does_not_replace_finite_weights_with_nan(tmp_path):
    path = tmp_path / "m.weights.h5"
    model = make()
    checkpoint = callbacks.ModelCheckpoint(path, save_weights_only=True)
    model.fit(X, Y, callbacks=[checkpoint], verbose=0)
    kept = path.read_bytes()

    class Spoils(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights = self.model.get_weights()
            self.model.set_weights([np.full_like(weight, np.nan) for weight in weights])

    with pytest.warns(UserWarning, match="does not replace"):
        model.fit(X, Y, callbacks=[Spoils(), checkpoint], verbose=0)
    assert path.read_bytes() == kept


# ---- Arguments ----


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 2**63},
        {"steps_per_epoch": 2**40},
        {"validation_split": float("nan")},
        {"validation_split": "a"},
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused_by_name(arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        make().fit(X, Y, verbose=0, **arguments)


def test_a_list_of_numpy_numbers_is_an_array():
    model = make()
    assert model.evaluate(X, list(Y), verbose=0) == model.evaluate(X, Y, verbose=0)


def test_a_layer_may_be_used_twice_in_a_chain():
    layer = Dense(3, use_bias=False)
    model = gazelle.Sequential([gazelle.Input((3,)), layer, layer])
    kernel = layer.get_weights()[0]
    np.testing.assert_allclose(model.predict(X), X @ kernel @ kernel, rtol=1e-4, atol=1e-5)


def test_a_short_error_advises_to_stack_a_list_of_rows():
    for call in (lambda: make().fit(list(X), Y, verbose=0), lambda: make().predict(list(X))):
        with pytest.raises(ShapeError, match=r"np.stack\(rows\)") as raised:
            call()
        assert len(str(raised.value)) < 1000


def test_the_error_for_one_sample_advises_to_make_it_a_batch():
    with pytest.raises(ShapeError, match=r"x\[np.newaxis\]"):
        make().predict(X[0])


@pytest.mark.parametrize("method", ["predict", "predict_on_batch", "call", "fit"])
def test_every_method_refuses_numbers_that_the_device_cannot_represent(method):
    model = make()
    good = np.ones((4, 3))
    for bad in (np.full((4, 3), 1e300), np.full((4, 3), 2**40 + 5)):
        run = {
            "predict": model.predict,
            "predict_on_batch": model.predict_on_batch,
            "call": model,
            "fit": lambda x: model.fit(x, Y[:4], verbose=0),
        }[method]
        run(good.astype(bad.dtype))
        with pytest.raises(DataError, match="cannot hold"):
            run(bad)


@pytest.mark.parametrize("returned", [None, "text", (1.0, 2.0), [1.0]])
def test_a_loss_that_returns_no_array_is_refused_by_name(returned):
    def odd_loss(y_true, y_pred):
        return returned

    with pytest.raises(ArgumentTypeError, match="The loss 'odd_loss' returns"):
        make(odd_loss).fit(X, Y, verbose=0)


def test_a_loss_that_needs_numpy_is_refused_by_name_and_line():
    def numpy_loss(y_true, y_pred):
        return np.mean((np.asarray(y_true) - np.asarray(y_pred)) ** 2)

    with pytest.raises(
        ArgumentTypeError,
        match=r"(?s)The loss 'numpy_loss' needs the numbers.*test_refusals.py:\d+",
    ):
        make(numpy_loss).fit(X, Y, verbose=0)


def test_a_call_or_a_result_without_return_is_refused():
    class Silent(Layer):
        def call(self, inputs):
            pass

    class Nothing(gazelle.metrics.Mean):
        def result(self):
            pass

        def update_state(self, y_true, y_pred, sample_weight=None):
            pass

    with pytest.raises(ArgumentTypeError, match=r"Silent\) returns None"):
        Silent()(gazelle.Input((3,)))
    model = make()
    model.compile("adam", "mse", metrics=[Nothing(name="nothing")])
    with pytest.raises(ArgumentTypeError, match="metric 'nothing' returns None"):
        model.fit(X, Y, verbose=0)


def test_a_loss_that_is_always_0_causes_a_warning():
    model = make()
    model.compile("adam", "mse", loss_weights=0.0)
    with pytest.warns(UserWarning, match=r"no weight has changed in epoch 1.*The loss is 0"):
        model.fit(X, Y, verbose=0)


def test_class_weights_for_rows_with_two_equally_likely_classes_are_refused():
    y = np.full((len(X), 2), 0.5)
    with pytest.raises(ArgumentError, match="equally likely"):
        make("categorical_crossentropy", 2).fit(X, y, class_weight={0: 1.0, 1: 2.0}, verbose=0)


@pytest.mark.parametrize(
    "arguments", [{"verbose": "loud"}, {"validation_freq": ["a"], "validation_split": 0.5}]
)
def test_invalid_arguments_are_refused(arguments):
    with pytest.raises(ArgumentError, match=r"verbose|validation_freq"):
        make().fit(X, Y, **{"verbose": 0, **arguments})
