"""Runs an exported model with onnxruntime and compares it with the model itself."""

import jax
import numpy as np
import onnxruntime

from gazelle._core.symbolic import leaves

BATCH_SIZES = (1, 7)


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def random_weights(model, seed=0):
    """New weights, all positive and none equal: variances stay variances."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [rng.uniform(0.2, 1.2, weight.shape).astype(weight.dtype) for weight in model.get_weights()]
    )
    return model


def random_data(model, n, seed=0):
    """One array per input, in their order."""
    rng = np.random.default_rng(seed)

    def one(tensor):
        shape = [n, *(5 if size is None else size for size in tensor.shape[1:])]
        if tensor.dtype.startswith("float"):
            return (2 * rng.normal(size=shape)).astype(tensor.dtype)
        return rng.integers(0, 2 if tensor.dtype == "bool" else 9, shape).astype(tensor.dtype)

    return [one(tensor) for tensor in model.inputs]


def run(path, arrays):
    """The outputs of an exported model for its inputs in their order."""
    ran = session(path)
    names = [given.name for given in ran.get_inputs()]
    return ran.run(None, dict(zip(names, arrays, strict=True)))


def own_outputs(model, arrays, structure):
    """The outputs of a Gazelle or Keras model for its inputs, which have the given structure."""
    data = jax.tree.unflatten(jax.tree.structure(structure), arrays)
    return [np.asarray(output) for output in leaves(model(data))]


def assert_equal_outputs(found, expected, tolerance=1e-5):
    assert len(found) == len(expected)
    for got, want in zip(found, expected, strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        scale = min(1.0, float(np.abs(want).max(initial=0)))
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * scale)


def check(model, tmp_path, *, other=None, tolerance=1e-5):
    """Export a model and compare what the file computes with what the model (or `other`) does."""
    path = tmp_path / "model.onnx"
    model.export(path)
    arrays = random_data(model, max(BATCH_SIZES))
    expected = own_outputs(other or model, arrays, model.input)
    for n in BATCH_SIZES:
        found = run(path, [array[:n] for array in arrays])
        assert_equal_outputs(found, [output[:n] for output in expected], tolerance)
