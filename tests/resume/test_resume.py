"""A fit that was interrupted and resumed gives the same bits as one that was not."""

import os
import warnings

import h5py
import numpy as np
import pytest
from resume.trainings import (
    OPTIMIZERS,
    SOURCES,
    STEPS,
    Interrupter,
    Interruption,
    digest,
    made,
    rows,
    train,
)

import gazelle
from gazelle import callbacks
from gazelle.errors import DataError, GazelleError, ModelFileError


@pytest.fixture(autouse=True)
def _quiet():
    """Fewer steps than batches end some passes early, which fit tells."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data")
        yield


def resumed(folder, *args, step=None, epoch=None, **kwargs):
    """The outcome of a training that is interrupted at a step or epoch and begun again."""
    with pytest.raises(Interruption):
        train(folder, *args, also=[Interrupter(step, epoch)], **kwargs)
    return train(folder, *args, **kwargs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The outcomes of trainings that were not interrupted."""
    found = {}

    def outcome_of(*args):
        if args not in found:
            found[args] = train(tmp_path_factory.mktemp("whole"), *args, save_freq=False)
        return found[args]

    return outcome_of


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("step", [1, STEPS, 2 * STEPS - 2])
def test_at_a_step(tmp_path, whole, source, step):
    assert resumed(tmp_path, source, step=step, save_freq=1) == whole(source)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("epoch", [2])
def test_after_an_epoch(tmp_path, whole, source, epoch):
    assert resumed(tmp_path, source, epoch=epoch) == whole(source)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("step", [9])
def test_with_every_kind_of_optimizer(tmp_path, whole, optimizer, step):
    assert resumed(tmp_path, "arrays", optimizer, step=step, save_freq=2) == whole(
        "arrays", optimizer
    )


def test_again_and_again(tmp_path, whole):
    for step in (3, 2, 5, 8):
        with pytest.raises(Interruption):
            train(tmp_path, save_freq=1, also=[Interrupter(step=step)])
    assert train(tmp_path, save_freq=1) == whole("arrays")


def test_a_batch_hook_changes_nothing(tmp_path, whole):
    assert train(tmp_path, save_freq=1) == whole("arrays")


def test_the_file_is_removed_when_training_is_complete(tmp_path):
    train(tmp_path)
    assert not (tmp_path / "backup").exists()


def test_the_file_is_kept_on_request_and_other_files_always(tmp_path):
    x, y = rows()
    (tmp_path / "notes.txt").write_text("mine")
    for keep in (True, False):
        backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=not keep)
        made().fit(x, y, epochs=1, verbose=0, callbacks=backup)
        assert os.path.exists(backup.path) == keep
    assert os.listdir(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
@pytest.mark.parametrize("save_freq", ["epoch", 3])
def test_from_a_file_of_model_checkpoint(tmp_path, name, save_freq):
    x, y = rows()
    only_weights = name.endswith(".h5")

    def fit(resume_from=None, also=()):
        saver = callbacks.ModelCheckpoint(
            tmp_path / name, save_weights_only=only_weights, save_freq=save_freq
        )
        plateau = callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.1)
        model = made()
        history = model.fit(
            x,
            y,
            batch_size=8,
            epochs=4,
            verbose=0,
            callbacks=[saver, plateau, *also],
            resume_from=resume_from,
        )
        return digest([*model.variables, *model.optimizer.variables]), history.history

    whole = fit()
    with pytest.raises(Interruption):
        fit(also=[Interrupter(step=16)])
    assert fit(resume_from=tmp_path / name) == whole


def test_a_file_of_a_fit_is_a_model_for_everyone_else(tmp_path):
    import keras

    x, y = rows()
    model = made()
    model.fit(x, y, verbose=0, callbacks=callbacks.ModelCheckpoint(tmp_path / "m.keras"))
    expected = model.predict(x)
    for read in (gazelle.models.load_model, keras.models.load_model):
        loaded = read(tmp_path / "m.keras")
        assert np.allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)
    predictor = gazelle.runtime.load(tmp_path / "m.keras")
    assert np.allclose(predictor(x), expected, rtol=1e-5, atol=1e-6)
    fresh = made()
    fresh.load_weights(tmp_path / "m.keras")
    assert np.array_equal(fresh.predict(x), expected)


def test_a_model_that_is_saved_outside_of_a_fit_has_no_state(tmp_path):
    x, y = rows()
    model = made()
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match="no state of a fit"):
        model.fit(x, y, verbose=0, resume_from=tmp_path / "m.keras")


def test_an_old_h5_file_has_no_state(tmp_path):
    x, y = rows()
    model = made()
    with pytest.warns(UserWarning, match="old format"):
        model.fit(x, y, verbose=0, callbacks=callbacks.ModelCheckpoint(tmp_path / "m.h5"))
    with pytest.raises(ModelFileError, match="no state of a fit"):
        model.fit(x, y, verbose=0, resume_from=tmp_path / "m.h5")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x, y: {"x": x + 1, "y": y, "batch_size": 8}, "values"),
        (lambda x, y: {"x": x, "y": (y + 1) % 3, "batch_size": 8}, "targets"),
        (lambda x, y: {"x": x[:40], "y": y[:40], "batch_size": 8}, "samples"),
        (lambda x, y: {"x": x, "y": y, "batch_size": 9}, "batch size"),
        (lambda x, y: {"x": x, "y": y, "batch_size": 8, "shuffle": False}, "shuffle"),
    ],
)
def test_other_data_is_refused(tmp_path, change, told):
    x, y = rows()
    path = tmp_path / "m.keras"
    made().fit(x, y, batch_size=8, verbose=0, callbacks=callbacks.ModelCheckpoint(path))
    with pytest.raises(DataError, match=told):
        made().fit(**change(x, y), epochs=2, verbose=0, resume_from=path)


def test_another_model_is_refused(tmp_path):
    x, y = rows()
    path = tmp_path / "m.keras"
    made().fit(x, y, verbose=0, callbacks=callbacks.ModelCheckpoint(path))
    with pytest.raises(GazelleError, match="optimizer"):
        made("momentum").fit(x, y, verbose=0, resume_from=path)
    other = made()
    other.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with pytest.raises(ModelFileError, match="metrics"):
        other.fit(x, y, verbose=0, resume_from=path)


def test_a_damaged_file_is_told_or_the_one_before_it_is_used(tmp_path):
    for double in (False, True):
        folder = tmp_path / str(double)
        folder.mkdir()
        x, y = rows()
        backup = callbacks.BackupAndRestore(folder, double_checkpoint=double)
        with pytest.raises(Interruption):
            made().fit(x, y, epochs=4, verbose=0, callbacks=[backup, Interrupter(epoch=3)])
        content = (folder / "latest.weights.h5").read_bytes()
        with h5py.File(folder / "latest.weights.h5") as file:
            kernel = file["layers/dense/vars/0"][()].tobytes()
        assert kernel in content
        (folder / "latest.weights.h5").write_bytes(content.replace(kernel, kernel[::-1]))
        if double:
            with pytest.warns(UserWarning, match="The file before it is used"):
                history = made().fit(x, y, epochs=4, verbose=0, callbacks=backup)
            assert history.epoch == [0, 1, 2, 3]
        else:
            with pytest.raises(ModelFileError, match="checksum"):
                made().fit(x, y, epochs=4, verbose=0, callbacks=backup)


def test_other_callbacks_are_told(tmp_path):
    x, y = rows()
    path = tmp_path / "m.keras"
    saver = callbacks.ModelCheckpoint(path)
    made().fit(x, y, verbose=0, callbacks=[saver, callbacks.TerminateOnNaN()])
    with pytest.warns(UserWarning, match=r"New: EarlyStopping\. Missing: TerminateOnNaN"):
        made().fit(
            x,
            y,
            epochs=2,
            verbose=0,
            callbacks=[callbacks.EarlyStopping("loss"), callbacks.ModelCheckpoint(path)],
            resume_from=path,
        )


def test_a_fit_that_had_to_end_does_not_go_on(tmp_path):
    x, y = rows()
    path = tmp_path / "m.keras"

    def fit(resume_from=None):
        stopper = callbacks.EarlyStopping("loss", patience=0, baseline=-1)
        return made().fit(
            x,
            y,
            epochs=9,
            verbose=0,
            callbacks=[stopper, callbacks.ModelCheckpoint(path)],
            resume_from=resume_from,
        )

    assert fit().epoch == fit(path).epoch


def test_a_complete_fit_can_be_prolonged(tmp_path):
    x, y = rows()
    path = tmp_path / "m.keras"

    def fit(epochs, resume_from=None):
        saver = callbacks.ModelCheckpoint(path)
        model = made()
        model.fit(x, y, epochs=epochs, verbose=0, callbacks=saver, resume_from=resume_from)
        return digest(model.variables)

    whole = fit(5)
    fit(3)
    assert fit(5, path) == whole


def test_a_log_that_has_lost_lines_is_told(tmp_path):
    log = tmp_path / "log.csv"
    x, y = rows()

    def fit(also=()):
        backup = callbacks.BackupAndRestore(tmp_path / "backup")
        made().fit(x, y, epochs=3, verbose=0, callbacks=[callbacks.CSVLogger(log), backup, *also])

    with pytest.raises(Interruption):
        fit([Interrupter(epoch=2)])
    log.write_text("")
    with pytest.warns(UserWarning, match="has lost lines"):
        fit()
    assert [line.split(",")[0] for line in log.read_text().splitlines()] == ["epoch", "2"]


def test_nothing_that_is_not_finite_replaces_a_file(tmp_path):
    x, y = rows()

    class Poison(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                weights = self.model.get_weights()
                self.model.set_weights([np.full_like(w, np.nan) for w in weights])

    backup = callbacks.BackupAndRestore(tmp_path)
    with (
        pytest.warns(UserWarning, match="BackupAndRestore does not save"),
        pytest.warns(UserWarning, match="fit has ended"),
    ):
        made().fit(x, y, epochs=3, verbose=0, callbacks=[Poison(), backup])
    model = made()
    model.load_weights(backup.path)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("kind", ["not plain", "not a dict", "raises"])
def test_a_state_that_cannot_be_saved_is_told_and_ends_no_training(tmp_path, kind):
    class Odd(callbacks.Callback):
        def get_state(self, *unknown):
            return {"not plain": {"file": open}, "not a dict": 3}[kind]

    x, y = rows()
    saver = callbacks.ModelCheckpoint(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="The state of the callback .*Odd cannot be saved"):
        history = made().fit(x, y, verbose=0, callbacks=[Odd(), saver])
    assert history.epoch == [0]
    assert (tmp_path / "m.keras").exists()


@pytest.mark.parametrize(
    "arguments", [{"backup_dir": ""}, {"backup_dir": "b", "save_freq": "batch"}]
)
def test_arguments_are_checked(arguments):
    with pytest.raises(ValueError, match=r"Empty `backup_dir`|Invalid value"):
        callbacks.BackupAndRestore(**arguments)


def test_the_report_of_a_resumed_fit(tmp_path):
    history = {}

    def fit(name, also=()):
        x, y = rows()
        model = made("schedule")
        backup = callbacks.BackupAndRestore(tmp_path)
        history[name] = model.fit(
            x, y, batch_size=8, epochs=4, verbose=0, callbacks=[backup, *also]
        )

    fit("whole")
    with pytest.raises(Interruption):
        fit("first", [Interrupter(epoch=2)])
    fit("resumed")
    whole, again = history["whole"].fits[-1], history["resumed"].fits[-1]
    assert again.learning_rates == whole.learning_rates
    assert (again.done, again.ended, again.weights) == (whole.done, whole.ended, whole.weights)
