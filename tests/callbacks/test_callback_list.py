import keras
import pytest

from gazelle.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TerminateOnNaN,
)
from gazelle.callbacks._base import HOOKS
from gazelle.callbacks._callback_list import keeps_learning_rate


class Recorder(Callback):
    def __init__(self):
        self.calls = []


def _recording(name):
    def hook(self, *args):
        self.calls.append((name, *args))

    return hook


class RecordsAll(Recorder):
    pass


for _name in HOOKS:
    setattr(RecordsAll, _name, _recording(_name))


def test_every_hook_reaches_a_callback_that_overrides_it():
    recorder = RecordsAll()
    callbacks = CallbackList(recorder)
    logs = {"loss": 1.0}
    for name in HOOKS:
        if name == "on_progress":
            callbacks.on_progress("test", 3, logs)
        elif "batch" in name or "epoch" in name:
            getattr(callbacks, name)(2, logs)
        else:
            getattr(callbacks, name)(logs)
    expected = [
        (name, "test", 3, logs)
        if name == "on_progress"
        else (name, 2, logs)
        if "batch" in name or "epoch" in name
        else (name, logs)
        for name in HOOKS
    ]
    assert recorder.calls == expected


def test_logs_are_never_none_and_the_epoch_logs_are_shared():
    class Adds(Recorder):
        def on_train_begin(self, logs=None):
            self.calls.append(logs)

        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = 7

    adds = Adds()
    callbacks = CallbackList(adds, add_history=True)
    callbacks.on_train_begin()
    logs = {}
    callbacks.on_epoch_end(0, logs)
    callbacks.on_epoch_end(1)
    assert adds.calls == [{}]
    assert logs == {"extra": 7}
    assert callbacks.callbacks[-1].history == {"extra": [7, 7]}


@pytest.mark.parametrize("given", ["one", "list", "nested", "callback_list"])
def test_one_callback_lists_nested_lists_and_callback_lists_are_taken(given):
    a, b = Callback(), Callback()
    forms = {"one": a, "list": [a, b], "nested": [[a], (b,)], "callback_list": CallbackList([a, b])}
    assert CallbackList(forms[given]).callbacks == ([a] if given == "one" else [a, b])


def test_the_order_is_user_history_progress_as_in_keras(fake_model):
    ours = CallbackList(
        [Callback()],
        add_history=True,
        add_progbar=True,
        model=fake_model(),
        verbose=0,
        epochs=1,
        steps=2,
    )
    theirs = keras.callbacks.CallbackList(
        [keras.callbacks.Callback()],
        add_history=True,
        add_progbar=True,
        model=fake_model(),
        verbose=0,
        epochs=1,
        steps=2,
    )
    assert [type(c).__name__ for c in ours.callbacks] == [
        type(c).__name__ for c in theirs.callbacks
    ]
    assert ours.callbacks[0].params == theirs.callbacks[0].params
    assert all((c.model, c.params) == (ours.model, ours.params) for c in ours.callbacks)


def test_a_users_history_and_progress_logger_are_not_doubled(fake_model):
    model, history, progress = fake_model(), History(), ProgbarLogger()
    callbacks = CallbackList([progress, history], add_history=True, add_progbar=True, model=model)
    assert callbacks.callbacks == [progress, history]
    assert model.history is history


@pytest.mark.parametrize("given", [History, [3], "early", [print]])
def test_items_that_are_not_callbacks_are_refused(given):
    with pytest.raises(TypeError, match="not a callback"):
        CallbackList(given)


def test_a_class_instead_of_an_instance_is_refused_with_the_fix():
    with pytest.raises(TypeError, match=r"History\(\.\.\.\)"):
        CallbackList([History])


def _overriding(hook):
    return type("User", (Callback,), {hook: lambda self, batch, logs=None: None})()


@pytest.mark.parametrize(
    ("hook", "stage"),
    [
        ("on_batch_begin", "train"),
        ("on_batch_end", "train"),
        ("on_train_batch_begin", "train"),
        ("on_train_batch_end", "train"),
        ("on_test_batch_begin", "test"),
        ("on_test_batch_end", "test"),
        ("on_predict_batch_begin", "predict"),
        ("on_predict_batch_end", "predict"),
        ("on_epoch_end", None),
        ("on_progress", None),
    ],
)
def test_batch_hooks_are_seen_for_their_stage_only(hook, stage):
    callbacks = CallbackList([Callback(), _overriding(hook)], add_history=True, add_progbar=True)
    assert [s for s in ("train", "test", "predict") if callbacks.has_batch_hooks(s)] == (
        [stage] if stage else []
    )


def test_batch_hooks_on_the_object_are_seen():
    assert CallbackList(LambdaCallback(on_train_batch_end=print)).has_batch_hooks("train")
    assert not CallbackList(LambdaCallback(on_epoch_end=print)).has_batch_hooks("train")
    assert CallbackList(LambdaCallback(on_test_batch_begin=print)).has_batch_hooks("test")
    callback = Callback()
    callbacks = CallbackList(callback)
    callback.on_batch_end = lambda batch, logs: None
    callbacks.on_train_begin()
    assert callbacks.has_batch_hooks("train")


def test_a_checkpoint_needs_batch_hooks_only_when_it_counts_batches():
    assert not CallbackList(ModelCheckpoint("a.keras")).has_batch_hooks("train")
    assert CallbackList(ModelCheckpoint("a.keras", save_freq=3)).has_batch_hooks("train")


def test_promises_hold_for_gazelles_callbacks_and_not_for_users_subclasses():
    class MyHistory(History):
        pass

    class MyStopping(EarlyStopping):
        pass

    assert CallbackList([History(), ProgbarLogger()]).only_watch
    assert not CallbackList([MyHistory()]).only_watch
    assert not CallbackList([EarlyStopping()]).only_watch
    assert CallbackList([EarlyStopping(), ReduceLROnPlateau()]).leave_data
    assert not CallbackList([MyStopping()]).leave_data
    assert not CallbackList([LambdaCallback()]).leave_data
    assert not CallbackList([keras.callbacks.History()]).only_watch
    keeping = (CSVLogger("log.csv"), EarlyStopping(), TerminateOnNaN(), SwapEMAWeights())
    assert all(keeps_learning_rate(callback) for callback in keeping)
    assert not keeps_learning_rate(ReduceLROnPlateau())
    assert not keeps_learning_rate(LearningRateScheduler(lambda epoch: 0.1))
    assert not keeps_learning_rate(MyStopping())


def test_older_batch_names_are_called_once_as_in_keras():
    def run(library, list_class):
        calls = []

        class Old(library.Callback):
            def on_batch_begin(self, batch, logs=None):
                calls.append(("old begin", batch))

            def on_batch_end(self, batch, logs=None):
                calls.append(("old end", batch))

        class New(library.Callback):
            def on_batch_end(self, batch, logs=None):
                calls.append(("never", batch))

            def on_train_batch_end(self, batch, logs=None):
                calls.append(("new end", batch))

        callbacks = list_class([Old(), New()])
        for batch in range(2):
            callbacks.on_train_batch_begin(batch)
            callbacks.on_train_batch_end(batch)
        return calls

    from gazelle import callbacks as ours

    assert run(ours, CallbackList) == run(keras.callbacks, keras.callbacks.CallbackList)


def test_a_callback_without_super_init_gets_model_and_params(fake_model):
    class Bare(Callback):
        def __init__(self):
            pass

    bare, model = Bare(), fake_model()
    assert bare.model is None
    CallbackList([bare], model=model, epochs=3)
    assert bare.model is model
    assert bare.params == {"epochs": 3}
