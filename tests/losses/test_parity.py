"""Values and gradients of the losses against Keras's."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from gazelle import losses

pytestmark = pytest.mark.slow

ROWS, CLASSES = 6, 4
rng = np.random.default_rng(7)
REAL = rng.normal(size=(ROWS, CLASSES)).astype("float32")
OTHER = rng.normal(size=(ROWS, CLASSES)).astype("float32") * 2
POSITIVE = np.abs(OTHER) + 0.1
LABELS = np.array([0, 3, 1, 2, 3, 3])
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
MULTI = rng.integers(0, 2, (ROWS, CLASSES)).astype("float32")
SCORES = (OTHER * 3).astype("float32")
SOFTMAX = np.exp(OTHER) / np.exp(OTHER).sum(1, keepdims=True)
LOOSE = POSITIVE / 5  # positive, rows do not sum to 1
SIGMOID = 1 / (1 + np.exp(-OTHER))
# 0 and 1 among the probabilities, and values beyond the clipping bounds
EDGES = SIGMOID.copy()
EDGES[0], EDGES[1] = [0, 1, 1e-9, 1 - 1e-8], [1, 0, 0.5, 0]
UNIT = OTHER / np.linalg.norm(OTHER, axis=1, keepdims=True)

CASES = [
    ("mean_squared_error", REAL, OTHER, {}),
    ("mean_absolute_error", REAL, OTHER, {}),
    ("mean_absolute_percentage_error", REAL, OTHER, {}),
    ("mean_absolute_percentage_error", MULTI, OTHER, {}),
    ("mean_squared_logarithmic_error", POSITIVE, OTHER, {}),
    ("huber", REAL, OTHER, {}),
    ("huber", REAL, OTHER, {"delta": 0.3}),
    ("log_cosh", REAL, OTHER, {}),
    ("log_cosh", REAL, SCORES * 20, {}),
    ("poisson", MULTI, POSITIVE, {}),
    ("kl_divergence", SOFTMAX[::-1], LOOSE, {}),
    ("kl_divergence", MULTI, EDGES, {}),
    ("cosine_similarity", REAL, OTHER, {}),
    ("cosine_similarity", REAL, OTHER, {"axis": 0}),
    ("hinge", MULTI, OTHER, {}),
    ("hinge", REAL, OTHER, {}),
    ("hinge", 2 * MULTI - 1, OTHER, {}),
    ("squared_hinge", MULTI, OTHER, {}),
    ("squared_hinge", REAL, OTHER, {}),
    ("categorical_hinge", ONE_HOT, OTHER, {}),
    ("dice", MULTI, SIGMOID, {}),
    ("dice", MULTI, SIGMOID, {"axis": -1}),
    ("dice", MULTI, SIGMOID, {"axis": (0,)}),
    ("tversky", MULTI, SIGMOID, {}),
    ("tversky", MULTI, SIGMOID, {"alpha": 0.3, "beta": 0.9, "axis": -1}),
    ("circle", LABELS, UNIT, {}),
    ("circle", LABELS, UNIT, {"remove_diagonal": False, "gamma": 10.0, "margin": 0.25}),
    (
        "circle",
        LABELS,
        UNIT,
        {"ref_labels": LABELS[::-1].copy(), "ref_embeddings": UNIT[::-1].copy()},
    ),
    ("categorical_generalized_cross_entropy", LABELS, SOFTMAX, {"q": 0.5}),
    ("categorical_generalized_cross_entropy", LABELS, SOFTMAX, {"q": 0.9}),
]
PLAIN, SMOOTHED = {"label_smoothing": 0.0}, {"label_smoothing": 0.1}
CASES += [
    ("binary_crossentropy", MULTI, SIGMOID, SMOOTHED),
    ("binary_crossentropy", MULTI, EDGES, PLAIN),
    ("binary_crossentropy", MULTI, SCORES, {**PLAIN, "from_logits": True}),
    ("binary_crossentropy", MULTI, SCORES * 5, {**SMOOTHED, "from_logits": True}),
    ("binary_crossentropy", MULTI, SIGMOID, {**SMOOTHED, "axis": 0}),
    ("binary_crossentropy", MULTI, SCORES, {**PLAIN, "axis": (0, 1), "from_logits": True}),
    ("binary_focal_crossentropy", MULTI, SIGMOID, SMOOTHED),
    ("binary_focal_crossentropy", MULTI, EDGES, {**PLAIN, "apply_class_balancing": True}),
    (
        "binary_focal_crossentropy",
        MULTI,
        SIGMOID,
        {**SMOOTHED, "apply_class_balancing": True, "alpha": 0.7},
    ),
    (
        "binary_focal_crossentropy",
        MULTI,
        OTHER,
        {**PLAIN, "from_logits": True, "gamma": 1.5, "axis": 0},
    ),
    ("categorical_crossentropy", ONE_HOT, SOFTMAX, PLAIN),
    ("categorical_crossentropy", ONE_HOT, LOOSE, SMOOTHED),
    ("categorical_crossentropy", ONE_HOT, EDGES, PLAIN),
    ("categorical_crossentropy", ONE_HOT, SCORES, {**PLAIN, "from_logits": True}),
    ("categorical_crossentropy", ONE_HOT, SCORES, {**SMOOTHED, "axis": 0, "from_logits": True}),
    ("categorical_crossentropy", ONE_HOT, LOOSE, {**SMOOTHED, "axis": 0}),
    ("categorical_focal_crossentropy", ONE_HOT, LOOSE, PLAIN),
    ("categorical_focal_crossentropy", ONE_HOT, EDGES, {**SMOOTHED, "gamma": 0.5, "alpha": 0.6}),
    ("categorical_focal_crossentropy", ONE_HOT, SCORES, {**SMOOTHED, "from_logits": True}),
    (
        "categorical_focal_crossentropy",
        ONE_HOT,
        LOOSE,
        {**PLAIN, "alpha": [0.1, 0.2, 0.3, 0.4], "gamma": 0},
    ),
    ("categorical_focal_crossentropy", ONE_HOT, LOOSE, {**PLAIN, "axis": 0}),
    ("sparse_categorical_crossentropy", LABELS, SOFTMAX, {}),
    ("sparse_categorical_crossentropy", LABELS[:, None], EDGES, {}),
    ("sparse_categorical_crossentropy", LABELS, LOOSE, {"ignore_class": 3}),
    ("sparse_categorical_crossentropy", LABELS.astype("float32"), SCORES, {"from_logits": True}),
    (
        "sparse_categorical_crossentropy",
        LABELS,
        SCORES * 30,
        {"from_logits": True, "ignore_class": 2},
    ),
    ("sparse_categorical_crossentropy", np.array([0, 3, -1, 2, 7, 1]), LOOSE, {}),
    (
        "sparse_categorical_crossentropy",
        np.array([0, 3, -1, 2, 7, 1]),
        SCORES,
        {"from_logits": True},
    ),
]
IDS = [f"{i}-{case[0]}" for i, case in enumerate(CASES)]


def all_cases(module):
    """Values and gradients of every case in one compiled program: much faster than one by one."""

    def one(name, y_true, y_pred, arguments):
        values, back = jax.vjp(lambda p: getattr(module, name)(y_true, p, **arguments), y_pred)
        return values, back(jnp.linspace(0.5, 2.0, values.size).reshape(values.shape))[0]

    arrays = [(y_true, np.asarray(y_pred, "float32")) for _, y_true, y_pred, _ in CASES]

    def program(arrays):
        return [
            one(name, y_true, y_pred, arguments)
            for (name, _, _, arguments), (y_true, y_pred) in zip(CASES, arrays, strict=True)
        ]

    return jax.device_get(
        jax.jit(
            program,
            compiler_options={
                "xla_backend_optimization_level": 0,
                "xla_llvm_disable_expensive_passes": True,
            },
        )(arrays)
    )


@pytest.fixture(scope="module")
def results():
    return all_cases(losses), all_cases(keras.losses)


@pytest.mark.parametrize("case", range(len(CASES)), ids=IDS)
def test_a_function_has_keras_s_values_and_gradient(case, results):
    for found, wanted in zip(results[0][case], results[1][case], strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(
            found, wanted, rtol=1e-6, atol=1e-6 * max(np.abs(wanted).max(), 1e-3)
        )
