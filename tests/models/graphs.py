"""Networks of many shapes, written once for Keras and Gazelle; `K` is the library."""


def chain(K):
    L = K.layers
    layers = [L.Dense(5, activation="relu"), L.BatchNormalization(), L.Dropout(0.3), L.Dense(2)]
    return K.Sequential([K.Input((4,)), *layers])


def chain_in_chain(K):
    L = K.layers
    inner = K.Sequential([L.Dense(3), L.LayerNormalization()], name="inner")
    return K.Sequential(
        [K.Input((4,)), inner, L.Dense(2, use_bias=False), K.Sequential([L.Dense(2)])]
    )


def diamond(K):
    L = K.layers
    x = K.Input((4,), name="x")
    a, b = L.Dense(3, name="left")(x), L.Dense(3, name="right")(x)
    return K.Model(x, L.Dense(1, name="end")(L.Add(name="sum")([b, a])))


def skip(K):
    """Connections over one, two and three layers."""
    L = K.layers
    x = K.Input((4,))
    h1 = L.Dense(4, activation="relu")(x)
    h2 = L.Dense(4, activation="tanh")(L.Add()([x, h1]))
    h3 = L.Dense(4)(L.Concatenate()([h2, x, h1]))
    return K.Model(x, L.Dense(1)(L.Add()([h1, h3])))


def uneven(K):
    """Branches of different depths: a short one made first and a long one made last."""
    L = K.layers
    x = K.Input((4,))
    short = L.Dense(2)(x)
    long = L.Dense(6)(L.Dense(5)(L.Dense(3)(x)))
    return K.Model(x, L.Concatenate()([short, long]))


def several_inputs(K):
    L = K.layers
    a, b, c = K.Input((2,), name="a"), K.Input((3,), name="b"), K.Input((4,), name="c")
    h = L.Concatenate()([L.Dense(2)(c), L.Dense(3)(a)])
    return K.Model([a, b, c], L.Dense(1)(L.Concatenate()([b, h])))


def dict_ports(K):
    L = K.layers
    ports = {"z": K.Input((3,), name="z"), "a": K.Input((2,), name="a")}
    h = L.Concatenate()([ports["z"], ports["a"]])
    return K.Model(ports, {"two": L.Dense(2, name="first")(h), "one": L.Dense(1, name="second")(h)})


def several_outputs(K):
    L = K.layers
    x = K.Input((4,))
    h = L.Dense(3, activation="relu", name="h")(x)
    return K.Model(x, [L.Dense(2, name="q")(h), L.Dense(1, name="p")(x), h])


def shared_layer(K):
    L = K.layers
    a, b = K.Input((4,)), K.Input((4,))
    tower, head = L.Dense(3, name="tower"), L.Dense(3, name="head")
    return K.Model([a, b], L.Dot(axes=1)([head(tower(a)), tower(b)]))


def called_in_a_row(K):
    L = K.layers
    x = K.Input((4,))
    again, other = L.Dense(4, activation="tanh"), L.Dense(4)
    return K.Model(x, again(other(again(again(x)))))


def model_in_model(K):
    L = K.layers
    p = K.Input((3,))
    block = K.Model(p, L.Add()([p, L.Dense(3, activation="tanh")(p)]), name="block")
    x = K.Input((4,))
    front = K.Sequential([K.Input((4,)), L.Dense(3), L.BatchNormalization()], name="front")
    return K.Model(x, L.Dense(1)(block(block(front(x)))), name="outer")


def many_ports_in_a_model(K):
    """A model with two inputs and two outputs inside another model."""
    L = K.layers
    a, b = K.Input((2,)), K.Input((3,))
    inner = K.Model([a, b], [L.Dense(4)(a), L.Dense(4)(L.Concatenate()([a, b]))], name="inner")
    x = K.Input((3,))
    first, second = inner([L.Dense(2)(x), x])
    return K.Model(x, L.Subtract()([second, first]))


def operators(K):
    L = K.layers
    x, y = K.Input((4,)), K.Input((4,))
    h = (L.Dense(4)(x) + y) * 2.0 - x / 3.0
    return K.Model([x, y], L.Dense(2)(abs(-h[:, 1:3]) ** 2 + 1.0 - 0.5 * h[:, :2]))


def inner_start(K):
    """A model that starts at a tensor in the middle of another."""
    L = K.layers
    x = K.Input((4,))
    h = L.Dense(3)(x)
    g = L.Dense(3, activation="relu")(h)
    return K.Model(h, L.Dense(2)(L.Add()([g, h])))


def inner_end(K):
    whole = skip(K)
    return K.Model(whole.inputs, whole.layers[-3].output)


def unused_input(K):
    a, b = K.Input((2,), name="a"), K.Input((3,), name="b")
    return K.Model([a, b], K.layers.Dense(2)(a))


def one_in_lists(K):
    x = K.Input((4,))
    return K.Model([x], [K.layers.Dense(2)(x)])


def through(K):
    """An input that is also an output."""
    x = K.Input((4,))
    return K.Model(x, [x, K.layers.Dense(2)(x)])


def ladder(K):
    """Two lanes that cross at each of three steps."""
    L = K.layers
    x = K.Input((4,))
    a, b = L.Dense(3, name="a0")(x), L.Dense(3, name="b0")(x)
    for i in (1, 2, 3):
        left = L.Dense(3, name=f"a{i}")(L.Add(name=f"p{i}")([a, b]))
        right = L.Dense(3, name=f"b{i}")(L.Multiply(name=f"q{i}")([b, a]))
        a, b = left, right
    return K.Model(x, [b, a])


def preprocessing(K):
    L = K.layers
    x = K.Input((2, 2, 3), dtype="uint8")
    h = L.Flatten()(L.Rescaling(1 / 127.5, offset=-1)(x))
    return K.Model(x, L.Reshape((2, 3))(L.Dense(6, activation="softmax")(h)))


def ends_in_a_model(K):
    """A model within, called twice; both results go out, and one goes on."""
    L = K.layers
    a, x = K.Input((4,)), K.Input((4,))
    inner = K.Model(a, L.Dense(4, activation="tanh", name="i")(a), name="inner")
    first = inner(x)
    second = inner(first)
    return K.Model(x, [second, L.Add()([first, inner(second)]), first])


GRAPHS = [
    ends_in_a_model,
    chain,
    chain_in_chain,
    diamond,
    skip,
    uneven,
    several_inputs,
    dict_ports,
    several_outputs,
    shared_layer,
    called_in_a_row,
    model_in_model,
    many_ports_in_a_model,
    operators,
    inner_start,
    inner_end,
    unused_input,
    one_in_lists,
    through,
    ladder,
    preprocessing,
]
