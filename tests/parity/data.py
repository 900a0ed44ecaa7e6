"""Small synthetic data for the parity tests.

Each function returns `(x, y)` or `(x, y, sample_weight)` with `rows` rows.
"""

import numpy as np


def _features(rows, width=6, seed=0):
    return np.random.default_rng([seed, rows, width]).normal(size=(rows, width)).astype("float32")


def _score(x, seed=1):
    """A smooth function to learn, `(rows, 4)`."""
    rng = np.random.default_rng(seed)
    return np.tanh(x @ rng.normal(size=(x.shape[1], 5))) @ rng.normal(size=(5, 4))


def regression(rows=70):
    x = _features(rows)
    return x, _score(x)[:, :1].astype("float32")


def targets_3(rows=70):
    x = _features(rows)
    return x, _score(x)[:, :3].astype("float32")


def positive(rows=70):
    x = _features(rows)
    return x, (1.0 + np.exp(0.5 * _score(x)[:, :1])).astype("float32")


def counts(rows=70):
    x = _features(rows)
    drawn = np.random.default_rng(2).poisson(np.exp(0.3 * _score(x)[:, 0]))
    return x, drawn.astype("float32")[:, None]


def binary(rows=70):
    x = _features(rows)
    return x, (_score(x)[:, 0] > 0.3).astype("float32")


def signs(rows=70):
    x, y = binary(rows)
    return x, (2 * y - 1)[:, None]


def several_labels(rows=70):
    x = _features(rows)
    return x, (_score(x)[:, :3] > 0).astype("float32")


def labels(rows=70):
    x = _features(rows)
    return x, _score(x).argmax(-1)


def labels_column(rows=70):
    x, y = labels(rows)
    return x, y[:, None].astype("int32")


def one_hot(rows=70):
    x, y = labels(rows)
    return x, np.eye(4, dtype="float32")[y]


def shares(rows=70):
    x = _features(rows)
    p = np.exp(_score(x))
    return x, (p / p.sum(-1, keepdims=True)).astype("float32")


def weighted(rows=70):
    x, y = regression(rows)
    return x, y, np.random.default_rng(3).uniform(0, 2, rows).astype("float32")


def weighted_labels(rows=70):
    x, y = labels(rows)
    return x, y, np.random.default_rng(3).uniform(0, 2, rows).astype("float32")


def two_inputs(rows=70):
    a, b = _features(rows), _features(rows, 3, seed=5)
    return [a, b], _score(np.hstack([a, b]))[:, :1].astype("float32")


def dict_inputs(rows=70):
    (a, b), y = two_inputs(rows)
    return {"first": a, "second": b}, y


def pairs(rows=70):
    a, b = _features(rows), _features(rows, seed=6)
    return [a, b], (_score(a) - _score(b))[:, :1].astype("float32")


def two_outputs(rows=70):
    x, y = regression(rows)
    return x, [y, labels(rows)[1]]


def two_outputs_by_name(rows=70):
    x, (size, kind) = two_outputs(rows)
    return x, {"kind": kind, "size": size}


def dict_outputs(rows=70):
    x, y = regression(rows)
    return x, {"size": y, "kind": one_hot(rows)[1]}


def weighted_two_outputs(rows=70):
    x, y = two_outputs(rows)
    rng = np.random.default_rng(4)
    weights = [rng.uniform(0, high, rows).astype("float32") for high in (2, 1)]
    return x, y, weights


def bytes_4(rows=70):
    y = labels(rows)[1]
    x = np.random.default_rng(7).integers(0, 200, (rows, 4, 4, 2)) + 15 * y[:, None, None, None]
    return x.astype("uint8"), y


def sequences(rows=70):
    x, y = regression(rows)
    return x.reshape(rows, 3, 2), y


def labeled_steps(rows=70):
    x, y = labels(rows)
    return x.reshape(rows, 3, 2), np.stack([y, (y + 1) % 4, y // 2], 1)
