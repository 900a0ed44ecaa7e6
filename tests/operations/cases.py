"""Arguments for every function of `keras.ops` that Gazelle has: at least one call for each."""

import inspect

import keras
import numpy as np

import gazelle

RNG = np.random.default_rng(0)
X = RNG.uniform(0.1, 0.9, (3, 4)).astype("float32")
Y = RNG.uniform(0.1, 0.9, (3, 4)).astype("float32")
SQUARE = (X[:, :3] + 2 * np.eye(3)).astype("float32")
POSITIVE = (SQUARE @ SQUARE.T).astype("float32")
INTS = RNG.integers(1, 9, (3, 4)).astype("int32")
BOOLS = X > 0.5
ROW = X[0]
IDS = np.array([0, 2, 0], "int32")
COMPLEX = (X + 1j * Y).astype("complex64")

# Where the kind of the parameters does not say what to call with.
SPECIAL = {
    "all": [((BOOLS,), {}), ((BOOLS,), {"axis": 1, "keepdims": True})],
    "any": [((BOOLS,), {}), ((BOOLS,), {"axis": [0, 1]})],
    "append": [((X, Y), {}), ((X, Y), {"axis": 1})],
    "arange": [((5,), {}), ((1, 7, 2), {}), ((1.0, 2.0, 0.25), {}), ((3,), {"dtype": "int16"})],
    "arccosh": [((X + 1,), {})],
    "argpartition": [((ROW, 2), {})],
    "array": [(([[1, 2]],), {}), ((X,), {"dtype": "float16"})],
    "array_split": [((X, 3), {"axis": 1}), ((X, [1, 2]), {})],
    "associative_scan": [((lambda a, b: a + b, X), {}), ((lambda a, b: a + b, X), {"axis": 1})],
    "average": [((X,), {}), ((X,), {"axis": 0, "weights": X[:, 0]})],
    "bartlett": [((6,), {})],
    "batch_normalization": [((X, ROW, ROW, -1), {}), ((X, ROW, ROW, 1, ROW, ROW, 0.1), {})],
    "bincount": [((INTS[0],), {}), ((INTS,), {"minlength": 12, "weights": X})],
    "bitwise_invert": [((INTS,), {})],
    "bitwise_not": [((INTS,), {})],
    "blackman": [((6,), {})],
    "broadcast_to": [((ROW, (2, 4)), {})],
    "cast": [((X * 10, "int32"), {}), ((INTS, "float16"), {})],
    "cholesky": [((POSITIVE,), {}), ((POSITIVE,), {"upper": True})],
    "cholesky_inverse": [((np.linalg.cholesky(POSITIVE),), {})],
    "clip": [((X, 0.2, 0.5), {}), ((INTS, 2, 4), {})],
    "concatenate": [(([X, Y],), {}), (([X, INTS],), {"axis": 1})],
    "cond": [((np.array(True), lambda: 1.0, lambda: 2.0), {})],
    "correlate": [((ROW, ROW[:2]), {}), ((ROW, ROW[:2], "full"), {})],
    "count_nonzero": [((BOOLS,), {}), ((BOOLS,), {"axis": 1})],
    "cross": [((X[:, :3], Y[:, :3]), {})],
    "cumprod": [((X,), {}), ((X,), {"axis": 1, "dtype": "float16"})],
    "cumsum": [((X,), {}), ((INTS,), {"axis": 0, "dtype": "float32"})],
    "custom_gradient": [],
    "det": [((SQUARE,), {})],
    "diff": [((X,), {}), ((X, 2), {"axis": 0})],
    "digitize": [((X, np.array([0.2, 0.5])), {})],
    "dot": [((X, Y.T), {})],
    "dsplit": [((X.reshape(1, 3, 4), 2), {})],
    "dstack": [(([X, Y],), {})],
    "eig": [],  # the order and the signs of what it gives are free
    "eigh": [],
    "einsum": [(("ij,kj->ik", X, Y), {}), (("ij->j", X), {})],
    "empty": [],
    "empty_like": [],
    "erfinv": [((X,), {})],
    "expand_dims": [((X, 1), {}), ((X, (0, -1)), {})],
    "extract_sequences": [((X, 2, 1), {})],
    "eye": [((3,), {}), ((3, 4), {"k": 1, "dtype": "int32"})],
    "fori_loop": [((0, 5, lambda i, x: x + i, 1), {})],
    "full": [(((2, 3), 1.5), {}), (((2,), 3), {"dtype": "int8"})],
    "full_like": [((X, 2), {}), ((X, 2), {"dtype": "int32"})],
    "gcd": [((INTS, INTS + 2), {})],
    "geomspace": [((1.0, 8.0, 4), {})],
    "get_item": [((X, (slice(None), 1)), {}), ((X, 2), {})],
    "hamming": [((6,), {})],
    "hanning": [((6,), {})],
    "histogram": [((ROW,), {}), ((ROW, 4, (0, 1)), {})],
    "hsplit": [((X, 2), {}), ((X, [1]), {})],
    "hstack": [(([X, Y],), {})],
    "identity": [((3,), {})],
    "in_top_k": [((INTS[:, 0] % 4, X, 2), {})],
    "inner": [((X, Y), {})],
    "inv": [((SQUARE,), {})],
    "isin": [((INTS, INTS[0]), {}), ((INTS, INTS[0]), {"invert": True})],
    "jvp": [((lambda x: x**2, (X,), (Y,)), {})],
    "kaiser": [((6, 2.0), {})],
    "lcm": [((INTS, INTS + 2), {})],
    "ldexp": [((X, INTS), {})],
    "left_shift": [((INTS, INTS), {})],
    "linspace": [((0.0, 1.0, 5), {}), ((ROW, 2 * ROW, 3), {"axis": 1, "endpoint": False})],
    "logdet": [((POSITIVE,), {})],
    "logspace": [((0.0, 1.0, 5), {"base": 2})],
    "lstsq": [((POSITIVE, X), {})],
    "lu_factor": [((SQUARE,), {})],
    "map": [((lambda x: x * 2, X), {})],
    "matmul": [((X, Y.T), {}), ((X.astype("int8"), INTS.T.astype("int8")), {})],
    "matrix_rank": [((SQUARE,), {})],
    "max": [((X,), {}), ((X,), {"axis": 1, "initial": 0.7})],
    "meshgrid": [((ROW, ROW[:2]), {}), ((ROW, ROW[:2]), {"indexing": "ij"})],
    "min": [((X,), {}), ((X,), {"axis": 1, "initial": 0.2})],
    "moments": [((X, [0]), {}), ((X.astype("float16"), (0, 1), True), {})],
    "moveaxis": [((X, 0, 1), {})],
    "multi_hot": [((INTS % 4, 5), {}), ((INTS[0] % 4, 5), {})],
    "ndim": [((X,), {})],
    "nonzero": [((BOOLS,), {})],
    "norm": [((X,), {}), ((X,), {"ord": 1, "axis": 1}), ((X,), {"ord": "nuc"})],
    "one_hot": [((INTS % 4, 5), {}), ((INTS[0] % 4, 5), {"axis": 0, "dtype": "int32"})],
    "ones": [(((2, 3),), {}), (((2,),), {"dtype": "int32"})],
    "pad": [((X, ((1, 0), (0, 2))), {}), ((X, 1, "reflect"), {})],
    "pinv": [((X,), {})],
    **{
        name: [((X, 0.3), {}), ((X, np.array([0.2, 0.5])), {"axis": 1, "keepdims": True})]
        for name in ("nanpercentile", "nanquantile", "percentile", "quantile")
    },
    "glu": [((X,), {})],
    "layer_normalization": [((X,), {}), ((X, ROW, ROW), {}), ((X,), {"axis": 0})],
    "rms_normalization": [((X,), {}), ((X, ROW), {}), ((X,), {"axis": 0, "epsilon": 0.1})],
    "prod": [((X,), {}), ((X,), {"axis": 1, "dtype": "float16"})],
    "qr": [],
    "rearrange": [],
    "repeat": [((X, 2), {}), ((X, 2), {"axis": 1})],
    "reshape": [((X, (4, 3)), {}), ((X, -1), {})],
    "right_shift": [((INTS, INTS), {})],
    "roll": [((X, 1), {}), ((X, 2), {"axis": 1})],
    "saturate_cast": [((X * 1000, "uint8"), {})],
    "scan": [
        ((lambda c, x: (c + x, c), 0.0, ROW), {}),
        ((lambda c, _: (c, c), 1.0), {"length": 2}),
    ],
    "scatter": [((np.array([[0], [2]]), X[:2], (4, 4)), {})],
    "scatter_update": [
        ((X, np.array([[0, 1], [2, 2]]), ROW[:2]), {}),
        ((X, np.array([[0, 1], [0, 1]]), ROW[:2], "add"), {}),
    ],
    "searchsorted": [((np.sort(ROW), X[1]), {}), ((np.sort(ROW), ROW), {"side": "right"})],
    "segment_max": [((X, IDS, 3), {})],
    "segment_min": [((X, IDS, 3), {})],
    "segment_prod": [((X, IDS, 3), {})],
    "segment_sum": [((X, IDS, 3), {}), ((X, np.sort(IDS), 4, True), {})],
    "select": [(([BOOLS, ~BOOLS], [X, Y]), {"default": 2})],
    "shape": [((X,), {})],
    "size": [((X,), {})],
    "slice": [((X, (1, 0), (2, 3)), {}), ((X, np.array([1, 1]), (-1, 2)), {})],
    "slice_update": [((X, (1, 0), Y[:1, :2]), {})],
    "slogdet": [((SQUARE,), {})],
    "solve": [((SQUARE, X), {}), ((SQUARE, X[:, 0]), {})],
    "solve_triangular": [((np.tril(SQUARE), X), {"lower": True})],
    "sparse_categorical_crossentropy": [
        ((INTS[:, 0] % 4, X), {}),
        ((INTS[:, :1] % 4, X, True), {}),
    ],
    "sparsemax": [],  # Keras's is wrong: see gazelle.activations.sparsemax
    "split": [((X, 2), {"axis": 1}), ((X, [1]), {})],
    "stack": [(([X, Y],), {}), (([X, Y],), {"axis": -1})],
    "svd": [((X,), {"compute_uv": False})],
    "swapaxes": [((X, 0, 1), {})],
    "switch": [((1, [lambda x: x + 1, lambda x: x * 2], X), {})],
    "take": [((X, INTS[0] % 3), {"axis": 0}), ((X, np.array([-1, 2])), {})],
    "take_along_axis": [((X, INTS % 4), {"axis": 1})],
    "tensordot": [((X, Y.T), {"axes": 1}), ((X, Y), {})],
    "threshold": [((X, 0.5, 2.0), {})],
    "tile": [((X, 2), {}), ((X, (2, 1)), {})],
    "top_k": [((X, 2), {})],
    "transpose": [((X,), {}), ((X.reshape(1, 3, 4), (2, 0, 1)), {})],
    "trapezoid": [((X,), {}), ((X, Y), {"axis": 0})],
    "tri": [((3,), {}), ((3, 4), {"k": 1})],
    "unique": [((INTS,), {}), ((INTS,), {"return_counts": True, "return_inverse": True})],
    "unravel_index": [((np.array([3, 7]), (3, 4)), {})],
    "unstack": [((X,), {}), ((X, 4, 1), {})],
    "vander": [((ROW,), {}), ((ROW, 2), {"increasing": True})],
    "vectorize": [],
    "vectorized_map": [((lambda x: x * 2, X), {})],
    "view": [((X, "int32"), {})],
    "view_as_complex": [((X[:, :2],), {})],
    "view_as_real": [((COMPLEX,), {})],
    "vsplit": [((X, 3), {})],
    "vstack": [(([X, Y],), {})],
    "where": [((BOOLS, X, Y), {}), ((BOOLS, X, 0.0), {})],
    "while_loop": [
        ((lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, 1.5)), {}),
        ((lambda x: x < 9, lambda x: x + 1, 0), {"maximum_iterations": 4}),
    ],
    "zeros": [(((2, 3),), {}), (((2,),), {"dtype": "int32"})],
}
BITS = ("bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor")
SPECIAL |= {name: [((INTS, INTS % 3), {})] for name in BITS}
FREE = {"eig", "eigh", "empty", "empty_like", "qr", "sparsemax", "vectorize", "custom_gradient"}
OF_MATRICES = ("diag", "diagonal", "trace", "tril", "triu")


def names():
    """The functions of `gazelle.ops`."""
    return [name for name in gazelle.ops.__all__ if name not in ("linalg", "nn", "numpy")]


def calls(name):
    """The calls of a function that are compared: its own, or one by the kind of its parameters."""
    if name in SPECIAL:
        return SPECIAL[name]
    parameters = inspect.signature(getattr(keras.ops, name)).parameters
    required = [p for p in parameters.values() if p.default is p.empty]
    if len(required) == 2:
        return [((X, Y), {}), ((INTS, X), {}), ((X, 2), {})]
    found = [((X,), {}), ((INTS,), {}), ((ROW,), {})]
    if name in OF_MATRICES:
        found = found[:2]
    if {"axis", "keepdims"} <= parameters.keys():
        found += [((X,), {"axis": 1, "keepdims": True})]
    elif "axis" in parameters and name not in ("layer_normalization", "rms_normalization"):
        found += [((X,), {"axis": 0})]
    return found
