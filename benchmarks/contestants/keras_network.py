"""The network of a case for packages with Keras's API."""

from collections.abc import Callable
from types import ModuleType

from common import EPSILON, Job, load


def relu_layer(keras: ModuleType, units: int) -> list:
    """One hidden layer."""
    return [keras.layers.Dense(units, activation="relu")]


def build(
    keras: ModuleType,
    case: dict,
    dtype: str | None = None,
    hidden: Callable[..., list] = relu_layer,
):
    """The model of a case; images are scaled in it.

    `hidden(keras, units)` returns the layers that make up one hidden layer.
    """
    shape = tuple(case.get("shape", [case["features"]]))
    parts = [keras.Input(shape, dtype=dtype)]
    if len(shape) > 1:
        parts += [] if case.get("float64") else [keras.layers.Rescaling(1 / 255)]
        parts.append(keras.layers.Flatten())
    for units in case["hidden"]:
        parts += hidden(keras, units)
    activation = "sigmoid" if case["outputs"] == 1 else "softmax"
    parts.append(keras.layers.Dense(case["outputs"], activation=activation))
    return keras.Sequential(parts)


def compiled(keras: ModuleType, job: Job, case: dict, model, **arguments):
    """The model, compiled with Adam and with more `arguments` of `compile`."""
    loss = "categorical_crossentropy" if case.get("float64") else "sparse_categorical_crossentropy"
    if case.get("steps_per_execution"):
        arguments["steps_per_execution"] = case["steps_per_execution"]
    model.compile(
        optimizer=keras.optimizers.Adam(case["learning_rate"], epsilon=EPSILON),
        loss="binary_crossentropy" if case["outputs"] == 1 else loss,
        **{"metrics": ["accuracy"], **arguments},
    )
    return model


def arrays(keras: ModuleType, case: dict) -> tuple:
    """Training rows and labels, test rows and labels, as they are passed to `fit`."""
    x, y, x_test, y_test = load(case["data"], case.get("rows"))
    if case.get("float64"):
        x, x_test = x / 255.0, x_test / 255.0
        y, y_test = (keras.utils.to_categorical(labels, case["outputs"]) for labels in (y, y_test))
    return x, y, x_test, y_test
