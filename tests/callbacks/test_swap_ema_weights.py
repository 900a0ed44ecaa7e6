import numpy as np
import pytest

from gazelle._core.variable import Variable
from gazelle.callbacks import SwapEMAWeights
from gazelle.optimizers import SGD


class Model:
    def __init__(self, use_ema=True):
        self.trainable_variables = [Variable(np.array([1.0, 2.0])), Variable(np.array(3.0))]
        self.optimizer = SGD(use_ema=use_ema)
        self.optimizer.build(self.trainable_variables)
        if use_ema:
            for average, value in zip(
                self.optimizer._model_variables_moving_average, AVERAGES, strict=True
            ):
                average.assign(value)

    def values(self):
        return [v.numpy().tolist() for v in self.trainable_variables]

    def averages(self):
        return [v.numpy().tolist() for v in self.optimizer._model_variables_moving_average]


OWN, AVERAGES = [[1.0, 2.0], 3.0], [[10.0, 20.0], 30.0]


def _callback(swap_on_epoch=False):
    callback, model = SwapEMAWeights(swap_on_epoch), Model()
    callback.set_model(model)
    return callback, model


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_the_averages_are_swapped_in_during_evaluation_and_prediction(stage):
    callback, model = _callback()
    getattr(callback, f"on_{stage}_begin")()
    assert model.values() == AVERAGES
    getattr(callback, f"on_{stage}_end")()
    assert (model.values(), model.averages()) == (OWN, AVERAGES)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_training_uses_the_trained_weights_and_ends_with_the_averages(swap_on_epoch):
    callback, model = _callback(swap_on_epoch)
    callback.on_train_begin()
    for epoch in range(2):
        callback.on_epoch_begin(epoch)
        assert model.values() == OWN
        callback.on_test_begin()
        callback.on_test_end()
        callback.on_epoch_end(epoch)
        assert model.values() == (AVERAGES if swap_on_epoch else OWN)
    callback.on_train_end()
    assert (model.values(), model.averages()) == (AVERAGES, AVERAGES)


def test_an_optimizer_without_averages_is_refused():
    callback = SwapEMAWeights()
    callback.set_model(Model(use_ema=False))
    with pytest.raises(ValueError, match="`use_ema=True`"):
        callback.on_train_begin()


def test_before_the_optimizer_is_built_there_is_nothing_to_swap():
    callback, model = _callback()
    model.optimizer = SGD(use_ema=True)
    callback.on_test_begin()
    callback.on_test_end()
    assert model.values() == OWN


def test_the_weights_share_no_array_with_the_averages():
    callback, model = _callback()
    callback.on_train_end()
    weight, average = (
        model.trainable_variables[0],
        model.optimizer._model_variables_moving_average[0],
    )
    assert weight.lend() is not average.lend()
