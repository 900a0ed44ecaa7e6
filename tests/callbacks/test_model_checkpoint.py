import math
from pathlib import Path

import keras
import numpy as np
import pytest

import gazelle
from gazelle.callbacks import ModelCheckpoint

NAN = math.nan
SEQUENCES = {
    "falls": [3.0, 2.0, 1.0],
    "mixed": [3.0, 2.0, 2.5, 1.5, 1.5, 9.0],
    "rises": [1.0, 2.0, 3.0],
    "nan later": [3.0, NAN, 2.0],
}


def _epochs(values, **more):
    return [{"loss": 1.0, "val_loss": value, **more} for value in values]


def _saved(drive, cls, folder, name, epochs, batches=0, **arguments):
    folder.mkdir()
    model, _ = drive(cls(folder / name, **arguments), epochs, batches=batches)
    return [(kind, Path(path).name, epoch) for kind, path, epoch in model.saved]


@pytest.mark.parametrize("values", SEQUENCES.values(), ids=SEQUENCES)
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold", [None, 2.2])
def test_the_best_epochs_are_saved_as_keras_does(drive, tmp_path, values, mode, threshold):
    arguments = {"save_best_only": True, "mode": mode, "initial_value_threshold": threshold}
    ours = _saved(drive, ModelCheckpoint, tmp_path / "a", "m.keras", _epochs(values), **arguments)
    theirs = _saved(
        drive,
        keras.callbacks.ModelCheckpoint,
        tmp_path / "b",
        "m.keras",
        _epochs(values),
        **arguments,
    )
    assert ours == theirs


@pytest.mark.parametrize("frequency", [1, 3, 5])
def test_batches_are_counted_over_epochs_as_keras_does(drive, tmp_path, frequency):
    arguments = {"save_freq": frequency, "batches": 4}
    name = "m-{epoch}-{batch}.keras"
    ours = _saved(drive, ModelCheckpoint, tmp_path / "a", name, _epochs([1, 1, 1]), **arguments)
    theirs = _saved(
        drive,
        keras.callbacks.ModelCheckpoint,
        tmp_path / "b",
        name,
        _epochs([1, 1, 1]),
        **arguments,
    )
    assert ours == theirs != []


def test_templates_are_filled_in_and_folders_are_created(drive, tmp_path):
    callback = ModelCheckpoint(
        tmp_path / "x" / "{epoch:02d}-{val_loss:.2f}.weights.h5", save_weights_only=True
    )
    model, _ = drive(callback, _epochs([3.0, 2.5]))
    assert [kind for kind, _, _ in model.saved] == ["weights", "weights"]
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == [
        "01-3.00.weights.h5",
        "02-2.50.weights.h5",
    ]


@pytest.mark.parametrize("name", ["{foo}.keras", "{batch}.keras"])
def test_an_unknown_name_in_the_template_is_refused_with_the_known_ones(drive, tmp_path, name):
    with pytest.raises(
        ValueError, match=r"Failed to format(.|\n)*names from \['epoch', 'loss', 'val_loss'\]"
    ):
        drive(ModelCheckpoint(tmp_path / name), _epochs([1.0]))


def test_the_messages_are_keras_messages(drive, tmp_path, capsys):
    outputs = []
    path = tmp_path / "m.keras"
    for cls in (ModelCheckpoint, keras.callbacks.ModelCheckpoint):
        drive(cls(path, verbose=1, save_best_only=True, mode="min"), _epochs([3.0, 2.0, 2.5]))
        drive(cls(path, verbose=1), _epochs([3.0]))
        outputs.append([line for line in capsys.readouterr().out.splitlines() if line])
    assert outputs[0] == outputs[1] != []


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"filepath": "a"}, r"must end in `\.keras`"),
        ({"filepath": "a.keras", "save_weights_only": True}, r"must end in `\.weights\.h5`"),
        ({"filepath": "a.keras", "save_freq": "batch"}, "Unrecognized save_freq: batch"),
        ({"filepath": "a.keras", "save_freq": 0}, "Unrecognized save_freq: 0"),
    ],
)
def test_wrong_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        ModelCheckpoint(**arguments)


@pytest.mark.parametrize("broken", [{"loss": NAN}, {"val_loss": NAN}, {"loss": math.inf}])
def test_a_good_file_is_not_replaced_while_values_are_nan(drive, tmp_path, broken):
    path = tmp_path / "m.keras"
    good = {"loss": 1.0, "val_loss": 1.0}
    with pytest.warns(UserWarning, match="does not replace .*m.keras"):
        drive(ModelCheckpoint(path), [good, {**good, **broken}])
    assert path.read_text() == "0"


def test_save_best_only_with_a_broken_loss_keeps_the_file_and_the_best_value(drive, tmp_path):
    path = tmp_path / "m.keras"
    callback = ModelCheckpoint(path, save_best_only=True)
    with pytest.warns(UserWarning, match="loss is nan"):
        drive(callback, [{"loss": 1.0, "val_loss": 2.0}, {"loss": NAN, "val_loss": 1.0}])
    assert (path.read_text(), callback.best) == ("0", 2.0)


@pytest.mark.parametrize(
    ("logs", "match"),
    [({"loss": 1.0}, "only with val_loss available"), ({"val_loss": [1, 2]}, "scalar")],
)
def test_without_a_value_to_compare_it_warns_and_saves(drive, tmp_path, logs, match):
    with pytest.warns(UserWarning, match=match):
        model, _ = drive(ModelCheckpoint(tmp_path / "m.keras", save_best_only=True), [logs])
    assert len(model.saved) == 1


def test_the_best_value_is_kept_after_a_run(drive, tmp_path):
    callback = ModelCheckpoint(tmp_path / "m.keras", save_best_only=True)
    drive(callback, _epochs([1.0]))
    model, _ = drive(callback, _epochs([2.0, 0.5]))
    assert [epoch for _, _, epoch in model.saved] == [1]


def test_a_whole_model_is_saved_in_fit_and_goes_on_where_it_was(tmp_path):
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    model = gazelle.Sequential([gazelle.Input((4,)), gazelle.layers.Dense(1)])
    model.compile("adam", "mse")
    path = tmp_path / "sub" / "m-{epoch}.keras"
    model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[ModelCheckpoint(path)])
    assert sorted(p.name for p in path.parent.iterdir()) == [f"m-{n}.keras" for n in (1, 2, 3)]
    read = gazelle.models.load_model(tmp_path / "sub" / "m-3.keras")
    assert int(read.optimizer.iterations) == 3
    losses = [m.fit(x, x[:, :1], shuffle=False, verbose=0).history["loss"] for m in (model, read)]
    assert losses[0] == losses[1]


def test_a_model_that_no_file_can_hold_is_refused_before_the_first_step(tmp_path):
    layer = gazelle.layers.Lambda(lambda x: x + 1)
    model = gazelle.Sequential([gazelle.Input((4,)), layer, gazelle.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    for name in ("m.keras", "m.h5"):
        callback = ModelCheckpoint(tmp_path / name)
        with pytest.raises(TypeError, match="lambda cannot be written"):
            model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0, callbacks=[callback])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
