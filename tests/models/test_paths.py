"""Paths in weights files of handmade models; test_interop compares with files of Keras."""

from gazelle.models._paths import attribute_sublayers, keras_layers


class Dense:
    def __init__(self, *variables):
        self.variables = list(variables)


class BatchNormalization(Dense):
    pass


class Sequential(Dense):
    def __init__(self, *layers):
        super().__init__()
        self.layers = list(layers)


class Custom(Dense):
    layers = property(lambda self: [self.zeta, self.alpha])


def sublayers(layer):
    return getattr(layer, "layers", None)


def is_layer(value):
    return isinstance(value, Dense)


def test_layers_are_numbered_by_class_in_their_order():
    model = Sequential(
        Dense("k", "b"), BatchNormalization("g"), Dense("k2"), Sequential(Dense("k3")), Dense()
    )
    found = keras_layers(model, sublayers)
    assert {path: layer.variables for path, layer in found.items()} == {
        "": [],
        "layers/dense": ["k", "b"],
        "layers/batch_normalization": ["g"],
        "layers/dense_1": ["k2"],
        "layers/sequential": [],
        "layers/sequential/layers/dense": ["k3"],
        "layers/dense_2": [],
    }


def test_a_repeated_layer_keeps_its_first_path_and_is_counted_again():
    shared, last = Dense(), Dense()
    model = Sequential(Sequential(shared), shared, last)
    found = keras_layers(model, sublayers)
    assert found["layers/sequential/layers/dense"] is shared
    assert found["layers/dense_1"] is last
    assert list(found.values()).count(shared) == 1


def test_a_layer_that_contains_itself_is_visited_once():
    model = Sequential()
    model.layers.append(model)
    assert list(keras_layers(model, sublayers)) == [""]


def test_public_attributes_come_first_then_private_ones_and_skipped_ones_never():
    layer = Custom()
    layer._hidden, layer.zeta, layer.alpha, layer._tracked = Dense(), Dense(), Dense(), [Dense()]
    layer.groups = {"a": [Dense()], "b": 3}
    layer.numbers = [1, 2]
    found = attribute_sublayers(layer, is_layer, skip={"_tracked"})
    assert list(found) == ["alpha", "groups", "layers", "zeta", "_hidden"]


def test_attributes_with_lists_and_dicts_become_containers():
    layer = Custom()
    layer.zeta, layer.alpha = Dense(), Dense()
    layer.many = [Dense(), [Dense(), Dense()], (Dense(),), {"x": BatchNormalization()}]
    found = keras_layers(
        layer, lambda part: attribute_sublayers(part, is_layer) if part is layer else None
    )
    assert list(found) == [
        "",
        "alpha",
        "layers/dense",  # zeta, which comes after "layers" in the alphabet
        "many/dense",
        "many/container/dense",
        "many/container/dense_1",
        "many/container_1/dense",
        "many/container_2/batch_normalization",
    ]
