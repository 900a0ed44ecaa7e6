"""The kernel in fit: chunks, rates, stopping, reproducibility, threads, and models left to XLA."""

import os
import subprocess
import sys

import numpy as np
import pytest

import gazelle
from gazelle._data import memory, windows
from gazelle._engine import programs
from gazelle._engine.kernel import building, library
from gazelle._engine.kernel.plan import training_threads

pytestmark = pytest.mark.slow

rng = np.random.default_rng(0)
X = rng.normal(size=(330, 6)).astype("float32")
Y = rng.integers(0, 3, 330).astype("int32")
SPARSE = "sparse_categorical_crossentropy"
L = gazelle.layers


def fitted(model, x=X, y=Y, **given):
    history = model.fit(x, y, **{"epochs": 3, "verbose": 0, "shuffle": False, **given}).history
    return model.get_weights(), history


def same(first, second):
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=5e-6)
    assert first[1].keys() == second[1].keys()
    for name in first[1]:
        np.testing.assert_allclose(first[1][name], second[1][name], rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(building.compiler() is None, reason="needs a C++ compiler")
def test_the_library_is_built_if_there_is_a_compiler():
    try:
        building.build()  # compiles only what is missing
    except OSError as error:
        if "made for Linux" in str(error):
            pytest.skip(str(error))
        pytest.fail(
            "the libraries do not match the sources (run `python -m"
            f" gazelle._engine.kernel.building`): {error}"
        )
    assert all(building.path_of(level).exists() for level in building.LEVELS)


@pytest.mark.parametrize("threads", [1, 2])
def test_results_are_the_same_bit_for_bit_for_all_chunk_sizes(
    threads, kernel, network, monkeypatch
):
    kernel(True, threads)
    whole = fitted(network(X, (16, 3), "softmax", SPARSE))
    # A batch hook makes chunks of one step.
    steps = gazelle.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    single = fitted(network(X, (16, 3), "softmax", SPARSE), callbacks=[steps])
    monkeypatch.setattr(windows, "WINDOW_BYTES", 3 * 32 * 7 * 4)  # windows of three batches
    windowed = fitted(network(X, (16, 3), "softmax", SPARSE))
    for other in (single, windowed):
        assert all((a == b).all() for a, b in zip(whole[0], other[0], strict=True))
        assert whole[1] == other[1]


def test_a_learning_rate_set_in_a_callback_takes_effect_in_the_next_chunk(kernel, plans, network):
    results = []
    for on in (True, False):
        kernel(on)
        slower = gazelle.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.3)
        results.append(fitted(network(X, (16, 3), "softmax", SPARSE), callbacks=[slower]))
    same(*results)
    assert len(plans) == 2  # one program each, for all rates


@pytest.mark.parametrize("rows", [330, 20, 352])
@pytest.mark.parametrize("aligned", [True, False])
def test_data_used_in_place_gives_the_same_numbers_as_gathered_data(aligned, rows, kernel, network):
    x, y = (memory.aligned_cast(array[:rows], array.dtype) for array in (np.r_[X, X], np.r_[Y, Y]))
    if not aligned:
        x, y = np.r_[x[:1], x][1:], np.r_[y[:1], y][1:]
    results = []
    for on, weights in ((True, None), (False, None), (True, np.ones(rows))):
        kernel(on)
        model = network(x, (16, 3), "softmax", SPARSE)
        results.append(fitted(model, x, y, sample_weight=weights))
        assert windows.on_device(windows.ArrayFeed(x, y)).__class__.__name__ == (
            "Resident" if aligned else "Window"
        )
    same(results[0], results[1])
    same(results[0], results[2])


def test_shuffled_training_with_validation_gives_the_numbers_of_xla(kernel, plans, network):
    results = []
    for on in (True, False):
        kernel(on, 2)
        gazelle.utils.set_random_seed(3)
        results.append(
            fitted(
                network(X, (16, 3), "softmax", SPARSE),
                shuffle=True,
                validation_data=(X[:99], Y[:99]),
            )
        )
    same(*results)


def test_training_that_is_stopped_between_chunks_ends_after_a_complete_step(kernel, network):
    kernel(True)
    model = network(X, (16, 3), "softmax", SPARSE)

    class Stop(gazelle.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 4:
                self.model.stop_training = True

    model.fit(X, Y, epochs=1, verbose=0, shuffle=False, callbacks=[Stop()])
    assert int(model.optimizer.iterations.numpy()) == 5
    other = network(X, (16, 3), "softmax", SPARSE)
    other.fit(X[:160], Y[:160], epochs=1, verbose=0, shuffle=False)
    assert all(
        (a == b).all() for a, b in zip(model.get_weights(), other.get_weights(), strict=True)
    )


def test_an_array_that_was_handed_out_does_not_change(kernel, network):
    kernel(True)
    model = network(X, (16, 3), "softmax", SPARSE)
    held = model.layers[0].kernel.value
    before = np.array(held)
    fitted(model)
    np.testing.assert_array_equal(held, before)


def test_programs_with_and_without_the_kernel_are_stored_separately(kernel, plans, network):
    for on in (True, False, True, False):
        kernel(on)
        fitted(network(X, (16, 3), "softmax", SPARSE), epochs=1)
    assert [plan is not None for plan in plans] == [True, False, True, False]
    assert len([key for key in programs._shared if key[0][0] == "train_chunk"]) == 2
    kernel(True, 2)
    fitted(network(X, (16, 3), "softmax", SPARSE), epochs=1)
    assert len(plans) == 5


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc to count threads")
def test_no_thread_is_left_after_training(kernel, network):
    kernel(True, 2)
    fitted(network(X, (16, 3), "softmax", SPARSE), epochs=1)
    before = len(os.listdir("/proc/self/task"))
    fitted(network(X, (16, 3), "softmax", SPARSE), epochs=2)
    assert len(os.listdir("/proc/self/task")) == before


def test_xla_trains_on_a_processor_without_a_library(monkeypatch, network):
    library._loaded.cache_clear()
    monkeypatch.setattr(library, "_processor_flags", frozenset)
    try:
        assert library.target("train") is None
        assert fitted(network(X, (16, 3), "softmax", SPARSE), epochs=1)[1]["loss"]
    finally:
        library._loaded.cache_clear()


@pytest.mark.skipif(
    not os.path.exists("/proc/self/maps"), reason="needs /proc to see loaded libraries"
)
def test_the_library_is_loaded_by_the_first_fit_that_can_use_it(kernel):
    program = """
import numpy as np, gazelle
loaded = lambda: "/kernel-v" in open("/proc/self/maps").read()
model = gazelle.Sequential([gazelle.Input((6,)), gazelle.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.zeros((9, 6)), np.zeros(9), verbose=0)
before = loaded()
model.compile("adam", "mse")
model.fit(np.zeros((9, 6)), np.zeros(9), verbose=0)
print(before, loaded())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("weights", "batch", "cores", "threads"),
    [
        (5_440, 32, 2, 1),
        (646_000, 32, 2, 2),
        (646_000, 32, 1, 1),
        (646_000, 32, 16, 4),
        (646_000, 256, 2, 2),
        (646_000, 256, 16, 0),
        (646_000, 4096, 2, 0),
        (8_000_000, 1, 2, 0),
    ],
)
def test_the_kernel_runs_small_steps_and_xla_large_ones(weights, batch, cores, threads):
    assert training_threads(weights, batch, cores) == threads


def dense(units, *args, **kwargs):
    return L.Dense(units, *args, **kwargs)


W = rng.normal(size=(6, 8)).astype("float32")
ORTHOGONAL = gazelle.regularizers.OrthogonalRegularizer()


def largest(y_true, y_pred):
    return y_pred.max()


class Largest(gazelle.metrics.MeanMetricWrapper):
    def __init__(self):
        super().__init__(largest, name="largest")


# Cases that the kernel does not support: layers, arguments of compile, arguments of fit.
OTHERS = {
    "dropout first": ([L.Dropout(0.2), dense(3, "softmax")], {}, {}),
    "dropout of everything": ([dense(8, "relu"), L.Dropout(1.0), dense(3, "softmax")], {}, {}),
    "dropout of whole units": (
        [dense(8, "relu"), L.Dropout(0.2, noise_shape=(1, None)), dense(3, "softmax")],
        {},
        {},
    ),
    "alpha dropout": ([dense(8, "selu"), L.AlphaDropout(0.2), dense(3, "softmax")], {}, {}),
    "normalization first": ([L.BatchNormalization(), dense(3, "softmax")], {}, {}),
    "normalization last": (
        [dense(8), L.BatchNormalization()],
        {"loss": "mse", "metrics": []},
        {"target": X @ W},
    ),
    "renormalization": (
        [dense(8, "relu"), L.BatchNormalization(renorm=True), dense(3, "softmax")],
        {},
        {},
    ),
    "frozen normalization": (
        [dense(8, "relu"), L.BatchNormalization(trainable=False), dense(3, "softmax")],
        {},
        {},
    ),
    "layer normalization": (
        [dense(8, "relu"), L.LayerNormalization(), dense(3, "softmax")],
        {},
        {},
    ),
    "gelu": ([dense(8, "gelu"), dense(3, "softmax")], {}, {}),
    "orthogonal rows": (
        [dense(4, "relu", kernel_regularizer=ORTHOGONAL), dense(3, "softmax")],
        {},
        {},
    ),
    "activity regularizer": (
        [dense(8, "relu", activity_regularizer="l2"), dense(3, "softmax")],
        {},
        {},
    ),
    "constraint": ([dense(8, "relu", kernel_constraint="max_norm"), dense(3, "softmax")], {}, {}),
    "lora": ([dense(8, "relu", lora_rank=2), dense(3, "softmax")], {}, {}),
    "frozen layer": ([dense(8, "relu", trainable=False), dense(3, "softmax")], {}, {}),
    "mixed precision": (
        [dense(8, "relu", dtype="mixed_bfloat16"), dense(3, "softmax", dtype="float32")],
        {},
        {},
    ),
    "two scales": ([L.Rescaling([1.0, 2.0, 3.0, 1.0, 2.0, 3.0]), dense(3, "softmax")], {}, {}),
    "scale between": ([dense(8, "relu"), L.Rescaling(0.5), dense(3, "softmax")], {}, {}),
    "label smoothing": (
        None,
        {"loss": gazelle.losses.CategoricalCrossentropy(label_smoothing=0.1)},
        {"one_hot": True},
    ),
    "ignored class": (
        None,
        {"loss": gazelle.losses.SparseCategoricalCrossentropy(ignore_class=1)},
        {},
    ),
    "sum": (None, {"loss": gazelle.losses.SparseCategoricalCrossentropy(reduction="sum")}, {}),
    "other loss": (None, {"loss": "kl_divergence"}, {"one_hot": True}),
    "own loss": (None, {"loss": lambda t, p: (p - t) ** 2}, {"one_hot": True}),
    "loss weights": (None, {"loss_weights": [0.5]}, {}),
    "sgd": (None, {"optimizer": "sgd"}, {}),
    "adamw": (None, {"optimizer": "adamw"}, {}),
    "clipping": (None, {"optimizer": gazelle.optimizers.Adam(clipnorm=0.1)}, {}),
    "decay": (None, {"optimizer": gazelle.optimizers.Adam(weight_decay=0.1)}, {}),
    "averages": (None, {"optimizer": gazelle.optimizers.Adam(use_ema=True)}, {}),
    "accumulation": (
        None,
        {"optimizer": gazelle.optimizers.Adam(gradient_accumulation_steps=2)},
        {},
    ),
    "amsgrad": (None, {"optimizer": gazelle.optimizers.Adam(amsgrad=True)}, {}),
    "loss scale": (None, {"optimizer": gazelle.optimizers.Adam(loss_scale_factor=8.0)}, {}),
    "schedule": (
        None,
        {
            "optimizer": gazelle.optimizers.Adam(
                gazelle.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
            )
        },
        {},
    ),
    "own metric": (None, {"metrics": ["accuracy", largest]}, {}),
    "own class of metric": (None, {"metrics": [Largest]}, {}),
    "metric from a loss": (None, {"metrics": [gazelle.losses.SparseCategoricalCrossentropy()]}, {}),
}


def copied(part):
    return type(part).from_config(part.get_config())


@pytest.mark.parametrize("name", OTHERS)
def test_xla_trains_what_the_kernel_does_not_support(name, kernel, plans):
    layers, compiled, given = OTHERS[name]
    given = dict(given)
    y = given.pop("target", Y)
    if given.pop("one_hot", False):
        y = np.eye(3, dtype="float32")[Y]
    results = []
    for on in (True, False):
        kernel(on)
        gazelle.utils.set_random_seed(5)
        originals = layers or [dense(8, "relu"), dense(3, "softmax")]
        model = gazelle.Sequential([gazelle.Input((6,)), *map(copied, originals)])
        settings = {"optimizer": "adam", "loss": SPARSE, "metrics": ["accuracy"], **compiled}
        if isinstance(settings["optimizer"], gazelle.optimizers.Optimizer):
            settings["optimizer"] = copied(settings["optimizer"])
        model.compile(**settings)
        results.append(fitted(model, y=y, epochs=1, **given))
    assert plans
    assert all(plan is None for plan in plans)
    same(*results)


def test_the_kernel_trains_a_functional_chain_with_separate_activations(kernel, plans):
    kernel(True)
    source = gazelle.Input((2, 3))
    x = L.Dense(8)(L.Reshape((6,))(source))
    x = L.Dense(3)(L.Activation("tanh")(x))
    model = gazelle.Model(source, L.Activation("softmax")(x))
    model.compile("adam", SPARSE)
    first = model.get_weights()
    mine = fitted(model, x=X.reshape(-1, 2, 3))
    kernel(False)
    model.set_weights(first)
    model.compile("adam", SPARSE)
    same(mine, fitted(model, x=X.reshape(-1, 2, 3)))
    assert [plan is not None for plan in plans] == [True, False]


def test_xla_trains_a_branch_and_a_subclass(kernel, plans):
    kernel(True)
    source = gazelle.Input((6,))
    hidden = L.Dense(6, "relu")(source)
    branched = gazelle.Model(source, L.Dense(3, "softmax")(L.Add()([hidden, source])))

    class Own(gazelle.Sequential):
        pass

    for model in (branched, Own([gazelle.Input((6,)), L.Dense(3, "softmax")])):
        model.compile("adam", SPARSE)
        fitted(model, epochs=1)
    assert plans == [None, None]


@pytest.mark.parametrize("make", [lambda: L.BatchNormalization(), lambda: L.Dropout(0.3, seed=3)])
def test_xla_trains_a_layer_that_is_called_twice(make, kernel, plans):
    kernel(True)
    source, twice = gazelle.Input((6,)), make()
    x = twice(L.Dense(8, "relu")(twice(L.Dense(8, "relu")(source))))
    model = gazelle.Model(source, L.Dense(3, "softmax")(x))
    model.compile("adam", SPARSE)
    fitted(model, epochs=1)
    assert plans == [None]
