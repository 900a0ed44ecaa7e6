"""Tests that need four devices; `test_distribution.py` runs them in a process that has them."""

import copy
import os

import numpy as np
import pytest

import gazelle
from gazelle import distribution, layers
from gazelle._engine.kernel import library

os.environ["KERAS_BACKEND"] = "jax"

ROWS = 103  # neither four nor the batch size divides it
rng = np.random.default_rng(0)
x = rng.normal(size=(ROWS, 6)).astype("float32")
y = (x.sum(1) > 0).astype("int32")


def data_parallel():
    return distribution.DataParallel()


def layout_map():
    mesh = distribution.DeviceMesh((2, 2), ["batch", "model"])
    layouts = distribution.LayoutMap(mesh)
    layouts[".*hidden/kernel"] = (None, "model")
    layouts[".*hidden/bias"] = ("model",)
    layouts[".*hidden/output"] = ("batch", "model")
    layouts[".*last/kernel"] = distribution.TensorLayout(("model", None))
    return layouts


def model_parallel():
    return distribution.ModelParallel(layout_map=layout_map())


DISTRIBUTIONS = pytest.mark.parametrize("make", [data_parallel, model_parallel])


@pytest.fixture(autouse=True)
def one_device_again():
    yield
    distribution.set_distribution(None)


def network(optimizer="adam", **compiled):
    gazelle.utils.set_random_seed(1)
    model = gazelle.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.2, seed=3),
            layers.Dense(2, activation="softmax", name="last"),
        ],
        name="net",
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **compiled)
    return model


def results(model, *, epochs=2, **given):
    history = model.fit(
        x, y, epochs=epochs, batch_size=10, verbose=0, validation_split=0.1, **given
    )
    return [
        *(history.history[name] for name in sorted(history.history)),
        model.evaluate(x, y, batch_size=10, verbose=0),
        model.predict(x, verbose=0),
        model.predict(x[:3], verbose=0),
        model.train_on_batch(x[:7], y[:7]),
        model.test_on_batch(x[:7], y[:7]),
        model.predict_on_batch(x[:5]),
        *model.get_weights(),
        *(variable.numpy() for variable in model.optimizer.variables),
    ]


def assert_same(got, expected):
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def axes(variable):
    """Along which axes of the mesh each axis of a variable is divided; None on one device."""
    found = getattr(variable.value.sharding, "spec", None)
    return None if found is None else tuple(found)


@DISTRIBUTIONS
@pytest.mark.parametrize("compiled", [{}, {"steps_per_execution": 3}], ids=str)
def test_numbers_are_those_of_one_device(make, compiled):
    expected = results(network(**compiled))
    with make().scope():
        assert_same(results(network(**compiled)), expected)


@DISTRIBUTIONS
def test_a_model_may_be_trained_outside_of_the_scope_it_was_made_in(make):
    expected = results(network())
    with make().scope():
        model = network()
    assert_same(results(model), expected)
    assert axes(model.get_layer("hidden").kernel) is not None


@DISTRIBUTIONS
def test_a_model_may_be_made_and_trained_before(make):
    expected = [*results(network()), *results(network("sgd"))]
    model = network()
    got = results(model)
    with make().scope():
        model.fit(x, y, epochs=1, verbose=0)
        assert axes(model.get_layer("hidden").kernel) is not None
        assert axes(model.optimizer.variables[2]) == axes(model.trainable_variables[0])
        got += results(network("sgd"))
    assert_same(got, expected)


def test_a_model_goes_from_one_distribution_to_another():
    alone, moved = network(), network()
    for make in (data_parallel, model_parallel, data_parallel):
        alone.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        with make().scope():
            moved.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    assert_same(moved.get_weights(), alone.get_weights())
    assert axes(moved.get_layer("hidden").kernel) == (None, None)


def test_weights_lie_as_in_keras():
    import keras

    theirs = keras.distribution
    mesh = theirs.DeviceMesh((2, 2), ["batch", "model"])
    their_map = theirs.LayoutMap(mesh)
    for path, layout in layout_map().items():
        their_map[path] = layout.axes
    theirs.set_distribution(theirs.ModelParallel(layout_map=their_map))
    keras_model = keras.Sequential(
        [
            keras.layers.Input((6,)),
            keras.layers.Dense(8, activation="relu", name="hidden"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(2, activation="softmax", name="last"),
        ],
        name="net",
    )
    keras_model.compile(keras.optimizers.Adam(name="one"), "sparse_categorical_crossentropy")
    keras_model.optimizer.build(keras_model.trainable_variables)
    theirs.set_distribution(None)
    with model_parallel().scope():
        model = network(gazelle.optimizers.Adam(name="one"))
        model.fit(x, y, verbose=0)
    expected = {v.path: axes(v) for v in keras_model.variables if "seed" not in v.path}
    expected |= {v.path: axes(v) for v in keras_model.optimizer.variables}
    got = {v.path: axes(v) for v in (*model.variables, *model.optimizer.variables)}
    assert {path: got[path] for path in expected} == expected
    assert got["net/hidden/kernel"] == (None, "model")


def test_outputs_of_layers_get_their_layouts():
    seen = []

    class Seen(distribution.ModelParallel):
        def get_tensor_layout(self, path):
            seen.append((path, super().get_tensor_layout(path) is not None))
            return super().get_tensor_layout(path)

    with Seen(layout_map=layout_map()).scope():
        network().predict(x[:4], verbose=0)
    assert ("net/hidden/output", True) in seen
    assert ("net/last/output", False) in seen
    layouts = distribution.LayoutMap(distribution.DeviceMesh((4,), ["batch"]))
    layouts["net/last/output"] = (None, None, "batch")
    with (
        distribution.ModelParallel(layout_map=layouts).scope(),
        pytest.raises(ValueError, match="net/last/output"),
    ):
        network().predict(x[:4], verbose=0)


def batches():
    for start in range(0, ROWS, 10):
        yield x[start : start + 10], y[start : start + 10]


class OwnStep(gazelle.Sequential):
    def train_step(self, state, data):
        trainable, other, slots, metrics = state
        xs, ys, weights = gazelle.utils.unpack_x_y_sample_weight(data)
        import jax

        def loss_of(trainable, other, metrics):
            return self.compute_loss_and_updates(
                trainable, other, metrics, xs, ys, weights, training=True
            )

        (loss, aux), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            trainable, other, metrics
        )
        _, _, other, metrics = aux
        trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
        return {"loss": loss}, (trainable, other, slots, metrics)


def own_step():
    gazelle.utils.set_random_seed(1)
    model = OwnStep([layers.Input((6,)), layers.Dense(2, activation="softmax", name="last")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=10, epochs=2, verbose=0)
    return model.get_weights()


def eager():
    model = network(run_eagerly=True)
    model.fit(x[:9], y[:9], batch_size=4, verbose=0)
    return [*model.get_weights(), model.predict(x[:3], verbose=0)]


def streamed():
    model = network()
    model.fit(batches(), verbose=0)
    return [*model.get_weights(), model.predict((one[:1] for one in batches()), verbose=0)]


def sparse():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    gazelle.utils.set_random_seed(1)
    model = gazelle.Sequential([layers.Input((6,)), layers.Dense(1, name="last")])
    model.compile("sgd", "mse")
    model.fit(scipy_sparse.csr_matrix(np.maximum(x, 0)), y, batch_size=10, verbose=0)
    return model.get_weights()


def weighted():
    model = network()
    model.fit(x, y, class_weight={0: 1.0, 1: 3.0}, batch_size=10, shuffle=False, verbose=0)
    return model.get_weights()


def not_finite():
    model = network(gazelle.optimizers.SGD(1e30))
    with pytest.warns(gazelle.errors.CheckWarning):
        model.fit(x, y, batch_size=10, epochs=2, verbose=0)
    return model.get_weights()


def text():
    gazelle.utils.set_random_seed(1)
    words = layers.StringLookup(vocabulary=["a", "b"])
    inputs = layers.Input((3,), dtype="string")
    embedded = layers.Embedding(3, 4, name="hidden")(words(inputs))
    outputs = layers.Dense(1, name="last")(layers.Flatten()(embedded))
    model = gazelle.Model(inputs, outputs)
    model.compile("adam", "mse")
    data = np.array([["a", "b", "c"], ["b", "b", "a"], ["c", "a", "a"]] * 7)
    model.fit(data, np.arange(21.0), batch_size=8, verbose=0)
    return [*model.get_weights(), model.predict(data, verbose=0)]


@DISTRIBUTIONS
@pytest.mark.parametrize("train", [own_step, eager, streamed, sparse, weighted, not_finite, text])
def test_every_kind_of_training_gives_the_numbers_of_one_device(make, train):
    expected = train()
    with make().scope():
        assert_same(train(), expected)


@DISTRIBUTIONS
def test_models_are_saved_loaded_and_copied(make, tmp_path):
    with make().scope():
        model = network()
        model.fit(x, y, verbose=0)
        model.save(tmp_path / "model.keras")
        model.save_weights(tmp_path / "model.weights.h5")
        loaded = gazelle.models.load_model(tmp_path / "model.keras")
        again = network()
        again.load_weights(tmp_path / "model.weights.h5")
        now = model.predict(x, verbose=0)
        for one in (loaded, again, copy.deepcopy(model)):
            np.testing.assert_allclose(one.predict(x, verbose=0), now, rtol=1e-5, atol=1e-6)
            assert axes(one.get_layer("hidden").kernel) == axes(model.get_layer("hidden").kernel)
    alone = gazelle.models.load_model(tmp_path / "model.keras")
    for one in (alone, copy.deepcopy(model)):
        np.testing.assert_allclose(one.predict(x, verbose=0), now, rtol=1e-5, atol=1e-6)
        assert axes(one.get_layer("hidden").kernel) is None


def test_a_second_model_of_the_same_kind_compiles_nothing():
    from gazelle._engine import programs

    with data_parallel().scope():
        network().fit(x, y, batch_size=10, verbose=0)
    before = len(programs._shared)
    with data_parallel().scope():
        network().fit(x, y, batch_size=10, verbose=0)
    assert len(programs._shared) == before


def test_the_kernel_is_for_one_device():
    with data_parallel().scope():
        assert "distribution" in library.obstacle()
    assert "distribution" not in (library.obstacle() or "")


def test_a_layout_that_does_not_fit_is_refused_by_the_name_of_the_variable():
    layouts = distribution.LayoutMap(distribution.DeviceMesh((4,), ["model"]))
    layouts[".*last/kernel"] = (None, "model")
    with (
        distribution.ModelParallel(layout_map=layouts).scope(),
        pytest.raises(ValueError, match="net/last/kernel"),
    ):
        network()


def test_a_variable_has_the_layout_that_it_is_given():
    mesh = distribution.DeviceMesh((4,), ["batch"])
    layout = distribution.TensorLayout(("batch", None), mesh)
    variable = gazelle.Variable(np.ones((4, 2)), layout=layout)
    assert axes(variable) == ("batch", None)
    variable.assign(np.zeros((4, 2)))
    variable.assign_add(np.ones((4, 2)))
    assert axes(variable) == ("batch", None)
    assert variable.numpy().sum() == 8
    with data_parallel().scope():
        assert axes(gazelle.Variable(np.ones((4, 2)), layout=layout)) == ("batch", None)


def test_distribute_tensor():
    import jax

    mesh = distribution.DeviceMesh((2, 2), ["batch", "model"])
    layout = distribution.TensorLayout(("batch", "model"), mesh)
    spread = distribution.distribute_tensor(x[:4], layout)
    assert spread.sharding == layout.backend_layout
    np.testing.assert_array_equal(spread, x[:4])
    inside = jax.jit(lambda a: distribution.distribute_tensor(a * 2, layout))(x[:4])
    assert inside.sharding.is_equivalent_to(layout.backend_layout, 2)
    symbolic = layers.Input((3,))
    assert distribution.distribute_tensor(symbolic, layout) is symbolic
    with pytest.raises(ValueError, match="does not fit"):
        distribution.distribute_tensor(x[:3], layout)
    with pytest.raises(ValueError, match="device mesh is not set"):
        distribution.distribute_tensor(x, distribution.TensorLayout((None, None)))


def test_devices():
    import keras

    assert distribution.list_devices() == keras.distribution.list_devices()
    assert distribution.list_devices("CPU") == [f"cpu:{i}" for i in range(4)]
    assert distribution.get_device_count() == 4
    half = distribution.DataParallel(devices=["cpu:1", "cpu:3"])
    with half.scope():
        model = network()
    devices = {device.id for device in model.trainable_variables[0].value.devices()}
    assert devices == {1, 3}
    with pytest.raises(ValueError, match="cpu:9"):
        distribution.DataParallel(devices=["cpu:9"]).device_mesh.backend_mesh  # noqa: B018
    with pytest.raises(ValueError, match="abacus"):
        distribution.list_devices("abacus")
