"""A case's network, compiled, for whoever has Keras's API."""

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
    """The model; `hidden(keras, units)` makes what stands for a hidden layer. Images are scaled in the model."""
    shape = tuple(case.get("shape", [case["features"]]))
    parts = [keras.Input(shape, dtype=dtype)]
    if len(shape) > 1:
        parts += [] if case.get("float64") else [keras.layers.Rescaling(1 / 255)]
        parts.append(keras.layers.Flatten())
    for units in case["hidden"]:
        parts += hidden(keras, units)
    parts.append(
        keras.layers.Dense(
            case["outputs"], activation="sigmoid" if case["outputs"] == 1 else "softmax"
        )
    )
    return keras.Sequential(parts)


def compiled(keras: ModuleType, job: Job, case: dict, model, **arguments):
    """The model, compiled with Adam; `arguments` are further ones of `compile`."""
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
    """Training rows and labels, test rows and labels, in the form in which they are given to `fit`."""
    x, y, x_test, y_test = load(case["data"], case.get("rows"))
    if case.get("float64"):
        x, x_test = x / 255.0, x_test / 255.0
        y, y_test = (keras.utils.to_categorical(labels, case["outputs"]) for labels in (y, y_test))
    return x, y, x_test, y_test
