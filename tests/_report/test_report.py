"""gazelle.report(): every kind of model becomes a run folder and a page."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, r2_score, roc_auc_score

import gazelle
from gazelle import layers, losses, models, optimizers
from gazelle._core.errors import ArgumentError, DataError, GazelleError, StateError
from gazelle._report import runs
from gazelle._report.record import RunDetails, _showable, record
from gazelle.callbacks import EarlyStopping

pytestmark = pytest.mark.slow

ALWAYS = {
    "config.json",
    "history.csv",
    "metrics.json",
    "model.weights.h5",
    "predictions.npz",
    "report.html",
}
DRAWN = {"network.json", "network.svg"}

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 4)).astype(np.float32)
CLASSES = X[:, :3].argmax(axis=1)
SIGNS = (X[:, 0] > 0).astype(np.float32)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def trained(loss, y, units, activation=None, x=X, epochs=1, **options):
    model = models.Sequential(
        [layers.Input(x.shape[1:]), layers.Flatten(), layers.Dense(units, activation=activation)]
    )
    model.compile(optimizers.Adam(0.01), loss)
    model.fit(x, y, epochs=epochs, verbose=0, **options)
    return model


@pytest.fixture(scope="module")
def numbers():
    return trained("mse", X[:, 0], 1)


@pytest.fixture(scope="module")
def colors():
    return trained("sparse_categorical_crossentropy", CLASSES, 3, "softmax")


def files(page):
    return {path.name for path in page.parent.iterdir()}


@pytest.mark.parametrize(
    ("loss", "y", "units", "activation"),
    [
        ("binary_crossentropy", SIGNS, 1, "sigmoid"),
        (losses.BinaryCrossentropy(from_logits=True), SIGNS[:, None], 1, None),
        ("sparse_categorical_crossentropy", CLASSES[:, None], 3, "softmax"),
        (losses.CategoricalCrossentropy(from_logits=True), np.eye(3)[CLASSES], 3, None),
        ("hinge", 2 * SIGNS - 1, 1, "tanh"),
    ],
)
def test_the_figures_of_a_classifier_are_those_of_scikit_learn(loss, y, units, activation):
    model = trained(loss, y, units, activation)
    folder = record(model, X, y, folder="run", history=model.history)
    metrics = runs.read_metrics(folder)
    output = model.predict(X)
    if units == 1:
        threshold = 0.5 if activation == "sigmoid" else 0.0
        predicted, true = (output[:, 0] > threshold).astype(int), SIGNS.astype(int)
    else:
        predicted, true = output.argmax(axis=1), CLASSES
    assert metrics.accuracy == pytest.approx(accuracy_score(true, predicted))
    assert metrics.loss == pytest.approx(model.evaluate(X, y, verbose=0), rel=1e-5)
    assert {path.name for path in folder.iterdir()} == (ALWAYS | DRAWN | {"model.json"}) - {
        "report.html"
    }
    assert runs.read_config(folder).task == "classification"


@pytest.mark.parametrize(
    ("y", "units"), [(X[:, 1], 1), (X[:, 1:2], 1), (X[:, :2], 2)], ids=["(n,)", "(n, 1)", "(n, 2)"]
)
def test_the_figures_of_a_regression_are_those_of_scikit_learn(y, units):
    model = trained("mse", y, units)
    folder = record(model, X, y, folder="run", details=RunDetails(splits={"train": y, "test": y}))
    metrics, config = runs.read_metrics(folder), runs.read_config(folder)
    flat = model.predict(X).reshape(np.shape(y))
    assert metrics.r2 == pytest.approx(r2_score(y, flat, multioutput="uniform_average"), abs=1e-5)
    assert (config.task, config.class_names) == ("regression", [])
    assert [(split.name, split.rows) for split in config.splits] == [("train", 48), ("test", 48)]


def test_images_are_shown_and_tables_are_not(colors):
    images = RNG.integers(0, 17, (48, 5, 6)).astype(np.uint8)
    model = trained("sparse_categorical_crossentropy", CLASSES, 3, "softmax", x=images)
    samples = runs.read_samples(record(model, images, CLASSES, folder="images"))
    assert samples.images.shape[1:] == (5, 6)
    assert samples.images.max() == 255  # stretched: 16 would be black
    assert not (record(colors, X, CLASSES, folder="table") / "samples.npz").exists()


def test_negative_floats_are_rescaled_to_be_shown():
    shown = _showable(np.array([-1.0, 0.0, 3.0], np.float32))
    np.testing.assert_allclose(shown, [0, 0.25, 1])


def test_class_names_data_settings_and_folder_are_used(colors):
    names = ["red", "green", "blue"]
    details = {
        "class_names": names,
        "data": "colors",
        "title": "Which color?",
        "settings": {"note": "first try"},
    }
    page = gazelle.report(colors, X, CLASSES, folder="here", y_train=CLASSES, **details)
    config = runs.read_config(page.parent)
    assert str(page) == "here/report.html"
    assert "Which color?" in page.read_text(encoding="utf-8")
    assert config.class_names == names
    assert config.split("train").class_counts == np.bincount(CLASSES).tolist()
    assert config.settings["note"] == "first try"
    assert config.settings["learning_rate"] == 0.01
    assert config.settings["optimizer"] == "Adam"
    assert config.settings["optimizer arguments"] == "beta_1=0.9, beta_2=0.999, epsilon=1e-07"
    assert config.settings["loss"] == "sparse_categorical_crossentropy"
    assert config.durations["evaluate"] > 0
    assert set(config.versions) == {"python", "gazelle", "jax", "jaxlib", "numpy"}
    assert config.input_shape == [4]


def test_each_report_gets_a_folder_of_its_own(numbers):
    pages = [gazelle.report(numbers, X, X[:, 0], data="sizes") for _ in range(2)]
    assert [str(page) for page in pages] == ["runs/sizes/report.html", "runs/sizes-2/report.html"]


def test_an_early_end_is_reported_and_epochs_count_from_1():
    stopping = EarlyStopping("loss", min_delta=1e9, patience=2)
    model = trained(
        "mse",
        X[:, 0],
        1,
        epochs=9,
        callbacks=[stopping],
        validation_data=(X, X[:, 0]),
        validation_freq=2,
    )
    page = gazelle.report(model, X, X[:, 0])
    reason = "Training ended after 3 of 9 epochs."
    reason += " EarlyStopping: loss had not improved for 2 epochs."
    assert runs.read_config(page.parent).stop_reason == reason
    epochs, history = runs.read_history(page.parent)
    assert epochs == [1, 2, 3]
    assert np.isnan(history["val_loss"]).tolist() == [True, False, True]


class Branching(models.Model):
    """A model whose architecture is code."""

    def __init__(self):
        super().__init__()
        self.left, self.right = layers.Dense(2, name="left"), layers.Dense(1, name="right")

    def call(self, inputs):
        return self.right(self.left(inputs))


def test_only_the_weights_of_a_subclassed_model_are_kept_and_the_report_says_so():
    model = Branching()
    model.compile("sgd", "mse")
    model.fit(X, X[:, 0], verbose=0)
    page = gazelle.report(model, X, X[:, 0])
    assert files(page) == ALWAYS | DRAWN
    text = runs.read_config(page.parent).settings["model file"]
    assert "Branching" in text
    assert "model.weights.h5" in text
    again = Branching()
    again.build((None, 4))
    again.load_weights(page.parent / "model.weights.h5")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_model_with_several_outputs_is_refused_and_leaves_nothing(tmp_path):
    x = layers.Input((4,))
    model = models.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match=r"(?s)one output.*2 outputs: a, b"):
        gazelle.report(model, X, [X[:, 0], X[:, 1]])
    assert list(tmp_path.glob("runs/*")) == []


def test_the_figures_of_several_labels_per_row_are_those_of_scikit_learn():
    y = (X[:, :3] > 0).astype(np.float32)
    model = trained("binary_crossentropy", y, 3, "sigmoid", epochs=5)
    page = gazelle.report(model, X, y, class_names=["a", "b", "c"])
    metrics, predicted = runs.read_metrics(page.parent), model.predict(X) >= 0.5
    assert runs.read_config(page.parent).task == "multilabel"
    assert metrics.exact == accuracy_score(y, predicted)
    assert [label.f1 for label in metrics.labels] == pytest.approx(
        f1_score(y, predicted, average=None)
    )
    assert [label.auc for label in metrics.labels] == pytest.approx(
        roc_auc_score(y, model.predict(X), average=None)
    )


def test_a_wrong_number_of_class_names_is_refused(tmp_path, colors):
    with pytest.raises(DataError, match=r"(?s)class_names.*3 names.*2 names"):
        gazelle.report(colors, X, CLASSES, class_names=["a", "b"])
    assert list(tmp_path.glob("runs/*")) == []


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(StateError, match="compile"):
        gazelle.report(models.Sequential([layers.Input((4,)), layers.Dense(1)]), X, X[:, 0])


def test_predictions_that_are_not_finite_are_refused(numbers):
    weights = numbers.get_weights()
    numbers.set_weights([np.full_like(weight, np.nan) for weight in weights])
    with pytest.raises(DataError, match="NaN"):
        gazelle.report(numbers, X, X[:, 0])
    numbers.set_weights(weights)


def test_a_full_disk_leaves_nothing(monkeypatch, tmp_path, numbers):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_metrics", full)
    with pytest.raises(OSError, match="No space"):
        gazelle.report(numbers, X, X[:, 0])
    with pytest.raises(OSError, match="No space"):
        gazelle.report(numbers, X, X[:, 0], folder="out/mine")
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "out").exists()


def test_a_named_folder_is_complete_or_absent_and_an_existing_one_is_written_to(numbers, tmp_path):
    page = gazelle.report(numbers, X, X[:, 0], folder="out/mine")
    assert page == Path("out/mine/report.html")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    before = {path.name for path in (tmp_path / "out" / "mine").iterdir()}
    page.write_text("old")
    (page.parent / "note").write_text("mine")
    assert "old" not in gazelle.report(numbers, X, X[:, 0], folder="out/mine").read_text()[:9]
    assert {path.name for path in page.parent.iterdir()} == {*before, "note"}


def test_the_config_is_json_without_rounding_errors_of_float32(numbers):
    details = RunDetails(settings={"rate": np.float32(0.1), "n": np.int64(3)})
    settings = json.loads(
        (record(numbers, X, X[:, 0], details=details, folder="run") / "config.json").read_text()
    )["settings"]
    assert (settings["rate"], settings["n"]) == (0.1, 3)


def test_the_arguments_of_optimizer_and_schedule_are_listed():
    model = models.Sequential([layers.Input((4,)), layers.Dense(1)])
    schedule = optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.9)
    model.compile(
        optimizers.SGD(schedule, momentum=0.5, clipnorm=2.0),
        losses.BinaryCrossentropy(from_logits=True),
    )
    model.fit(X, SIGNS, verbose=0)
    settings = runs.read_config(record(model, X, SIGNS, folder="run")).settings
    assert settings["optimizer"] == "SGD"
    assert settings["optimizer arguments"] == "clipnorm=2.0, momentum=0.5"
    assert settings["learning_rate"] == (
        "ExponentialDecay(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.9)"
    )
    assert settings["loss"] == "binary_crossentropy (from_logits)"


def test_inputs_may_be_several_arrays():
    left, right = layers.Input((4,), name="left"), layers.Input((4,), name="right")
    model = models.Model(
        {"left": left, "right": right}, layers.Dense(1)(layers.Concatenate()([left, right]))
    )
    model.compile("sgd", "mse")
    both = {"left": X, "right": X}
    model.fit(both, X[:, 0], verbose=0)
    folder = record(model, both, X[:, 0], folder="run")
    assert runs.read_config(folder).input_shape == []
    assert runs.read_predictions(folder).outputs.shape == (48, 1)


def page_text(page):
    return page.read_text(encoding="utf-8")


def test_a_report_on_the_training_data_says_so(numbers):
    page = gazelle.report(numbers, X[::-1], X[::-1, 0])
    assert runs.read_config(page.parent).seen.train == 1.0
    assert "these are the rows that the network was trained on" in page_text(page)


def test_a_report_on_a_part_of_the_training_data_says_how_much_was_trained_on():
    x = RNG.normal(size=(1000, 4)).astype(np.float32)
    model = trained("mse", x[:, 0], 1, x=x)
    text = page_text(gazelle.report(model, x[:200], x[:200, 0]))
    assert "of a sample of 128 training rows, 20% are among these rows" in text
    assert re.search(r"roughly (98|99|100)% of these rows were trained on", text)
    half = page_text(gazelle.report(model, np.concatenate([x[:200], x[:200] + 9]), np.zeros(400)))
    assert re.search(r"roughly (49|50|51|52)% of these rows were trained on", half)


def test_a_report_on_other_data_claims_only_what_the_sample_shows(numbers):
    text = page_text(gazelle.report(numbers, X + 5, X[:, 0]))
    assert "None of a sample of 48 training rows are among the test rows" in text
    assert "did not see" not in text


def test_the_parts_are_those_that_fit_recorded():
    model = trained(
        "sparse_categorical_crossentropy",
        CLASSES,
        3,
        "softmax",
        validation_split=0.25,
        batch_size=8,
    )
    for given in ({}, {"y_train": CLASSES}):  # y_train includes the rows that were split off
        config = runs.read_config(gazelle.report(model, X[:20] + 1, CLASSES[:20], **given).parent)
        assert [(split.name, split.rows) for split in config.splits] == [
            ("train", 36),
            ("validation", 12),
            ("test", 20),
        ]
        assert config.splits[0].class_counts == np.bincount(CLASSES[:36], minlength=3).tolist()
    assert config.settings["batch_size"] == 8
    assert config.durations["train"] > 0


def test_test_data_that_was_used_for_validation_is_one_part_and_reported():
    model = trained("mse", X[:, 0], 1, validation_data=(X[:20] + 1, X[:20, 0]))
    page = gazelle.report(model, X[:20] + 1, X[:20, 0])
    assert [split.name for split in runs.read_config(page.parent).splits] == ["train", "test"]
    assert "The validation data of the training is among these rows" in page_text(page)


def test_a_model_that_was_never_fitted_has_nothing_recorded():
    model = models.Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    page = gazelle.report(model, X, X[:, 0])
    settings = runs.read_config(page.parent).settings
    assert {settings[name] for name in ("batch_size", "epochs", "seed", "learning_rate")} == {
        "not recorded"
    }
    assert "Whether the test rows were seen in training is not recorded" in page_text(page)


def test_all_epochs_of_a_continued_training_are_shown():
    model = trained("mse", X[:, 0], 1, epochs=2)
    model.fit(X, X[:, 0], epochs=5, initial_epoch=2, verbose=0)
    model.fit(X, X[:, 0], epochs=1, verbose=0)
    page = gazelle.report(model, X, X[:, 0])
    assert runs.read_history(page.parent)[0] == [1, 2, 3, 4, 5, 6]
    assert runs.read_config(page.parent).settings["epochs"] == "2 + 3 + 1"
    assert "The training ran for 6 epochs in 3 calls of fit." in page_text(page)


def test_the_learning_rate_is_that_of_the_first_epoch():
    from gazelle.callbacks import LearningRateScheduler

    model = trained(
        "mse", X[:, 0], 1, epochs=3, callbacks=[LearningRateScheduler(lambda e: 0.1 / (e + 1))]
    )
    settings = runs.read_config(gazelle.report(model, X, X[:, 0]).parent).settings
    assert settings["learning_rate"] == pytest.approx(0.1)
    assert settings["learning_rate in the last epoch"] == pytest.approx(0.1 / 3, rel=1e-5)


def test_the_epoch_whose_weights_were_restored_is_reported():
    stopping = EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)
    model = trained("mse", X[:, 0], 1, epochs=5, callbacks=[stopping])
    assert "The weights of epoch 1, the best by loss, were restored" in page_text(
        gazelle.report(model, X, X[:, 0])
    )


def test_weights_that_were_set_after_the_training_are_reported():
    model = trained("mse", X[:, 0], 1)
    model.set_weights(model.get_weights())
    text = page_text(gazelle.report(model, X, X[:, 0]))
    assert "The weights were set after the training" in text
    assert "gives the same network" not in text


def test_only_a_run_whose_seed_was_recorded_is_said_to_be_repeatable():
    gazelle.utils.set_random_seed(5)
    seeded = trained("mse", X[:, 0], 1)
    assert "The random seed was 5" in page_text(gazelle.report(seeded, X, X[:, 0]))
    gazelle.utils.clear_session()
    free = trained("mse", X[:, 0], 1)
    assert "No seed was recorded" in page_text(gazelle.report(free, X, X[:, 0]))


def test_compiled_metrics_are_in_the_results_with_their_names():
    model = models.Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[gazelle.metrics.MeanAbsoluteError(name="my_MAE")])
    model.fit(X, X[:, 0], verbose=0)
    page = gazelle.report(model, X, X[:, 0])
    expected = model.evaluate(X, X[:, 0], verbose=0, return_dict=True)["my_MAE"]
    assert runs.read_metrics(page.parent).compiled == {"my_MAE": pytest.approx(expected)}
    assert "my_<wbr>MAE" in page_text(page)


def test_the_worst_rows_of_a_table_have_their_index_columns_and_values():
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame(
        X, columns=["length", "width", "height", "<b>age</b>"], index=[f"row{i}" for i in range(48)]
    )
    y = pandas.DataFrame({"price": X[:, 0] * 9, "weight": X[:, 1]}, index=x.index)
    model = models.Sequential([layers.Input((4,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    page = gazelle.report(model, x, y)
    worst = runs.read_worst_rows(page.parent)
    assert worst.columns == list(x.columns)
    errors = np.abs(model.predict(x) - y.to_numpy()) / y.to_numpy().std(axis=0)
    assert worst.rows[0].place == errors.max(axis=1).argmax()
    assert worst.rows[0].index == f"row{worst.rows[0].place}"
    assert float(worst.rows[0].values[0]) == pytest.approx(
        float(X[worst.rows[0].place, 0]), rel=1e-4
    )
    assert runs.read_config(page.parent).target_names == ["price", "weight"]
    assert [target.name for target in runs.read_metrics(page.parent).each] == ["price", "weight"]
    assert "<b>age" not in page_text(page)


@pytest.mark.parametrize("wrong", ["a file", "names", "rows", "package"])
def test_everything_that_is_needed_is_checked_before_anything_is_computed(
    monkeypatch, tmp_path, colors, wrong
):
    def never(*arguments, **options):
        raise AssertionError("something was computed")

    monkeypatch.setattr(type(colors), "evaluate", never)
    monkeypatch.setattr(type(colors), "predict", never)
    (tmp_path / "taken").touch()
    options = {"a file": {"folder": "taken"}, "names": {"class_names": ["a"]}}.get(wrong, {})
    if wrong == "package":
        monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(GazelleError):
        gazelle.report(colors, X, CLASSES[:5] if wrong == "rows" else CLASSES, **options)
