"""Every layer has the outputs, gradients, losses and new state of Keras's with equal weights."""

import jax
import keras
import numpy as np
import pytest

import gazelle

pytestmark = [
    pytest.mark.slow,
    # NumPy 2 warns of the way in which Keras reads its variables.
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
    pytest.mark.filterwarnings("ignore:.*rms_scaling=True"),
]

A, B = (5, 4), (6, 3, 4)  # shapes of inputs, with the batch axis
CASES = {}


def case(name, shape, layer, tolerance=1e-5, **call):
    """Add a case: `layer(K, L)` called on an array of `shape`, with the keywords `call`.

    A tuple of several shapes stands for a list of arrays; an array is the input itself.
    """
    CASES[name] = (shape, layer, tolerance, call)


case("dense", A, lambda K, L: L.Dense(3))
case("dense, rank 3", B, lambda K, L: L.Dense(3, activation="tanh"))
case("dense, rank 4", (2, 3, 2, 4), lambda K, L: L.Dense(3, use_bias=False, activation="gelu"))
case("dense, softmax", A, lambda K, L: L.Dense(3, activation="softmax"))
case(
    "dense, penalties",
    A,
    lambda K, L: L.Dense(
        3,
        kernel_regularizer=K.regularizers.L1L2(0.1, 0.2),
        bias_regularizer="l2",
        activity_regularizer=K.regularizers.L1(0.3),
    ),
)
case("dense, penalty on the output, rank 3", B, lambda K, L: L.Dense(3, activity_regularizer="l2"))
case("dense, frozen", A, lambda K, L: L.Dense(3, trainable=False, kernel_regularizer="l2"))
case("dense, lora", A, lambda K, L: L.Dense(3, lora_rank=2, kernel_regularizer="l2"))
case("flatten", (2, 3, 4, 2), lambda K, L: L.Flatten())
case("flatten, channels first", (2, 3, 4, 2), lambda K, L: L.Flatten(data_format="channels_first"))
case("flatten, rank 2", A, lambda K, L: L.Flatten())
case("flatten, rank 1", (5,), lambda K, L: L.Flatten())
case("reshape", (3, 12), lambda K, L: L.Reshape((2, 6)))
case("reshape, one size left open", (3, 4, 6), lambda K, L: L.Reshape((-1, 3)))
case("reshape to a vector", (3, 4, 6), lambda K, L: L.Reshape((24,)))
for function in (
    "relu",
    "sigmoid",
    "softmax",
    "log_softmax",
    "swish",
    "mish",
    "exponential",
    "linear",
    None,
):
    case(f"activation, {function}", A, lambda K, L, function=function: L.Activation(function))
case("relu", A, lambda K, L: L.ReLU())
case("relu, bounded", A, lambda K, L: L.ReLU(max_value=0.5, negative_slope=0.2, threshold=0.1))
case("leaky relu", A, lambda K, L: L.LeakyReLU())
case("leaky relu, slope", B, lambda K, L: L.LeakyReLU(negative_slope=0.01))
case("prelu", B, lambda K, L: L.PReLU(alpha_initializer="glorot_uniform", alpha_regularizer="l2"))
case("prelu, shared", B, lambda K, L: L.PReLU(alpha_initializer="normal", shared_axes=[1]))
case(
    "prelu, shared along one axis",
    B,
    lambda K, L: L.PReLU(alpha_initializer="normal", shared_axes=(1, 2)),
)
case("elu", A, lambda K, L: L.ELU())
case("elu, alpha", A, lambda K, L: L.ELU(alpha=0.3))
case("softmax", B, lambda K, L: L.Softmax())
case("softmax, axis 1", B, lambda K, L: L.Softmax(axis=1))
case("softmax, two axes", B, lambda K, L: L.Softmax(axis=[1, 2]))
MASK = np.random.default_rng(5).random((5, 4)) > 0.4
MASK[0] = False
case("softmax, masked", A, lambda K, L: L.Softmax(), mask=MASK)
case("softmax, two axes, masked", A, lambda K, L: L.Softmax(axis=(0, 1)), mask=MASK)
case("dropout", A, lambda K, L: L.Dropout(0.4, seed=3))
case("dropout, rank 3", B, lambda K, L: L.Dropout(0.2, noise_shape=(None, 1, None), seed=4))
case("dropout, all", A, lambda K, L: L.Dropout(1.0, seed=3))
case("dropout, none", A, lambda K, L: L.Dropout(0))
case("batch normalization", A, lambda K, L: L.BatchNormalization())
case(
    "batch normalization, rank 3", B, lambda K, L: L.BatchNormalization(momentum=0.7, epsilon=1e-2)
)
case("batch normalization, axis 1", B, lambda K, L: L.BatchNormalization(axis=1))
case("batch normalization, rank 4", (2, 3, 2, 4), lambda K, L: L.BatchNormalization(axis=2))
case("batch normalization, plain", A, lambda K, L: L.BatchNormalization(center=False, scale=False))
case(
    "batch normalization, penalties",
    A,
    lambda K, L: L.BatchNormalization(
        beta_initializer="normal",
        gamma_initializer="normal",
        moving_mean_initializer="normal",
        moving_variance_initializer=K.initializers.Constant(0.5),
        beta_regularizer="l1",
        gamma_regularizer="l2",
    ),
)
case("batch normalization, frozen", A, lambda K, L: L.BatchNormalization(trainable=False))
case(
    "batch normalization, masked",
    B,
    lambda K, L: L.BatchNormalization(),
    mask=np.arange(18).reshape(6, 3) % 4 > 0,
)
case("batch normalization, renorm", A, lambda K, L: L.BatchNormalization(renorm=True))
case(
    "batch normalization, renorm, clipped",
    B,
    lambda K, L: L.BatchNormalization(
        renorm=True,
        renorm_clipping={"rmax": 1.2, "rmin": 0.9, "dmax": 0.1},
        renorm_momentum=0.5,
        momentum=0.6,
    ),
)
case(
    "batch normalization, renorm, masked",
    B,
    lambda K, L: L.BatchNormalization(renorm=True, scale=False, renorm_clipping={"rmax": 1.2}),
    mask=np.arange(18).reshape(6, 3) % 4 > 0,
)
case("layer normalization", A, lambda K, L: L.LayerNormalization())
case(
    "layer normalization, rank 3",
    B,
    lambda K, L: L.LayerNormalization(gamma_initializer="normal", epsilon=0.1),
)
case(
    "layer normalization, axis 1",
    B,
    lambda K, L: L.LayerNormalization(axis=1, gamma_initializer="normal"),
)
case(
    "layer normalization, axes",
    B,
    lambda K, L: L.LayerNormalization(axis=[1, 2], gamma_initializer="normal"),
)
case("layer normalization, plain", B, lambda K, L: L.LayerNormalization(center=False, scale=False))
case("unit normalization", B, lambda K, L: L.UnitNormalization())
case("unit normalization, axes", B, lambda K, L: L.UnitNormalization(axis=[1, 2]))
case("identity", A, lambda K, L: L.Identity())
case("permute", (2, 3, 4, 5), lambda K, L: L.Permute((3, 1, 2)))
case("repeat vector", A, lambda K, L: L.RepeatVector(3))
case("activity regularization", B, lambda K, L: L.ActivityRegularization(l1=0.2, l2=0.3))
case("alpha dropout", A, lambda K, L: L.AlphaDropout(0.4, seed=3))
case("gaussian dropout", A, lambda K, L: L.GaussianDropout(0.4, seed=3))
case("gaussian noise", A, lambda K, L: L.GaussianNoise(0.4, seed=3))
case("rescaling", A, lambda K, L: L.Rescaling(1 / 3, offset=-2))
case(
    "rescaling, a number each",
    A,
    lambda K, L: L.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 1.0, 0.0, 2.0]),
)
for merge in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    case(f"{merge}", (A, A), lambda K, L, merge=merge: getattr(L, merge)())
    case(f"{merge}, broadcasting", (B, (6, 1, 4)), lambda K, L, merge=merge: getattr(L, merge)())
    case(
        f"{merge}, other rank",
        ((6, 4), (6, 2, 3, 4)),
        lambda K, L, merge=merge: getattr(L, merge)(),
    )
    if merge != "Subtract":
        case(f"{merge}, three", (A, A, A), lambda K, L, merge=merge: getattr(L, merge)())
        case(f"{merge}, one", (A,), lambda K, L, merge=merge: getattr(L, merge)())
case("concatenate", (A, (5, 2)), lambda K, L: L.Concatenate())
case("concatenate, axis 1", (B, (6, 2, 4), B), lambda K, L: L.Concatenate(axis=1))
case("concatenate, axis -2", (B, (6, 2, 4)), lambda K, L: L.Concatenate(axis=-2))
case("dot", (A, A), lambda K, L: L.Dot(axes=1))
case("dot, last axes", (A, A), lambda K, L: L.Dot(axes=-1, normalize=True))
case("dot, rank 3", (B, (6, 5, 4)), lambda K, L: L.Dot(axes=2))
case("dot, pair of axes", (B, (6, 4, 5)), lambda K, L: L.Dot(axes=(2, 1), normalize=True))
case("dot, other rank", (B, (6, 4)), lambda K, L: L.Dot(axes=(2, 1)))
case("dot, higher rank", ((6, 2, 3, 4), (6, 4, 5)), lambda K, L: L.Dot(axes=(3, 1)))
IDS = np.array([[1, 2, 0], [4, 0, 0], [3, 3, 1], [0, 0, 0], [2, 1, 4]])
case("embedding", IDS, lambda K, L: L.Embedding(5, 4))
case(
    "embedding, penalties",
    IDS,
    lambda K, L: L.Embedding(
        5, 4, embeddings_regularizer="l2", activity_regularizer="l1", mask_zero=True
    ),
)
case("embedding, floats", IDS + 0.9, lambda K, L: L.Embedding(7, 4))
case("embedding, bytes", IDS.astype("uint8"), lambda K, L: L.Embedding(5, 2))
case("embedding, of one axis", IDS[:, 0], lambda K, L: L.Embedding(5, 4))
case(
    "embedding, mixed precision",
    IDS,
    lambda K, L: L.Embedding(5, 4, dtype="mixed_bfloat16"),
    tolerance=2e-2,
)
case("embedding, outside the table", IDS - 2, lambda K, L: L.Embedding(3, 2))
case("reversible embedding", IDS, lambda K, L: L.ReversibleEmbedding(5, 4, mask_zero=True))
case(
    "reversible embedding, back",
    B,
    lambda K, L: L.ReversibleEmbedding(5, 4, logit_soft_cap=2.0),
    reverse=True,
)
case(
    "reversible embedding, back with a matrix of its own",
    B,
    lambda K, L: L.ReversibleEmbedding(5, 4, tie_weights=False, reverse_dtype="float32"),
    reverse=True,
)
for equation, shape, size, bias in (
    ("ab,bc->ac", A, 3, "c"),
    ("ab,bc->ac", A, (3,), None),
    ("abc,cd->abd", B, (None, 5), "d"),
    ("abc,cde->abde", B, (3, 2, 5), "de"),
    ("abc,cde->abde", B, (None, 2, 5), "e"),
    ("abc,cde->abde", B, (3, 2, 5), "d"),
    ("abcd,cde->abe", (2, 3, 4, 5), (3, 6), "e"),
    ("...b,bc->...c", B, 5, "c"),
    ("...b,bc->...c", A, 5, "c"),
    ("...bc,bcd->...d", (2, 6, 3, 4), 5, "d"),
    ("ab...,bc->ac...", B, 5, None),
    ("ab...,bc->ac...", (2, 3, 4, 2), 5, "c"),
    ("abc,bcd->abd", B, (3, 5), "bd"),
):
    case(
        f"einsum dense, {equation}, {shape}, {size}, {bias}",
        shape,
        lambda K, L, equation=equation, size=size, bias=bias: L.EinsumDense(
            equation,
            size,
            bias_axes=bias,
            activation="tanh",
            kernel_regularizer="l2",
            bias_regularizer="l1",
        ),
    )
case(
    "einsum dense, mixed precision",
    B,
    lambda K, L: L.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", dtype="mixed_bfloat16"),
    tolerance=2e-2,
)
STEPS = np.where(np.random.default_rng(4).random((6, 3, 1)) > 0.4, 1.5, 0.0) * np.ones((6, 3, 4))
case("masking", STEPS.astype("float32"), lambda K, L: L.Masking())
case("masking, a value", STEPS.astype("float32"), lambda K, L: L.Masking(mask_value=1.5))
ROWS = np.arange(18).reshape(6, 3) % 4 > 0
case(
    "batch normalization, renorm of a variance",
    A,
    lambda K, L: L.BatchNormalization(
        renorm=True, moving_variance_initializer=K.initializers.Constant(0.3), epsilon=0.1
    ),
)
for pooling in ("GlobalAveragePooling1D", "GlobalMaxPooling1D"):
    case(pooling, B, lambda K, L, pooling=pooling: getattr(L, pooling)())
    case(
        f"{pooling}, channels first",
        B,
        lambda K, L, pooling=pooling: getattr(L, pooling)(data_format="channels_first"),
    )
    for data_format in ("channels_last", "channels_first"):
        case(
            f"{pooling}, axis kept, {data_format}",
            B,
            lambda K, L, pooling=pooling, data_format=data_format: getattr(L, pooling)(
                data_format=data_format, keepdims=True
            ),
        )
case("average, masked", B, lambda K, L: L.GlobalAveragePooling1D(), mask=ROWS)
case(
    "average, masked, channels first",
    (6, 4, 3),
    lambda K, L: L.GlobalAveragePooling1D(data_format="channels_first", keepdims=True),
    mask=ROWS,
)
case("spatial dropout", B, lambda K, L: L.SpatialDropout1D(0.4, seed=3))
for groups, axis in ((2, -1), (4, -1), (-1, -1), (3, 1), (1, 2), (2, -1)):
    case(
        f"group normalization, {groups}, axis {axis}",
        B,
        lambda K, L, groups=groups, axis=axis: L.GroupNormalization(groups, axis=axis),
    )
case("group normalization, rank 2", A, lambda K, L: L.GroupNormalization(2, epsilon=0.1))
case(
    "group normalization, plain", B, lambda K, L: L.GroupNormalization(2, center=False, scale=False)
)
case(
    "group normalization, penalties, rank 4",
    (2, 3, 2, 4),
    lambda K, L: L.GroupNormalization(2, axis=-2, gamma_regularizer="l2", beta_regularizer="l1"),
)
case(
    "group normalization, mixed",
    A,
    lambda K, L: L.GroupNormalization(2, dtype="mixed_bfloat16"),
    tolerance=2e-2,
)
case("rms normalization", B, lambda K, L: L.RMSNormalization())
case("rms normalization, axes", B, lambda K, L: L.RMSNormalization(axis=[2, 1], epsilon=0.1))
case(
    "rms normalization, mixed",
    A,
    lambda K, L: L.RMSNormalization(dtype="mixed_bfloat16"),
    tolerance=2e-2,
)
case("layer normalization, rms", B, lambda K, L: L.LayerNormalization(rms_scaling=True))
case(
    "layer normalization, rms, axes",
    B,
    lambda K, L: L.LayerNormalization(axis=[1, 2], rms_scaling=True, center=False, scale=False),
)
case("spectral normalization", A, lambda K, L: L.SpectralNormalization(L.Dense(3)))
case(
    "spectral normalization, more steps",
    B,
    lambda K, L: L.SpectralNormalization(
        L.EinsumDense("abc,cde->abde", (3, 2, 5)), power_iterations=3
    ),
)
case("spectral normalization, table", IDS, lambda K, L: L.SpectralNormalization(L.Embedding(5, 4)))
case("steps", B, lambda K, L: L.TimeDistributed(L.Dense(2, kernel_regularizer="l2")))
case("steps, masked", B, lambda K, L: L.TimeDistributed(L.Dense(2)), mask=ROWS)
case("steps, with state", B, lambda K, L: L.TimeDistributed(L.BatchNormalization()))
case("steps, at random", B, lambda K, L: L.TimeDistributed(L.Dropout(0.5, seed=3)))
case("steps, rank 4", (2, 3, 4, 5), lambda K, L: L.TimeDistributed(L.Flatten()))
case(
    "mixed precision",
    A,
    lambda K, L: L.Dense(3, activation="relu", dtype="mixed_bfloat16"),
    tolerance=2e-2,
)
case("float16", A, lambda K, L: L.Dense(3, dtype="float16"), tolerance=5e-3)
case(
    "batch normalization, mixed",
    A,
    lambda K, L: L.BatchNormalization(dtype="mixed_bfloat16"),
    tolerance=2e-2,
)
case(
    "batch normalization, bfloat16",
    A,
    lambda K, L: L.BatchNormalization(dtype="bfloat16"),
    tolerance=8e-2,
)
case(
    "layer normalization, float16",
    A,
    lambda K, L: L.LayerNormalization(dtype="float16"),
    tolerance=5e-3,
)


def _structure(shape, make):
    if isinstance(shape, np.ndarray):
        return make(shape.shape)
    return [make(inner) for inner in shape] if isinstance(shape[0], tuple) else make(shape)


def _called(layer, state, x, call):
    return layer.stateless_call(*state, x, return_losses=True, **call)


def _called_by_keras(layer, state, x, call):
    """Call in a stateless scope; Keras's stateless_call omits casts and activity regularizers."""
    variables = layer.trainable_variables + layer.non_trainable_variables
    given = list(zip(variables, state[0] + state[1], strict=True))
    with keras.StatelessScope(state_mapping=given, collect_losses=True) as scope:
        outputs, losses = layer(x, **call), layer.losses
    return outputs, [scope.get_current_value(v) for v in layer.non_trainable_variables], losses


def _computed(function, layer, x, state, call):
    """Outputs, losses, new state and gradients; `state` is (trainable, non-trainable) values."""

    def objective(weights, x):
        outputs, new, losses = function(layer, (weights, state[1]), x, call)
        return _scalar(outputs, losses), (outputs, losses, new)

    is_float = all(np.dtype(leaf.dtype).kind == "f" for leaf in jax.tree.leaves(x))
    gradient = jax.grad(objective, argnums=(0, 1) if is_float else 0, has_aux=True)
    grads, (outputs, losses, new) = gradient(state[0], x)
    return {"outputs": outputs, "losses": sum(losses), "state": new, "grads": grads}


def _state(layer):
    return [
        [v.value for v in layer.trainable_variables],
        [v.value for v in layer.non_trainable_variables],
    ]


def _scalar(outputs, losses):
    """A number whose gradient is different for every output."""
    weights = np.linspace(0.5, 1.5, outputs.size, dtype="float32").reshape(outputs.shape)
    return (outputs.astype("float32") * weights).sum() + sum(losses)


@pytest.fixture(scope="module")
def results():
    """The results of both libraries for all cases, in training and inference, in one program."""
    prepared = {}
    rng = np.random.default_rng(0)
    for name, (shape, make, _, call) in CASES.items():
        # With the offset, means and variances differ from those of a new normalization layer.
        x = shape
        if not isinstance(shape, np.ndarray):
            x = _structure(shape, lambda sizes: rng.normal(0.3, 1.5, sizes).astype("float32"))
        theirs, ours = make(keras, keras.layers), make(gazelle, gazelle.layers)
        theirs.build(_structure(shape, tuple))
        ours.build(_structure(shape, tuple))
        # No weight is 0 or 1, the initial values.
        weights = [rng.uniform(0.1, 0.9, v.shape).astype("float32") for v in theirs.weights]
        theirs.set_weights(weights)
        ours.set_weights(weights)
        prepared[name] = (x, ours, theirs, call)

    def compute(data):
        results = {}
        for name, (x, (ours_state, theirs_state)) in data.items():
            _, ours, theirs, call = prepared[name]
            for training in (False, True):
                keywords = {**call, "training": training} if theirs._call_has_training_arg else call
                results[name, training] = (
                    _computed(_called, ours, x, ours_state, keywords),
                    _computed(_called_by_keras, theirs, x, theirs_state, keywords),
                )
        return results

    data = {
        name: (x, (_state(ours), _state(theirs))) for name, (x, ours, theirs, _) in prepared.items()
    }
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    compiled = jax.jit(compute).lower(data).compile(options)
    values = jax.tree.map(np.asarray, compiled(data))
    return values, {name: parts[1:3] for name, parts in prepared.items()}


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", CASES)
def test_a_layer_computes_what_keras_computes(results, name, training):
    tolerance = CASES[name][2]
    ours, theirs = results[0][name, training]
    assert ours["outputs"].dtype == theirs["outputs"].dtype
    for part in ("outputs", "losses", "state", "grads"):
        left, right = jax.tree.leaves(ours[part]), jax.tree.leaves(theirs[part])
        assert len(left) == len(right), part
        for a, b in zip(left, right, strict=True):
            assert a.shape == b.shape, part
            a, b = a.astype("float64"), b.astype("float64")
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=part)


@pytest.mark.parametrize("name", CASES)
def test_weights_have_the_names_shapes_types_and_order_of_keras(results, name):
    ours, theirs = results[1][name]

    def described(variables):
        return [
            (v.name, tuple(v.shape), str(np.dtype(v.dtype) if v.dtype != "bfloat16" else v.dtype))
            for v in variables
        ]

    assert described(ours.weights) == described(theirs.weights)
    assert described(ours.trainable_weights) == described(theirs.trainable_weights)
    assert described(ours.non_trainable_weights) == described(theirs.non_trainable_weights)
    assert len(ours.non_trainable_variables) == len(theirs.non_trainable_variables)


@pytest.mark.parametrize("name", CASES)
def test_the_symbolic_output_is_that_of_keras(name):
    shape, make, _, call = CASES[name]
    dtype = shape.dtype if isinstance(shape, np.ndarray) else None
    settings = {key: value for key, value in call.items() if key == "reverse"}

    def symbolic(library):
        x = _structure(
            shape, lambda sizes: library.Input(batch_shape=(None, *sizes[1:]), dtype=dtype)
        )
        output = make(library, library.layers)(x, **settings)
        return tuple(output.shape), output.dtype

    assert symbolic(gazelle) == symbolic(keras)
