"""The task "features": what each feature adds to an epoch of the tiny job."""

from types import ModuleType

from common import Job, clocked
from keras_network import arrays, build, compiled, relu_layer


def features(job: Job, keras: ModuleType) -> None:
    """Each feature alone, then all together: seconds per epoch, and as a multiple of the plain epoch."""
    case = job["cases"][0]
    data = arrays(keras, case)
    variants = _variants(keras)
    seconds = {}
    for name, chosen in [
        ("plain", []),
        *((name, [name]) for name in variants),
        ("all together", list(variants)),
    ]:
        seconds[name] = _epoch_seconds(job, keras, case, data, [variants[part] for part in chosen])
    again = _epoch_seconds(job, keras, case, data, [])
    job.notes["plain, first and last"] = [seconds["plain"], again]
    seconds["plain"] = (seconds["plain"] + again) / 2
    for name, value in seconds.items():
        job.figure(f"{name}: epoch", value)
    for name in list(seconds)[1:]:
        job.figure(f"{name}: times plain", seconds[name] / seconds["plain"])


def _variants(keras: ModuleType) -> dict[str, dict]:
    """What each feature changes: the hidden layer, the arguments of `compile`, those of `fit`, the callbacks."""
    layers, metrics, callbacks = keras.layers, keras.metrics, keras.callbacks
    several = ["accuracy", "AUC", "mean_squared_error"]
    return {
        "dropout": {"after": lambda: [layers.Dropout(0.2)]},
        "batch normalisation": {"after": lambda: [layers.BatchNormalization()]},
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
    """A model with the chosen features, trained an epoch (which compiles) and then timed."""
    x, y, _, _ = data

    def hidden(keras: ModuleType, units: int) -> list:
        dense = {
            key: value
            for part in chosen
            if "dense" in part
            for key, value in part["dense"]().items()
        }
        after = [layer for part in chosen if "after" in part for layer in part["after"]()]
        first = (
            keras.layers.Dense(units, activation="relu", **dense)
            if dense
            else relu_layer(keras, units)[0]
        )
        return [first, *after]

    metrics = next((part["metrics"]() for part in chosen if "metrics" in part), ["accuracy"])
    model = compiled(keras, job, case, build(keras, case, hidden=hidden), metrics=metrics)
    arguments = {key: value for part in chosen for key, value in part.get("fit", {}).items()}

    def fit(epochs: int) -> None:
        callbacks = [made for part in chosen if "callbacks" in part for made in part["callbacks"]()]
        model.fit(
            x,
            y,
            batch_size=case["batch"],
            epochs=epochs,
            verbose=0,
            callbacks=callbacks,
            **arguments,
        )

    fit(1)
    return clocked(lambda: fit(case["epochs"]), case["repeats"]) / case["epochs"]
