"""The task "features": what each feature adds to the time of an epoch of the tiny job."""

from types import ModuleType

from common import Job, clocked
from keras_network import arrays, build, compiled


def features(job: Job, keras: ModuleType) -> None:
    """Time each feature alone and then all together, also as a multiple of a plain epoch."""
    case = job["cases"][0]
    data = arrays(keras, case)
    variants = _variants(keras)
    seconds = {}
    cases = {"plain": []}
    cases |= {name: [variant] for name, variant in variants.items()}
    cases["all together"] = list(variants.values())
    for name, chosen in cases.items():
        seconds[name] = _epoch_seconds(job, keras, case, data, chosen)
    again = _epoch_seconds(job, keras, case, data, [])
    job.notes["plain, first and last"] = [seconds["plain"], again]
    seconds["plain"] = (seconds["plain"] + again) / 2
    for name, value in seconds.items():
        job.figure(f"{name}: epoch", value)
    for name in list(seconds)[1:]:
        job.figure(f"{name}: times plain", seconds[name] / seconds["plain"])


def _variants(keras: ModuleType) -> dict[str, dict]:
    """The changes for each feature: hidden layers, arguments of `compile` and `fit`, callbacks."""
    layers, metrics, callbacks = keras.layers, keras.metrics, keras.callbacks
    several = ["accuracy", "AUC", "mean_squared_error"]
    return {
        "dropout": {"after": lambda: [layers.Dropout(0.2)]},
        "batch normalization": {"after": lambda: [layers.BatchNormalization()]},
        "L2": {"dense": lambda: {"kernel_regularizer": keras.regularizers.L2(1e-4)}},
        "class weights": {"fit": {"class_weight": {0: 1.0, 1: 2.0}}},
        "5 metrics": {"metrics": lambda: [*several, metrics.Precision(), metrics.Recall()]},
        "EarlyStopping": {
            "callbacks": lambda: [callbacks.EarlyStopping(monitor="loss", patience=1000)]
        },
        "CSVLogger": {"callbacks": lambda: [callbacks.CSVLogger("epochs.csv")]},
    }


def _epoch_seconds(
    job: Job, keras: ModuleType, case: dict, data: tuple, chosen: list[dict]
) -> float:
    """Train a model with the chosen features for one epoch, which compiles, and then time it."""
    x, y, _, _ = data

    def hidden(keras: ModuleType, units: int) -> list:
        arguments, after = {}, []
        for part in chosen:
            if "dense" in part:
                arguments |= part["dense"]()
            if "after" in part:
                after += part["after"]()
        return [keras.layers.Dense(units, activation="relu", **arguments), *after]

    metrics = next((part["metrics"]() for part in chosen if "metrics" in part), ["accuracy"])
    model = compiled(keras, job, case, build(keras, case, hidden=hidden), metrics=metrics)
    arguments = {"batch_size": case["batch"], "verbose": 0}
    for part in chosen:
        arguments |= part.get("fit", {})

    def fit(epochs: int) -> None:
        callbacks = []
        for part in chosen:
            if "callbacks" in part:
                callbacks += part["callbacks"]()
        model.fit(x, y, epochs=epochs, callbacks=callbacks, **arguments)

    fit(1)
    return clocked(lambda: fit(case["epochs"]), case["repeats"]) / case["epochs"]
