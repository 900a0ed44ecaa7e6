"""Every function of `keras.ops` in scope: names, signatures, values and symbolic shapes."""

import inspect

import jax
import keras
import numpy as np
import pytest
from operations import cases

import gazelle
from gazelle import ops

OUT_OF_SCOPE = [name for name in dir(keras.ops) if name[0] != "_" and name not in ops.__all__]
NAMES = cases.names()


def described(result):
    """The leaves of a result: their dtypes and values."""
    leaves = jax.tree.leaves(result, is_leaf=lambda leaf: leaf is None)
    return [(str(getattr(leaf, "dtype", type(leaf))), np.asarray(leaf)) for leaf in leaves]


def outcome(function, *args, **kwargs):
    try:
        return described(function(*args, **kwargs))
    except (TypeError, ValueError, AttributeError) as error:
        return error


def test_the_names_are_keras_s_and_others_answer_in_one_sentence():
    assert set(NAMES) <= set(dir(keras.ops))
    assert "relu" in NAMES
    assert len(NAMES) > 300
    for name in OUT_OF_SCOPE:
        with pytest.raises(AttributeError, match=f"{name}: gazelle.ops has no functions for"):
            getattr(ops, name)
    with pytest.raises(AttributeError, match="no attribute 'summ'"):
        _ = ops.summ


@pytest.mark.parametrize("room", ["numpy", "nn", "linalg"])
def test_the_rooms_have_keras_s_names(room):
    theirs = {name for name in dir(getattr(keras.ops, room)) if name[0] != "_"}
    assert set(getattr(ops, room).__all__) == theirs - set(OUT_OF_SCOPE)


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_keras_s(name):
    def parameters(function):
        found = inspect.signature(function).parameters.values()
        return [(p.name, p.default, p.kind) for p in found]

    assert parameters(getattr(ops, name)) == parameters(getattr(keras.ops, name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_values_are_keras_s(name):
    calls = cases.calls(name)
    assert calls or name in cases.FREE
    for args, kwargs in calls:
        expected = outcome(getattr(keras.ops, name), *args, **kwargs)
        found = outcome(getattr(ops, name), *args, **kwargs)
        if isinstance(expected, Exception):  # Gazelle may take what Keras refuses
            continue
        assert not isinstance(found, Exception), (args, kwargs, found)
        assert len(found) == len(expected)
        for (dtype, value), (other_dtype, other) in zip(found, expected, strict=True):
            assert dtype == other_dtype, (args, kwargs)
            assert value.shape == other.shape
            if value.dtype.kind in "UO":  # text
                assert value == other
                continue
            tolerance = 1e-2 if dtype in ("float16", "bfloat16") else 1e-5
            np.testing.assert_allclose(value, other, rtol=tolerance, atol=tolerance)


# Those whose first arguments are functions, or that make arrays of no others, or whose sizes depend
# on values.
NOT_SYMBOLIC = {
    *("arange", "array", "bincount", "bartlett", "blackman", "cond", "custom_gradient", "einsum"),
    *("eye", "full", "hamming", "hanning", "histogram", "identity", "jvp", "kaiser", "map", "ones"),
    *("meshgrid", "ndim", "scan", "associative_scan", "shape", "size", "switch", "tri", "unique"),
    *("vectorize", "vectorized_map", "while_loop", "fori_loop", "zeros", "geomspace", "logspace"),
    *("linspace", "nonzero", "get_item", "view", "select", "cross", "segment_max", "segment_min"),
    *("dtype", "is_tensor", "convert_to_numpy"),
    *("logdet", "slogdet"),  # a matrix of an unknown number of rows is refused
    *("corrcoef", "kron"),  # Keras's shapes are wrong
    *("segment_prod", "segment_sum", "extract_sequences", "searchsorted", "isin"),
}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_SYMBOLIC])
@pytest.mark.filterwarnings("ignore")
def test_symbolic_results_are_keras_s(name):
    for args, kwargs in cases.calls(name):

        def symbolic(library, args=args):
            def one(value):
                if isinstance(value, list) and isinstance(value[0], np.ndarray):
                    return [one(item) for item in value]
                if isinstance(value, np.ndarray) and value.ndim:
                    return library.KerasTensor((None, *value.shape[1:]), str(value.dtype))
                return value

            return [one(args[0]), *map(one, args[1:])]

        def spec(library, args=args, kwargs=kwargs):
            try:
                found = getattr(library.ops, name)(*symbolic(library), **kwargs)
            except (ValueError, TypeError, AttributeError, NotImplementedError):
                return None
            return [(tuple(t.shape), t.dtype) for t in jax.tree.leaves(found)]

        arrays = outcome(getattr(ops, name), *args, **kwargs)
        expected = None if isinstance(arrays, Exception) else spec(keras)
        if expected is not None:
            found = spec(gazelle)
            assert found is not None, (args, kwargs)
            assert [shape for shape, _ in found] == [shape for shape, _ in expected], args
            # Keras's symbolic types differ from those of its own results in places.
            assert [dtype for _, dtype in found] == [dtype for dtype, _ in arrays], args
