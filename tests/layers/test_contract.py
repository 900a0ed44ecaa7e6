"""The contract of Layer for subclasses: building, calling, weights, losses and attributes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gazelle
from gazelle import layers
from gazelle.layers import Layer

pytestmark = pytest.mark.slow

X = np.ones((2, 3), "float32")


class Scale(Layer):
    def build(self, input_shape):
        self.seen = input_shape
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

    def call(self, inputs):
        return inputs * self.factor


class Stateful(Layer):
    """A trainable and two non-trainable weights, created in mixed order."""

    def build(self, input_shape):
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")
        self.w = self.add_weight((2,), "zeros", name="w")
        self.ids = self.add_weight((2,), dtype="int32", trainable=False, name="ids")

    def call(self, inputs):
        self.count.assign_add(1.0)
        return inputs


class Tower(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(2)
        self.rest = [
            layers.Dense(3),
            {"b": layers.Dense(4), "a": (layers.Dense(5), layers.BatchNormalization())},
        ]

    def call(self, inputs, training=None):
        x = self.rest[0](self.first(inputs))
        return self.rest[1]["a"][1](self.rest[1]["a"][0](self.rest[1]["b"](x)))


# Building


def test_build_is_called_once_with_the_shape_of_the_first_input():
    layer = Scale(name="s")
    assert not layer.built
    assert layer.weights == []
    layer(X)
    assert layer.built
    assert layer.seen == (2, 3)
    weight = layer.factor
    layer(np.ones((5, 3), "float32"))
    assert layer.factor is weight
    assert [v.path for v in layer.weights] == ["s/factor"]


def test_build_by_hand_and_by_a_symbolic_tensor_give_none_for_the_batch():
    by_hand, symbolic = Scale(), Scale()
    by_hand.build((None, 4))
    output = symbolic(gazelle.Input((4,)))
    assert by_hand.built
    assert by_hand.seen == symbolic.seen == (None, 4)
    assert output.shape == (None, 4)
    assert output.dtype == "float32"


def test_build_gets_the_shape_of_each_argument_by_its_name():
    class Pair(Layer):
        def build(self, a_shape, b_shape, c_shape=None):
            self.seen = (a_shape, b_shape, c_shape)

        def call(self, a, b, c=None):
            return a + b

    for call in (lambda p: p(X, X[:1]), lambda p: p(X, b=X[:1]), lambda p: p(a=X, b=X[:1])):
        pair = Pair()
        call(pair)
        assert pair.seen == ((2, 3), (1, 3), None)

    class First(Layer):
        def build(self, input_shape):
            self.seen = input_shape

        def call(self, a, b):
            return a + b

    first = First()
    first(X, X)
    assert first.seen == (2, 3)


def test_build_gets_lists_and_dicts_of_shapes():
    class Any(Layer):
        def build(self, input_shape):
            self.seen = input_shape

        def call(self, inputs):
            return jax.tree.leaves(inputs)[0]

    several, named = Any(), Any()
    several([X, X[:, :1]])
    named({"p": X, "q": X[:, :2]})
    assert several.seen == [(2, 3), (2, 1)]
    assert named.seen == {"p": (2, 3), "q": (2, 2)}


def test_sublayers_of_a_layer_without_build_are_built_by_tracing_call():
    tower = Tower(name="t")
    tower.build((None, 6))
    assert [v.shape for v in tower.weights[:2]] == [(6, 2), (2,)]
    assert len(tower.weights) == 12
    assert all(
        isinstance(v._value, jax.Array) and not isinstance(v._value, jax.core.Tracer)
        for v in tower.variables
    )
    assert tower.weights[0].path == f"t/{tower.first.name}/kernel"
    followed = Tower(name="u")
    followed(X)
    assert followed.weights[0].path == f"u/{followed.first.name}/kernel"


def test_building_in_training_mode_does_not_change_the_state():
    class Counting(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Stateful()
            self.norm = layers.BatchNormalization()

        def call(self, inputs):
            return self.norm(self.inner(inputs))

    layer = Counting()
    layer(X, training=True)
    assert (
        float(layer.inner.count.value) == 1
    )  # only by the call itself, not by tracing it to build
    np.testing.assert_allclose(layer.norm.moving_mean, [0.01] * 3, rtol=1e-5)
    symbolic = Counting()
    symbolic(gazelle.Input((3,)), training=True)
    assert float(symbolic.inner.count.value) == 0


def test_weights_made_in_call_are_refused():
    class Late(Layer):
        def call(self, inputs):
            return inputs * self.add_weight(shape=(3,))

    with pytest.raises(ValueError, match="cannot add new elements of state"):
        Late()(X)


def test_a_layer_made_in_call_is_refused_unless_it_has_no_weights():
    class Late(Layer):
        def call(self, inputs):
            return layers.Dense(2)(inputs)

    class Weightless(Layer):
        def call(self, inputs):
            return layers.add([layers.Activation("relu")(inputs), layers.Flatten()(inputs)])

    with pytest.raises(ValueError, match="would never be trained"):
        Late()(X)
    np.testing.assert_array_equal(Weightless()(X), 2 * X)


def test_a_missing_call_of_super_init_is_reported():
    class Forgetful(Layer):
        def __init__(self):
            pass

    class ForgetfulModel(gazelle.Model):
        def __init__(self):
            self.dense = layers.Dense(1)

    with pytest.raises(RuntimeError, match=r"forgot to call super\(\).__init__"):
        Forgetful()(X)
    with pytest.raises(RuntimeError, match=r"forgot to call super\(\).__init__"):
        ForgetfulModel()(X)
    with pytest.raises(
        AttributeError, match=r"ForgetfulModel .* forgot to call super\(\).__init__"
    ):
        ForgetfulModel().compile("sgd", "mse")
    with pytest.raises(AttributeError, match="'Layer' object has no attribute 'nothing'"):
        _ = Layer().nothing


# Weights


def test_add_weight_takes_the_forms_that_keras_takes():
    layer = Layer()
    scalar, vector = layer.add_weight(), layer.add_weight(3)
    assert scalar.shape == ()
    assert vector.shape == (3,)
    assert layer.add_weight((2, 3), "ones", "bfloat16").dtype == "bfloat16"
    whole = layer.add_weight(shape=[2], dtype="int32", name="n")
    assert (whole.dtype, whole.name) == ("int32", "n")
    np.testing.assert_array_equal(whole, [0, 0])
    limit = np.sqrt(6 / (40 + 30))
    drawn = np.asarray(layer.add_weight((40, 30)))
    assert abs(drawn).max() <= limit
    assert abs(drawn).max() > 0.9 * limit
    assert layer.add_weight(
        (2,), lambda shape, dtype: np.full(shape, 5.0, dtype)
    ).numpy().tolist() == [5.0, 5.0]
    with pytest.raises(ValueError, match="name='kernel'"):
        layer.add_weight("kernel", (2, 2))
    with pytest.raises(ValueError, match="unknown sizes"):
        layer.add_weight((None, 2), name="w")
    with pytest.raises(ValueError, match="'/'"):
        layer.add_weight((2,), name="a/b")


def test_trainable_weights_come_first():
    layer = Stateful()
    layer.build((None, 3))
    assert [v.name for v in layer.weights] == ["w", "count", "ids"]
    assert [v.name for v in layer.trainable_weights] == ["w"]
    assert [v.name for v in layer.non_trainable_weights] == ["count", "ids"]
    assert layer.count_params() == 5


def test_variables_and_generators_held_by_attributes_belong_to_the_layer():
    class Held(Layer):
        def __init__(self):
            super().__init__()
            self.seeds = gazelle.random.SeedGenerator(3)
            self.scale = gazelle.Variable(2.0, name="scale")
            self.table = {"fixed": gazelle.Variable([1.0], trainable=False, name="fixed")}
            self.own = self.add_weight((), "ones", name="own")

    layer = Held()
    assert [v.name for v in layer.weights] == ["own", "scale", "fixed"]
    assert [v.name for v in layer.variables] == ["own", "scale", "fixed", "seed_generator_state"]
    assert [v.name for v in layer.trainable_variables] == ["own", "scale"]


def test_layers_in_lists_dicts_and_tuples_belong_to_the_layer_in_order():
    tower = Tower()
    tower(X)
    kernels = [v.shape for v in tower.trainable_weights if v.name == "kernel"]
    assert kernels == [(3, 2), (2, 3), (3, 4), (4, 5)]
    assert len(tower.non_trainable_weights) == 2


def test_a_layer_held_twice_counts_once():
    class Twice(Layer):
        def __init__(self):
            super().__init__()
            self.a = layers.Dense(3)
            self.b = [self.a]

        def call(self, inputs):
            return self.b[0](self.a(inputs))

    layer = Twice()
    layer(X)
    assert len(layer.weights) == 2


def test_freezing_applies_to_sublayers_and_an_outer_freeze_wins():
    tower = Tower()
    tower(X)
    tower.trainable = False
    assert tower.trainable_variables == []
    assert not tower.rest[1]["a"][0].trainable
    tower.first.trainable = True
    assert tower.trainable_variables == []
    assert len(tower.first.trainable_variables) == 2
    tower.trainable = True
    tower.rest[0].trainable = False
    assert len(tower.trainable_variables) == 8
    assert len(tower.non_trainable_weights) == 4


def test_set_weights_changes_all_or_nothing():
    layer = layers.Dense(2, name="d")
    with pytest.raises(ValueError, match="weight list of length 1"):
        layer.set_weights([1.0])
    layer.build((None, 3))
    before = layer.get_weights()
    for weights, words in (
        (
            [np.ones((3, 2))],
            "with a weight list of length 1, but the layer was expecting 2 weights",
        ),
        ([np.ones((3, 2)), np.ones(3)], "not compatible with provided weight shape"),
        ([np.ones((3, 2)), ["a", "b"]], "not an array of numbers"),
    ):
        with pytest.raises((ValueError, TypeError), match=words.replace("(", r"\(")):
            layer.set_weights(weights)
        for a, b in zip(layer.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
    layer.set_weights([np.full((3, 2), 2, "int64"), [3.0, 4.0]])
    np.testing.assert_array_equal(layer.get_weights()[0], np.full((3, 2), 2.0, "float32"))


def test_weights_handed_out_are_copies():
    layer = layers.Dense(2)
    layer.build((None, 3))
    layer.get_weights()[0][:] = 9
    assert (np.asarray(layer.kernel) != 9).all()


def test_parameters_of_an_unbuilt_layer_cannot_be_counted():
    with pytest.raises(ValueError, match="count_params"):
        layers.Dense(2).count_params()
    with pytest.raises(AttributeError, match="not built"):
        _ = layers.Dense(2).kernel


# Calling


class Telling(Layer):
    def call(self, inputs, training=None):
        self.told = training
        return inputs


class Outer(Layer):
    def __init__(self, **inner):
        super().__init__()
        self.inner = Telling()
        self.inner_arguments = inner

    def call(self, inputs):
        return self.inner(inputs, **self.inner_arguments)


def test_training_comes_from_the_argument_or_the_outer_call_or_the_default():
    class On(Telling):
        def call(self, inputs, training=True):
            self.told = training
            return inputs

    layer, outer, forced, on = Telling(), Outer(), Outer(training=False), On()
    layer(X)
    assert layer.told is None
    layer(X, training=True)
    assert layer.told is True
    outer(X)
    assert outer.inner.told is None
    outer(X, training=True)  # although `call` of the outer layer has no such argument
    assert outer.inner.told is True
    forced(X, training=True)
    assert forced.inner.told is False
    on(X)
    assert on.told is True
    on(X, training=False)
    assert on.told is False


def test_inputs_may_be_passed_by_keyword():
    np.testing.assert_array_equal(layers.ReLU()(inputs=-X), 0 * X)
    assert layers.Dense(2)(inputs=gazelle.Input((3,))).shape == (None, 2)


def test_structures_of_outputs_are_kept():
    class Split(Layer):
        def call(self, inputs):
            return {"sum": inputs["x"].sum(-1), "both": (inputs["x"], [inputs["x"][:, :1]])}

    result = Split()({"x": X})
    assert result["both"][1][0].shape == (2, 1)
    symbolic = Split()({"x": gazelle.Input((3,))})
    assert symbolic["sum"].shape == (None,)
    assert isinstance(symbolic["both"], tuple)
    assert symbolic["both"][1][0].shape == (None, 1)


def test_float_inputs_are_cast_to_the_compute_dtype_and_others_are_not():
    class Types(Layer):
        def call(self, inputs, mask=None):
            self.seen = [str(x.dtype) for x in jax.tree.leaves((inputs, mask))]
            return inputs[0]

    layer = Types(dtype="mixed_bfloat16")
    layer([X, X.astype("float64"), np.ones(2, "int32"), np.ones(2, "uint8")], mask=np.ones(2, bool))
    assert layer.seen == ["bfloat16", "bfloat16", "int32", "uint8", "bool"]
    kept = Types(dtype="mixed_bfloat16", autocast=False)
    kept([X])
    assert kept.seen == ["float32"]


def test_weights_are_read_in_the_compute_dtype_inside_call_and_in_their_own_outside():
    class Reads(Layer):
        def build(self, input_shape):
            self.w = self.add_weight((3,), "ones", name="w")
            self.own = self.add_weight((3,), "ones", autocast=False, name="own")
            self.ids = self.add_weight((3,), dtype="int32", name="ids")

        def call(self, inputs):
            self.seen = [
                str(x.dtype)
                for x in (self.w.value, self.w * 2, jnp.exp(self.w), self.own.value, self.ids + 1)
            ]
            return inputs * self.w

    layer = Reads(dtype="mixed_bfloat16")
    assert layer(X).dtype == "bfloat16"
    assert layer.seen == ["bfloat16", "bfloat16", "bfloat16", "float32", "int32"]
    assert layer.w.value.dtype == "float32"
    assert layer(gazelle.Input((3,))).dtype == "bfloat16"


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "bfloat16", "float16"])
def test_statistics_are_float32_in_every_half_precision_policy(dtype):
    x = (10_000 + np.arange(12).reshape(6, 2)).astype("float32")
    layer = layers.BatchNormalization(dtype="mixed_bfloat16", momentum=0.0)
    layer(x, training=True)
    assert layer.moving_mean.dtype == "float32"
    short = layers.LayerNormalization(dtype=dtype)
    assert short(np.ones((2, 3), "float32")).dtype == jnp.dtype(dtype.removeprefix("mixed_"))
    large = layers.LayerNormalization(dtype="float16")(np.full((1, 4), 60000.0, "float16"))
    assert np.isfinite(np.asarray(large)).all()  # its square overflows in float16


def test_an_error_in_call_says_in_which_layer_it_happened():
    class Wrong(Layer):
        def call(self, inputs):
            return inputs @ jnp.ones((7, 2))

    with pytest.raises(TypeError) as caught:
        Wrong(name="w")(X)
    assert "This happened in Wrong.call() of layer 'w', on (2, 3)." in caught.value.__notes__


def test_dataframes_are_converted_to_arrays():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X)
    assert layers.Dense(2)(table).shape == (2, 2)


def test_a_stateless_call_leaves_the_layer_as_it_was_and_can_be_transformed():
    layer = Stateful()
    layer.build((None, 3))
    trained, others = (
        [v.value for v in layer.trainable_variables],
        [v.value for v in layer.non_trainable_variables],
    )
    outputs, state = layer.stateless_call(trained, others, X)
    np.testing.assert_array_equal(outputs, X)
    assert float(state[0]) == 1
    assert float(layer.count.value) == 0
    dense = layers.Dense(1, kernel_regularizer="l2")
    dense.build((None, 3))
    weights = [v.value for v in dense.trainable_variables]
    gradient = jax.grad(lambda w: dense.stateless_call(w, [], X)[0].sum())(weights)
    np.testing.assert_allclose(gradient[0], 2 * np.ones((3, 1)))
    assert len(dense.stateless_call(weights, [], X, return_losses=True)[2]) == 1
    with pytest.raises(ValueError, match="wrong number of arrays"):
        dense.stateless_call([], [], X)
    with pytest.raises(ValueError, match="not built"):
        layers.Dense(1).stateless_call([], [], X)


# Losses


class Penalty(Layer):
    def call(self, inputs):
        self.add_loss(jnp.sum(inputs))
        return inputs


def test_losses_are_those_of_the_last_call_and_of_the_regularizers():
    layer = Penalty()
    layer(X)
    layer(X)
    assert [float(loss) for loss in layer.losses] == [6.0]

    class Repeats(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Penalty()
            self.dense = layers.Dense(
                3, kernel_regularizer=lambda w: jnp.sum(w * 0 + 1), activity_regularizer="l2"
            )

        def call(self, inputs):
            return self.dense(self.inner(self.inner(inputs) * 2))

    outer = Repeats()
    for _ in range(2):
        outer(X)
        assert [float(loss) for loss in outer.losses[:2]] == [6.0, 12.0]
        assert len(outer.losses) == 4
        assert float(outer.losses[-1]) == 9
    outer.dense.trainable = False
    assert len(outer.losses) == 3


def test_a_loss_must_be_an_array():
    with pytest.raises(TypeError, match="scalar array"):
        Layer().add_loss(3.0)


# Describing


def test_input_and_output_are_those_of_the_first_symbolic_call():
    layer = layers.Dense(2, name="d")
    with pytest.raises(AttributeError, match="never been called"):
        _ = layer.input
    layer(X)
    with pytest.raises(AttributeError, match="never been called"):
        _ = layer.output
    x = gazelle.Input((3,))
    y = layer(x)
    layer(gazelle.Input((3,)))
    assert layer.input is x
    assert layer.output is y
    add = layers.Add()
    z = add([x, x])
    assert add.input == [x, x]
    assert add.output is z


def test_an_output_shape_can_be_declared_or_is_inferred():
    class Told(Layer):
        def compute_output_shape(self, input_shape):
            return [input_shape[0], 7]

        def call(self, inputs):
            raise AssertionError("is not followed")

    class ToldTwo(Told):
        def compute_output_shape(self, input_shape):
            return (input_shape[0], 1), (input_shape[0], 2)

    class Found(Layer):
        def call(self, inputs):
            return jnp.concatenate([inputs, inputs], -1).astype("int32")

    x = gazelle.Input((3,))
    assert Told()(x).shape == (None, 7)
    assert [t.shape for t in ToldTwo()(x)] == [(None, 1), (None, 2)]
    assert (Found()(x).shape, Found()(x).dtype) == ((None, 6), "int32")
    assert layers.Dense(4).compute_output_shape((None, 5, 3)) == (None, 5, 4)
    with pytest.raises(NotImplementedError, match="compute_output_shape"):
        Found().compute_output_shape((None, 3))


def test_a_layer_without_call_is_reported():
    with pytest.raises(NotImplementedError, match="call"):
        Layer()(X)


def test_names_are_numbered_until_the_session_is_cleared():
    gazelle.utils.clear_session()
    names = [
        layers.Dense(1).name,
        layers.Dense(1).name,
        layers.BatchNormalization().name,
        layers.PReLU().name,
    ]
    assert names == ["dense", "dense_1", "batch_normalization", "p_re_lu"]
    gazelle.utils.clear_session()
    assert layers.Dense(1).name == "dense"


def test_metrics_of_attributes_are_found():
    class Measuring(Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(1)
            self.inner.extra = gazelle.metrics.Mean(name="inner")
            self.own = [gazelle.metrics.Mean(name="own")]

    assert {metric.name for metric in Measuring().metrics} == {"own", "inner"}
    assert Measuring().variables == []


def test_lora_trains_a_low_rank_addition():
    layer = layers.Dense(3)
    with pytest.raises(ValueError, match="not built"):
        layer.enable_lora(2)
    layer.build((None, 4))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    before = np.asarray(layer(x))
    layer.enable_lora(2, lora_alpha=6)
    np.testing.assert_allclose(layer(x), before, rtol=1e-6)  # b starts at zero
    assert [v.name for v in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert [v.name for v in layer.weights] == ["kernel", "bias", "lora_kernel_a", "lora_kernel_b"]
    layer.lora_kernel_b.assign(np.ones((2, 3)))
    layer.lora_alpha = 0
    np.testing.assert_allclose(layer(x), before, rtol=1e-6)  # as in Keras, not scaled by 1 / rank
    layer.lora_alpha = 6
    addition = 3 * x @ np.asarray(layer.lora_kernel_a) @ np.ones((2, 3), "float32")
    np.testing.assert_allclose(layer(x), before + addition, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="already"):
        layer.enable_lora(2)


def test_add_variable_is_add_weight_by_another_name():
    layer = layers.Layer(name="own")
    given = {"trainable": False, "autocast": False, "regularizer": "l2", "name": "v"}
    made = layer.add_variable((2,), "ones", "float32", **given)
    assert made.path == "own/v"
    assert layer.non_trainable_variables == [made]
    assert made.regularizer is not None
    assert not made.autocast
    np.testing.assert_array_equal(made, [1, 1])


def test_variables_of_frozen_layers_say_so_and_keep_their_order():
    class Held(layers.Layer):
        def __init__(self):
            super().__init__()
            self.fixed = gazelle.Variable(np.zeros(2), trainable=False, name="fixed")
            self.free = gazelle.Variable(np.zeros(2), name="free")
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x) + self.free + self.fixed

    layer = Held()
    layer(np.ones((1, 3)))
    order = [variable.path for variable in layer.weights]
    layer.trainable = False
    assert not any(variable.trainable for variable in layer.weights)
    assert layer.trainable_variables == []
    assert [variable.path for variable in layer.weights] == order
    layer.trainable = True
    assert [v.trainable for v in (layer.fixed, layer.free, layer.dense.kernel)] == [
        False,
        True,
        True,
    ]
    frozen = layers.Dense(2, trainable=False)
    frozen.build((None, 3))
    assert not frozen.kernel.trainable


def test_a_weight_that_another_layer_has_frozen_is_trained_by_its_own():
    first, second = layers.Dense(3), layers.Dense(3)
    for layer in (first, second):
        layer.build((None, 3))
    second.shared = first.kernel
    second.trainable = False
    assert [variable is first.kernel for variable in first.trainable_variables] == [True, False]


def test_weights_have_the_type_in_which_a_call_reads_them():
    seen = []

    class Seen(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
            self.exact = self.add_weight(shape=(), autocast=False, name="exact")
            self.steps = self.add_weight(shape=(), dtype="int32", name="steps")

        def call(self, x):
            seen.append([variable.dtype for variable in (self.scale, self.exact, self.steps)])
            self.scale.assign(self.scale * 2)
            return gazelle.ops.cast(x, self.scale.dtype) * self.scale

    layer = Seen(dtype="mixed_bfloat16")
    assert layer(np.ones((2, 2))).dtype == "bfloat16"
    assert seen[0] == ["bfloat16", "float32", "int32"]
    assert (layer.scale.dtype, layer.scale.value.dtype) == ("float32", "float32")
    assert float(layer.scale) == 2
