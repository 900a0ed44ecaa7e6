"""Models, and what holds them, survive pickle, deepcopy and joblib, and train on as before."""

import copy
import io
import multiprocessing
import pickle

import joblib
import numpy as np
import pytest
from models import graphs

import gazelle
from gazelle import callbacks, layers, optimizers

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 4)).astype("float32")
Y = RANDOM.normal(size=(40, 1)).astype("float32")


def by_joblib(value):
    file = io.BytesIO()
    joblib.dump(value, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "deepcopy": copy.deepcopy,
    "joblib": by_joblib,
}


class Own(gazelle.Model):
    def __init__(self, units):
        super().__init__()
        self.hidden = layers.Dense(units, activation="relu")
        self.out = layers.Dense(1)

    def call(self, x):
        return self.out(self.hidden(x))


def sequential():
    return gazelle.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            layers.Dense(1),
        ]
    )


def functional():
    x = layers.Input((4,))
    shared = layers.Dense(4, activation="tanh")
    return gazelle.Model(x, layers.Dense(1)(layers.Add()([shared(x), shared(shared(x))])))


MODELS = {"sequential": sequential, "functional": functional, "subclassed": lambda: Own(3)}


def trained(kind, optimizer="adam"):
    gazelle.utils.set_random_seed(0)
    model = MODELS[kind]()
    model.compile(optimizer, "mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, verbose=0)
    return model


def goes_on(model):
    """What comes out if a model trains on."""
    gazelle.utils.set_random_seed(1)
    history = model.fit(X, Y, epochs=2, verbose=0)
    values = [*model.variables, *model.optimizer.variables]
    return history.history, [variable.numpy().tolist() for variable in values]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", MODELS)
def test_a_copy_predicts_and_trains_on_like_the_model(way, kind):
    model = trained(kind)
    again = WAYS[way](model)
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.history.history == model.history.history
    assert goes_on(again) == goes_on(model)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 20), momentum=0.9),
        optimizers.AdamW(0.01, use_ema=True),
        optimizers.Lion(0.01, gradient_accumulation_steps=2),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_with_every_kind_of_optimizer(way, optimizer):
    model = trained("sequential", copy.deepcopy(optimizer))
    assert goes_on(WAYS[way](model)) == goes_on(model)


@pytest.mark.parametrize("graph", graphs.GRAPHS)
def test_every_graph(graph):
    model = graph(gazelle)
    again = pickle.loads(pickle.dumps(model))
    assert again.to_json() == model.to_json()
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_copy_shares_nothing_with_the_model():
    model = trained("sequential")
    before = model.get_weights()
    copy.deepcopy(model).fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_what_holds_a_model():
    model = trained("functional")
    holder = {"model": model, "layers": [model.layers[1]], "callback": callbacks.EarlyStopping()}
    holder["callback"].set_model(model)
    again = pickle.loads(pickle.dumps(holder))
    assert again["layers"][0] is again["model"].layers[1]
    assert again["callback"].model is again["model"]
    assert np.array_equal(again["model"].predict(X), model.predict(X))


def predictions(model):
    return model.predict(X)


@pytest.mark.slow
def test_another_process():
    model = trained("sequential")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(predictions, [model]), model.predict(X))


def test_a_model_that_is_not_built_or_compiled():
    for model in (gazelle.Sequential([layers.Dense(2)]), functional()):
        again = pickle.loads(pickle.dumps(model))
        assert (again.built, again.compiled) == (model.built, model.compiled)
