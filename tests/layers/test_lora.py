"""LoRA: frozen weights with trained low-rank additions, and what files hold of them."""

import keras
import numpy as np
import pytest

import gazelle

# Keras's variables have an `__array__` from before NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NUMBERS = np.array([[0, 1, 2], [3, 4, 5], [1, 1, 0], [5, 2, 4]])
ROWS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
CASES = {
    "Dense": (lambda L, **kw: L.Dense(5, **kw), ROWS, "kernel"),
    "EinsumDense": (
        lambda L, **kw: L.EinsumDense("ab,bcd->acd", (4, 5), bias_axes="d", **kw),
        ROWS,
        "kernel",
    ),
    "Embedding": (lambda L, **kw: L.Embedding(6, 5, **kw), NUMBERS, "embeddings"),
    "ReversibleEmbedding": (
        lambda L, **kw: L.ReversibleEmbedding(6, 5, **kw),
        NUMBERS,
        "embeddings",
    ),
}
each_case = pytest.mark.parametrize("case", CASES)


def model_of(library, case, **options):
    make, data, _ = CASES[case]
    dtype = "int32" if data is NUMBERS else "float32"
    inputs = library.Input(data.shape[1:], dtype=dtype)
    return library.Model(inputs, make(library.layers, name="layer", **options)(inputs)), data


def with_values(model):
    """The model with other values in all its weights."""
    random = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(random.normal(size=variable.shape))
    return model


@each_case
@pytest.mark.parametrize("options", [{"lora_rank": 2}, {"lora_rank": 2, "lora_alpha": 3.0}])
def test_outputs_and_weights_are_keras_s(case, options):
    ours, data = model_of(gazelle, case, **options)
    theirs, _ = model_of(keras, case, **options)
    theirs.layers[1].lora_alpha = ours.layers[1].lora_alpha  # an Embedding of Keras forgets it
    assert [v.name for v in ours.weights] == [v.name for v in theirs.weights]
    assert [v.trainable for v in ours.weights] == [v.trainable for v in theirs.weights]
    assert [v.shape for v in ours.weights] == [v.shape for v in theirs.weights]
    with_values(ours)
    theirs.set_weights(ours.get_weights())
    expected = theirs.predict(data, verbose=0)
    assert ours.predict(data, verbose=0) == pytest.approx(expected, abs=1e-4)
    name = CASES[case][2]
    found = np.asarray(getattr(ours.layers[1], name))
    assert found == pytest.approx(np.asarray(getattr(theirs.layers[1], name)), abs=1e-5)


@each_case
def test_only_the_addition_is_trained(case):
    model, data = model_of(gazelle, case)
    before = model.predict(data, verbose=0)
    frozen = model.layers[1].get_weights()[0]
    model.layers[1].enable_lora(2)
    assert model.predict(data, verbose=0) == pytest.approx(before, abs=1e-6)
    model.compile("sgd", "mse")
    model.fit(data, np.ones_like(before), epochs=2, verbose=0)
    assert model.layers[1].get_weights()[0].tolist() == frozen.tolist()
    assert not np.allclose(model.predict(data, verbose=0), before)


def test_the_way_back_has_the_addition_too():
    layer = gazelle.layers.ReversibleEmbedding(6, 5, lora_rank=2)
    layer.build()
    layer.lora_embeddings_b.assign(np.ones((2, 5)))
    vectors = np.ones((1, 5), np.float32)
    assert layer(vectors, reverse=True)[0] == pytest.approx(
        np.asarray(layer.embeddings).sum(1), abs=1e-5
    )


def test_a_way_back_of_its_own_is_trained_as_before(tmp_path):
    layer = gazelle.layers.ReversibleEmbedding(6, 5, tie_weights=False, lora_rank=2, name="layer")
    words = gazelle.Input((3,), dtype="int32")
    model = gazelle.Model(words, layer(layer(words), reverse=True))
    names = ["lora_embeddings_a", "lora_embeddings_b", "reverse_embeddings"]
    assert [variable.name for variable in model.trainable_weights] == names
    with_values(model).save(tmp_path / "model.keras")
    loaded = gazelle.models.load_model(tmp_path / "model.keras")
    expected = model.predict(NUMBERS, verbose=0)
    assert loaded.predict(NUMBERS, verbose=0).tolist() == expected.tolist()


@each_case
@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".safetensors"])
def test_a_file_keeps_weight_and_addition_apart(tmp_path, case, ending):
    model, _ = model_of(gazelle, case, lora_rank=2)
    with_values(model)
    path = str(tmp_path / f"file{ending}")
    if ending == ".keras":
        model.save(path)
        loaded = gazelle.models.load_model(path)
    else:
        model.save_weights(path)
        loaded, _ = model_of(gazelle, case, lora_rank=2)
        loaded.load_weights(path)
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        assert found.tolist() == expected.tolist()


@each_case
@pytest.mark.parametrize(("writer", "reader"), [(gazelle, keras), (keras, gazelle)])
@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_files_of_both_libraries(tmp_path, case, writer, reader, ending):
    model, data = model_of(writer, case, lora_rank=2)
    with_values(model)
    expected = model.predict(data, verbose=0)
    path = str(tmp_path / f"file{ending}")
    if ending == ".keras":
        model.save(path)
        loaded = reader.models.load_model(path)
    else:
        model.save_weights(path)
        loaded, _ = model_of(reader, case, lora_rank=2)
        loaded.load_weights(path)
    assert loaded.layers[1].lora_enabled
    assert loaded.predict(data, verbose=0) == pytest.approx(expected, abs=1e-4)


@each_case
@pytest.mark.parametrize(
    ("writer", "reader"), [(gazelle, gazelle), (gazelle, keras), (keras, gazelle)]
)
@pytest.mark.parametrize("ranks", [(2, None), (None, 2), (2, 3)])
def test_models_with_and_without_it_read_each_other(tmp_path, case, writer, reader, ranks):
    model, data = model_of(writer, case, lora_rank=ranks[0])
    with_values(model)
    path = str(tmp_path / "file.weights.h5")
    model.save_weights(path)
    other, _ = model_of(reader, case, lora_rank=ranks[1])
    with_values(other)
    other.load_weights(path)
    expected = model.predict(data, verbose=0)
    assert other.predict(data, verbose=0) == pytest.approx(expected, abs=1e-4)


def test_an_addition_can_be_trained_after_a_file_of_keras(tmp_path):
    """Keras itself sets both factors to 0 there, so that neither ever has a gradient again."""
    theirs, data = model_of(keras, "Dense", lora_rank=2)
    theirs.save(tmp_path / "model.keras")
    model = gazelle.models.load_model(tmp_path / "model.keras")
    addition = model.layers[1].lora_kernel_b
    assert not np.asarray(addition).any()
    model.compile("sgd", "mse")
    model.fit(data, np.ones((4, 5)), verbose=0)
    assert np.asarray(addition).any()


def test_a_resumed_fit_has_the_same_results(tmp_path):
    def fitted(epochs, **options):
        gazelle.utils.set_random_seed(0)
        model, data = model_of(gazelle, "Dense", lora_rank=2)
        model.compile("adam", "mse")
        callbacks = [gazelle.callbacks.ModelCheckpoint(str(tmp_path / f"{epochs}.keras"))]
        targets = np.ones((4, 5))
        model.fit(data, targets, epochs=epochs, verbose=0, callbacks=callbacks, **options)
        return model.get_weights()

    fitted(2)
    resumed, expected = fitted(5, resume_from=str(tmp_path / "2.keras")), fitted(5)
    for found, wanted in zip(resumed, expected, strict=True):
        assert found.tolist() == wanted.tolist()


def test_runtime_predicts_with_it(tmp_path):
    for case in CASES:
        model, data = model_of(gazelle, case, lora_rank=2)
        with_values(model).save(tmp_path / "model.keras")
        found = gazelle.runtime.load(tmp_path / "model.keras")(data)
        assert found == pytest.approx(model.predict(data, verbose=0), abs=1e-4)


@pytest.mark.parametrize("case", ["Dense", "EinsumDense", "Embedding"])
def test_wrong_uses_are_refused(case):
    make, _, name = CASES[case]
    with pytest.raises(gazelle.errors.ArgumentError, match="lora_rank"):
        make(gazelle.layers, lora_rank=0)
    with pytest.raises(gazelle.errors.StateError, match="not built"):
        make(gazelle.layers).enable_lora(2)
    model, _ = model_of(gazelle, case, lora_rank=2)
    with pytest.raises(gazelle.errors.StateError, match="already"):
        model.layers[1].enable_lora(2)
    model, _ = model_of(gazelle, case, **{f"{name}_constraint": "non_neg"})
    with pytest.raises(gazelle.errors.ArgumentError, match="constraint"):
        model.layers[1].enable_lora(2)


def test_the_parts_have_the_path_of_the_weight():
    model, _ = model_of(gazelle, "Dense")
    model.layers[1].kernel.path = "model/layer/kernel"  # as within a model of one's own
    model.layers[1].enable_lora(2)
    paths = [variable.path for variable in model.trainable_weights]
    assert paths[1:] == ["model/layer/lora_kernel_a", "model/layer/lora_kernel_b"]


@each_case
def test_config(case):
    layer = CASES[case][0](gazelle.layers, lora_rank=2, lora_alpha=3.0)
    config = layer.get_config()
    assert (config["lora_rank"], config["lora_alpha"]) == (2, 3.0)
    assert type(layer).from_config(config).get_config() == config
