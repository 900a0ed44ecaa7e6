"""Programs read batches in the data's own order, or in that of an epoch (on accelerators)."""

import jax
import numpy as np

import gazelle
from gazelle._data.windows import Piece
from gazelle._engine.pure_steps import _batch

X = np.arange(20, dtype="float32").reshape(10, 2)
ORDER = np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7], "int32")


def test_a_batch_is_a_slice_of_the_data_or_of_its_order():
    data = (jax.numpy.asarray(X), None)
    np.testing.assert_array_equal(_batch(data, None, 2, 3)[0], X[2:5])
    np.testing.assert_array_equal(_batch(data, jax.numpy.asarray(ORDER), 2, 3)[0], X[ORDER[2:5]])
    assert _batch(data, None, 2, 3)[1] is None


def test_an_epoch_in_an_order_trains_like_one_on_sorted_data():
    def trained(x, order):
        gazelle.utils.set_random_seed(0)
        model = gazelle.Sequential([gazelle.Input((2,)), gazelle.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.evaluate(X, X[:, :1], verbose=0)  # makes the engine
        model.optimizer.build(model.trainable_variables)
        engine = model._trainer.engine
        engine.state.set_slots(model.optimizer.variables)
        data = (jax.numpy.asarray(x), jax.numpy.asarray(x[:, :1]), None)
        piece = Piece(data, order, row=0, batches=5, tail=False, holds_tail=False)
        engine.train(piece, 5, 2, 0, made_for=0, fresh=True)
        return model.get_weights()

    for one, other in zip(trained(X, ORDER), trained(X[ORDER], None), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    in_order = trained(X, None)[0]
    assert np.isfinite(in_order).all()
    assert not np.allclose(trained(X, ORDER)[0], in_order)
