import json
import struct
from collections import defaultdict

import numpy as np
import pytest

import gazelle
from gazelle import layers, optimizers
from gazelle.callbacks import TensorBoard

tensorboardx = pytest.importorskip("tensorboardX")


def records(path):
    """The records of a file of TFRecords: length, checksum, content, checksum."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        yield content[at + 12 : at + 12 + length]
        at += 16 + length


def read(folder):
    """What the event files below a folder hold: `{stage: {tag: [(step, value), ...]}}`."""
    from tensorboardX.proto.event_pb2 import Event

    found = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("*/events.out.tfevents.*")):
        for record in records(path):
            event = Event.FromString(record)
            for value in event.summary.value:
                content = getattr(value, value.WhichOneof("value"))
                found[path.parent.name][value.tag].append((event.step, content))
    return found


def steps(entries):
    return [step for step, _ in entries]


def model(optimizer="sgd"):
    made = gazelle.Sequential([gazelle.Input((3,)), layers.Dense(2, name="d"), layers.Dense(1)])
    made.compile(optimizer, "mse", metrics=["mae"])
    return made


X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def test_scalars_of_epochs_are_those_of_the_history(tmp_path):
    one = model()
    history = one.fit(
        X, Y, 5, 3, verbose=0, validation_data=(X, Y), callbacks=[TensorBoard(tmp_path)]
    )
    found = read(tmp_path)
    assert set(found) == {"train", "validation"}
    for name in ("loss", "mae"):
        for stage, key in (("train", name), ("validation", f"val_{name}")):
            written = found[stage][f"epoch_{name}"]
            assert steps(written) == [0, 1, 2]
            np.testing.assert_allclose([value for _, value in written], history.history[key])
    rates = [value for _, value in found["train"]["epoch_learning_rate"]]
    np.testing.assert_allclose(rates, [0.01] * 3)
    assert steps(found["validation"]["evaluation_loss_vs_iterations"]) == [4, 8, 12]
    assert not any(tag.startswith("batch_") for tag in found["train"])


def test_without_validation_there_is_no_folder_of_it(tmp_path):
    model().fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


@pytest.mark.parametrize(("every", "expected"), [("batch", [1, 2, 3, 4, 5, 6, 7, 8]), (3, [3, 6])])
def test_scalars_of_batches(tmp_path, every, expected):
    callback = TensorBoard(tmp_path, update_freq=every, write_steps_per_second=True)
    model().fit(X, Y, 5, 2, verbose=0, callbacks=[callback])
    found = read(tmp_path)["train"]
    for name in ("loss", "mae", "steps_per_second"):
        assert steps(found[f"batch_{name}"]) == expected
    assert steps(found["epoch_steps_per_second"]) == [0, 1]
    assert all(value > 0 for _, value in found["epoch_steps_per_second"])


def test_only_scalars_of_batches_make_training_run_step_by_step(tmp_path):
    from gazelle.callbacks import CallbackList

    assert not CallbackList([TensorBoard(tmp_path)]).has_batch_hooks("train")
    assert CallbackList([TensorBoard(tmp_path, update_freq=2)]).has_batch_hooks("train")


def test_histograms_and_images_of_weights(tmp_path):
    one = model()
    callback = TensorBoard(tmp_path, histogram_freq=2, write_images=True)
    one.fit(X, Y, 5, 3, verbose=0, callbacks=[callback])
    found = read(tmp_path)["train"]
    for weight in one.weights:
        assert steps(found[f"{weight.path}/histogram"]) == [0, 2]
        _, last = found[f"{weight.path}/histogram"][-1]
        np.testing.assert_allclose(
            [last.min, last.max], [weight.numpy().min(), weight.numpy().max()]
        )
        assert last.num == weight.numpy().size
    _, image = found[f"{one.weights[0].path}/image"][0]
    assert (image.height, image.width) == (2, 3)  # the kernel of (3, 2), not higher than wide


def test_the_graph_is_the_config_of_the_model(tmp_path):
    one = model()
    one.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    found = read(tmp_path)["train"]
    [(_, graph)] = found["keras"]
    node = json.loads(graph.string_val[0])
    assert node == {"class_name": "Sequential", "config": json.loads(one.to_json())["config"]}
    [(_, text)] = found["summary/text_summary"]
    assert "d (Dense)" in text.string_val[0].decode()


def test_a_model_without_a_graph_has_its_summary(tmp_path):
    class Own(gazelle.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    one = Own()
    one.compile("sgd", "mse")
    one.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    assert "keras" not in read(tmp_path)["train"]
    one.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path / "none", write_graph=False)])
    assert "summary/text_summary" not in read(tmp_path / "none")["train"]


def test_every_optimizer_of_several_has_its_rate(tmp_path):
    chosen = optimizers.OptimizerMap(optimizers.SGD(0.25), {".*kernel": optimizers.Adam(0.5)})
    one = model(optimizers.MultiOptimizer(chosen))
    one.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    found = read(tmp_path)["train"]
    rates = {tag: entries[0][1] for tag, entries in found.items() if "learning_rate" in tag}
    assert sorted(rates.values()) == [0.25, 0.5]


def test_two_fits_and_an_evaluation_lose_nothing(tmp_path):
    one, callback = model(), TensorBoard(tmp_path)
    for _ in range(2):
        one.fit(X, Y, 5, 2, verbose=0, callbacks=[callback])
    one.evaluate(X, Y, verbose=0, callbacks=[callback])
    found = read(tmp_path)
    assert steps(found["train"]["epoch_loss"]) == [0, 1, 0, 1]
    assert steps(found["validation"]["evaluation_mae_vs_iterations"]) == [16]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"profile_batch": 2}, "jax.profiler.trace"),
        ({"embeddings_freq": 1}, "does not write embeddings"),
        ({"embeddings_metadata": "names.tsv"}, "does not write embeddings"),
        ({"update_freq": 0}, "update_freq"),
        ({"update_freq": "epochs"}, "update_freq"),
    ],
)
def test_arguments_that_cannot_be_honoured_are_refused(arguments, problem):
    with pytest.raises((ValueError, TypeError), match=problem):
        TensorBoard(**arguments)
