"""Networks for the parity tests, in the API shared by Keras and Gazelle (`K` is the library)."""

import numpy as np


def linear(units=1):
    def build(K):
        return K.Sequential([K.Input((6,)), K.layers.Dense(units)])

    return build


def deep(units=1, activation=None, hidden="relu"):
    def build(K):
        L = K.layers
        widths = [L.Dense(n, activation=hidden) for n in (10, 8, 6)]
        return K.Sequential([K.Input((6,)), *widths, L.Dense(units, activation=activation)])

    return build


def small(units=1, activation=None):
    def build(K):
        L = K.layers
        return K.Sequential(
            [K.Input((6,)), L.Dense(8, activation="tanh"), L.Dense(units, activation=activation)]
        )

    return build


def built_late(K):
    model = K.Sequential([K.layers.Dense(7, activation="elu"), K.layers.Dense(1)])
    model.build((None, 6))
    return model


def activation_layers(K):
    L = K.layers
    return K.Sequential(
        [
            K.Input((6,)),
            L.Dense(8),
            L.LeakyReLU(negative_slope=0.2),
            L.Dense(8),
            L.PReLU(),
            L.Dense(8),
            L.ELU(),
            L.Dense(8, activation="gelu"),
            L.Dense(4),
            L.Softmax(),
        ]
    )


def skip(units=1, activation=None):
    def build(K):
        L = K.layers
        x = K.Input((6,))
        h = L.Dense(8, activation="relu")(x)
        g = L.Dense(8, activation="tanh")(h)
        h = L.Add()([h, g])
        h = L.Concatenate()([h, x])
        return K.Model(x, L.Dense(units, activation=activation)(h))

    return build


def arithmetic(K):
    """Branches that are joined by operators and merging layers."""
    L = K.layers
    x = K.Input((6,))
    a, b = L.Dense(5, activation="tanh")(x), L.Dense(5, activation="sigmoid")(x)
    h = L.Average()([L.Multiply()([a, b]), L.Maximum()([a, b]), L.Subtract()([a, b])])
    return K.Model(x, L.Dense(1)(h * 2.0 + a))


def two_inputs(K):
    L = K.layers
    a, b = K.Input((6,), name="first"), K.Input((3,), name="second")
    h = L.Concatenate()([L.Dense(6, activation="relu")(a), L.Dense(4, activation="relu")(b)])
    return K.Model([a, b], L.Dense(1)(h))


def dict_inputs(K):
    L = K.layers
    ports = {"second": K.Input((3,), name="second"), "first": K.Input((6,), name="first")}
    h = L.Concatenate()([ports["first"], L.Dense(4, activation="relu")(ports["second"])])
    return K.Model(ports, L.Dense(1)(h))


def two_outputs(K):
    L = K.layers
    x = K.Input((6,))
    h = L.Dense(8, activation="relu")(x)
    return K.Model(
        x, [L.Dense(1, name="size")(h), L.Dense(4, activation="softmax", name="kind")(h)]
    )


def dict_outputs(K):
    L = K.layers
    x = K.Input((6,))
    h = L.Dense(8, activation="relu")(x)
    kind, size = L.Dense(4, activation="softmax", name="k")(h), L.Dense(1, name="s")(h)
    return K.Model(x, {"size": size, "kind": kind})


def shared(K):
    """The difference between the outputs of one layer for two inputs."""
    L = K.layers
    a, b = K.Input((6,)), K.Input((6,))
    tower = L.Dense(5, activation="tanh")
    inner = L.Dense(5, activation="tanh")
    return K.Model([a, b], L.Dense(1)(L.Subtract()([inner(tower(a)), inner(tower(b))])))


def batch_normalized(units=1, activation=None, **settings):
    def build(K):
        L = K.layers
        return K.Sequential(
            [
                K.Input((6,)),
                L.Dense(8, use_bias=False),
                L.BatchNormalization(**settings),
                L.Activation("relu"),
                L.Dense(
                    6, use_bias=False
                ),  # the gradient of a bias here would be only rounding errors
                L.BatchNormalization(momentum=0.8),
                L.Dense(units, activation=activation),
            ]
        )

    return build


def frozen_normalization(K):
    model = batch_normalized()(K)
    model.layers[1].trainable = False
    return model


def layer_normalized(units=1, activation=None):
    def build(K):
        L = K.layers
        return K.Sequential(
            [
                K.Input((6,)),
                L.Dense(8, activation="relu"),
                L.LayerNormalization(),
                L.Dense(6, activation="relu"),
                L.LayerNormalization(center=False, epsilon=1e-5),
                L.Dense(units, activation=activation),
            ]
        )

    return build


def dropout_rate_0(K):
    L = K.layers
    layers = [
        L.Dense(8, activation="relu"),
        L.Dropout(0.0),
        L.Dense(6, activation="relu"),
        L.Dropout(0.0),
    ]
    return K.Sequential([K.Input((6,)), *layers, L.Dense(1)])


def regularised(kernel=None, bias=None, activity=None):
    def build(K):
        L, R = K.layers, K.regularizers
        penalties = {
            "kernel_regularizer": (
                R.L2(0.02) if kernel == "l2" else R.L1(0.01) if kernel == "l1" else kernel
            ),
            "bias_regularizer": R.L1L2(0.01, 0.02) if bias else None,
            "activity_regularizer": R.L2(0.03) if activity else None,
        }
        return K.Sequential(
            [K.Input((6,)), L.Dense(8, activation="relu", **penalties), L.Dense(1, **penalties)]
        )

    return build


def constrained(kernel, bias=None):
    def build(K):
        L, C = K.layers, K.constraints
        limits = {
            "max": C.MaxNorm(0.8),
            "unit": C.UnitNorm(),
            "nonneg": C.NonNeg(),
            "minmax": C.MinMaxNorm(0.3, 0.9),
        }
        settings = {
            "kernel_constraint": limits[kernel],
            "bias_constraint": limits[bias] if bias else None,
        }
        return K.Sequential(
            [K.Input((6,)), L.Dense(8, activation="relu", **settings), L.Dense(1, **settings)]
        )

    return build


def nested(K):
    """Models inside a model: a sequential one, and a functional one that is called twice."""
    L = K.layers
    front = K.Sequential(
        [K.Input((6,)), L.Dense(8, activation="relu"), L.BatchNormalization()], name="front"
    )
    p = K.Input((8,))
    block = K.Model(p, L.Add()([p, L.Dense(8, activation="tanh")(p)]), name="block")
    x = K.Input((6,))
    return K.Model(x, L.Dense(1)(block(block(front(x)))))


def nested_chain(K):
    L = K.layers
    return K.Sequential(
        [
            K.Input((6,)),
            K.Sequential([L.Dense(8, activation="relu"), L.Dense(5, activation="relu")]),
            L.Dense(1),
        ]
    )


def partly_frozen(K):
    model = deep()(K)
    model.layers[1].trainable = False
    return model


def subclassed(K):
    class Blocks(K.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [
                [K.layers.Dense(8, activation="relu"), K.layers.LayerNormalization()]
                for _ in range(2)
            ]
            self.head = K.layers.Dense(1)

        def call(self, inputs):
            for dense, norm in self.blocks:
                inputs = norm(dense(inputs))
            return self.head(inputs)

    model = Blocks()
    model(np.zeros((1, 6)))
    return model


def subclassed_two_outputs(K):
    class Heads(K.Model):
        def __init__(self):
            super().__init__()
            self.body = K.layers.Dense(8, activation="relu")
            self.norm = K.layers.BatchNormalization()
            self.size = K.layers.Dense(1)
            self.kind = K.layers.Dense(4, activation="softmax")

        def call(self, inputs, training=None):
            h = self.norm(self.body(inputs), training=training)
            return {"size": self.size(h), "kind": self.kind(h)}

    model = Heads()
    model(np.zeros((1, 6)))
    return model


def custom_layer(K):
    class Scale(K.layers.Layer):
        """Trained factors, and a penalty on their sum."""

        def build(self, input_shape):
            self.factor = self.add_weight(
                shape=(input_shape[-1],), initializer="ones", name="factor"
            )
            self.count = self.add_weight(
                shape=(), initializer="zeros", trainable=False, name="count"
            )

        def call(self, inputs, training=None):
            if training:
                self.count.assign(self.count + 1.0)
            self.add_loss(0.01 * (self.factor.value**2).sum())
            return inputs * self.factor

    return K.Sequential(
        [K.Input((6,)), Scale(), K.layers.Dense(6, activation="relu"), Scale(), K.layers.Dense(1)]
    )


def pixels(K):
    L = K.layers
    head = [L.Flatten(), L.Dense(8, activation="relu"), L.Dense(4, activation="softmax")]
    return K.Sequential([K.Input((4, 4, 2)), L.Rescaling(1 / 127.5, offset=-1.0), *head])


def sequences(K):
    """Dense on the last of several axes, then Flatten."""
    L = K.layers
    return K.Sequential(
        [K.Input((3, 2)), L.Dense(5, activation="relu"), L.Reshape((15,)), L.Dense(1)]
    )


def per_step(K):
    return K.Sequential(
        [
            K.Input((3, 2)),
            K.layers.Dense(5, activation="relu"),
            K.layers.Dense(4, activation="softmax"),
        ]
    )
