"""The modules below `tensorflow`: what they answer, refuse and leave behind."""

import importlib
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import gazelle.compat
from gazelle.compat import OutOfScopeError


@pytest.fixture(scope="module")
def tf():
    gazelle.compat.install()
    import tensorflow

    yield tensorflow
    gazelle.compat.uninstall()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("tensorflow.compat.v1", "Session"),
        ("tensorflow.compat.v1.keras", "Sequential"),
        ("tensorflow.keras.layers", "Dense"),
        ("tensorflow.python.keras", "Sequential"),
        ("tensorflow.python.keras.layers", "Dense"),
        ("tensorflow.python.framework.ops", "reset_default_graph"),
        ("tensorflow.python.framework", "ops"),
        ("tensorflow.python.ops.math_ops", "reduce_mean"),
        ("tensorflow.python.client.device_lib", "list_local_devices"),
        ("tensorflow.python.platform.gfile", "GFile"),
        ("tensorflow.data", "Dataset"),
        ("tensorflow.data.experimental", "AUTOTUNE"),
        ("tensorflow.math", "reduce_sum"),
        ("tensorflow.contrib.eager", "enable_eager_execution"),
        ("tensorflow", "GradientTape"),
    ],
)
def test_modules_are_found_by_their_paths(tf, module, name):
    assert getattr(importlib.import_module(module), name) is not None


def test_a_name_that_is_not_there(tf):
    with pytest.raises(AttributeError, match=r"no tf\.reduce_meen. Did you mean 'reduce_mean'"):
        tf.reduce_meen  # noqa: B018
    with pytest.raises(ImportError, match=r"no tf\.math\.sqare"):
        from tensorflow.math import sqare  # noqa: F401
    assert not hasattr(tf, "no_such_name")


@pytest.mark.parametrize(
    "use",
    [
        lambda tf: tf.nn.conv2d(1, 2),
        lambda tf: tf.estimator.DNNClassifier,
        lambda tf: tf.feature_column.numeric_column("a"),
        lambda tf: tf.SparseTensor([[0]], [1], [1]),
        lambda tf: tf.train.AdamOptimizer(0.1),
        lambda tf: tf.image.random_hue(1, 2),
    ],
)
def test_what_is_out_of_scope_says_so_when_it_is_used(tf, use):
    with pytest.raises(OutOfScopeError, match="out of Gazelle's scope"):
        use(tf)


def test_types_are_those_of_numpy(tf):
    assert tf.constant([1.0]).dtype == tf.float32
    assert tf.float32 == "float32"
    assert np.dtype(tf.int32) == np.int32
    assert tf.as_dtype(np.float64) is tf.float64
    assert tf.float16.max == 65504
    assert tf.bool.as_numpy_dtype is np.bool_
    assert tf.cast(1.5, tf.int64).dtype == jnp.int32  # JAX computes with 32 bits


def test_tensors_have_what_tensorflows_have(tf):
    x = tf.constant([[1.0, 2.0]])
    assert x.shape.as_list() == [1, 2]
    assert x.get_shape()[-1] == 2
    assert x.numpy().tolist() == [[1.0, 2.0]]
    assert isinstance(x, tf.Tensor)
    assert not isinstance(x.numpy(), tf.Tensor)
    assert (x + [[1.0, 1.0]]).numpy().tolist() == [[2.0, 3.0]]  # noqa: RUF005
    inputs = tf.keras.Input((3,))
    assert inputs.shape.as_list() == [None, 3]
    assert {x.ref(): 1}[x.ref()] == 1


def test_functions_of_symbolic_tensors_are_steps_of_a_model(tf):
    inputs = tf.keras.Input((4,))
    hidden = tf.nn.relu(tf.keras.layers.Dense(3)(inputs))
    total = tf.reduce_sum(tf.square(hidden), axis=1, keepdims=True)
    model = tf.keras.Model(inputs, tf.concat([hidden, total / 2.0, tf.math.log1p(total)], axis=1))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("f")
    dense = model.layers[1]
    wanted = np.maximum(x @ dense.kernel.numpy() + dense.bias.numpy(), 0)
    sums = (wanted**2).sum(1, keepdims=True)
    found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, np.hstack([wanted, sums / 2, np.log1p(sums)]), rtol=1e-4)


def test_variables(tf):
    v = tf.Variable([1, 2], name="layer/v:0")
    assert v.dtype == "int32"
    assert v.assign_add([1, 1]).numpy().tolist() == [2, 3]
    assert v.assign(v * 2) is v
    dense = tf.keras.layers.Dense(2)
    dense.build((None, 3))
    assert isinstance(dense.kernel, tf.Variable)
    assert not isinstance(tf.constant(1), tf.Variable)

    class Scale(tf.keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.factor = tf.Variable(3.0, trainable=True)

        def call(self, inputs):
            return inputs * self.factor

    layer = Scale()
    assert float(layer(tf.constant(2.0))) == 6.0
    assert layer.trainable_variables == [layer.factor]


def test_sessions_and_switches(tf):
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    with tf.compat.v1.Session(config=config) as session:
        session.run(tf.compat.v1.global_variables_initializer())
        assert session.run(tf.constant(2.0) * 3) == 6.0
        found = session.run({"a": tf.Variable(1.0), "b": [tf.constant([1])]})
    assert found["a"] == 1.0
    tf.compat.v1.disable_eager_execution()
    with tf.Graph().as_default(), tf.device("/gpu:0"), tf.name_scope("a"):
        assert float(tf.constant(1.0)) == 1.0
    assert tf.config.list_physical_devices("GPU") == []
    with tf.distribute.MirroredStrategy().scope():
        assert tf.distribute.get_strategy().num_replicas_in_sync == 1


def test_seeds_make_weights_and_draws_repeatable(tf):
    def drawn():
        tf.random.set_seed(3)
        dense = tf.keras.layers.Dense(2)
        dense.build((None, 3))
        return dense.kernel.numpy(), tf.random.normal((3,)).numpy(), tf.random.uniform((2,)).numpy()

    for one, other in zip(drawn(), drawn(), strict=True):
        np.testing.assert_array_equal(one, other)
    generator = tf.random.Generator.from_seed(1)
    first = generator.normal((3,)).numpy()
    assert not np.array_equal(first, generator.normal((3,)).numpy())
    assert np.array_equal(first, tf.random.Generator.from_seed(1).normal((3,)).numpy())


def test_numpys_seed_is_left_alone_if_the_script_has_set_it(tf):
    np.random.seed(5)  # noqa: NPY002
    wanted = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    tf.random.set_seed(1)
    assert np.random.rand() == wanted  # noqa: NPY002


def test_draws_have_their_distributions(tf):
    normal = tf.random.normal((20_000,), mean=3.0, stddev=2.0).numpy()
    assert normal.mean() == pytest.approx(3, abs=0.1)
    assert normal.std() == pytest.approx(2, abs=0.1)
    whole = tf.random.uniform((1000,), 2, 5, dtype=tf.int32).numpy()
    assert set(whole) == {2, 3, 4}
    assert abs(tf.random.truncated_normal((5000,)).numpy()).max() <= 2
    assert sorted(tf.random.shuffle(tf.range(10)).numpy()) == list(range(10))
    kept = tf.nn.dropout(tf.ones(10_000), rate=0.25).numpy()
    np.testing.assert_allclose(np.unique(kept), [0, 4 / 3], rtol=1e-5)
    assert kept.mean() == pytest.approx(1, abs=0.05)


def test_printing(tf, capsys):
    tf.print("loss:", tf.constant([1, 2]), sep=" ")
    tf.print("to", "there", output_stream=sys.stdout)
    captured = capsys.readouterr()
    assert captured.err == "loss: [1 2]\n"
    assert captured.out == "to there\n"


def test_checks(tf):
    tf.debugging.assert_equal([1, 2], [1, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="wrong"):
        tf.debugging.assert_less([3], [2], message="wrong")
    with pytest.raises(ValueError, match="Shapes"):
        tf.ensure_shape(tf.zeros((2, 3)), (None, 4))


def test_images(tf, tmp_path):
    pixels = tf.cast(tf.random.uniform((4, 5, 3), 0, 255, dtype=tf.int32), tf.uint8)
    path = str(tmp_path / "a.png")
    tf.io.write_file(path, tf.io.encode_png(pixels))
    assert tf.io.gfile.exists(path)
    read = tf.io.decode_png(tf.io.read_file(path), channels=3)
    np.testing.assert_array_equal(read, pixels)
    assert tf.image.resize(read, (2, 2)).shape == (2, 2, 3)
