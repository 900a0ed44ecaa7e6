"""The tasks for packages with Keras's API, including Gazelle; only `job["package"]` differs."""

import importlib
import random
from collections.abc import Callable
from types import ModuleType

import numpy as np
from common import SEED, Job, count_compilations, timed_cases, timed_models, timed_predictions
from keras_features import features
from keras_images import images
from keras_network import arrays, build, compiled


def fit(job: Job, keras: ModuleType) -> None:
    """Train and evaluate; see `timed_cases`."""

    def prepare(case: dict) -> tuple[Callable, Callable, Callable]:
        x, y, x_test, y_test = arrays(keras, case)
        dtype = "uint8" if x.dtype == np.uint8 else None
        model = compiled(keras, job, case, build(keras, case, dtype))

        def train(epochs: int, validation_data=None):
            given = {"batch_size": case["batch"], "validation_data": validation_data}
            return model.fit(x, y, epochs=epochs, verbose=0, **given)

        def evaluate() -> list[float]:
            return model.evaluate(x_test, y_test, verbose=0)

        return train, lambda epochs: train(epochs, (x_test, y_test)), evaluate

    timed_cases(job, prepare)


def many(job: Job, keras: ModuleType) -> None:
    """Build and train models one after another; see `timed_models`."""
    case = job["cases"][0]
    x, y, _, _ = arrays(keras, case)

    def build_and_fit() -> Callable[[], object]:
        model = compiled(keras, job, case, build(keras, case))

        def epoch():
            return model.fit(x, y, batch_size=case["batch"], epochs=1, verbose=0)

        epoch()
        return epoch

    timed_models(job, build_and_fit)


def predict(job: Job, keras: ModuleType) -> None:
    """Predict with `predict`, `predict_on_batch` and a call; see `timed_predictions`."""
    case = job["cases"][0]
    compilations = count_compilations()
    model = compiled(keras, job, case, build(keras, case))
    one_row = {
        "predict": lambda x: model.predict(x, verbose=0),
        "predict_on_batch": lambda x: model.predict_on_batch(x),
        "model(x)": lambda x: np.asarray(model(x)),
    }
    million = {"batch_size": job["million_batch"]} if job.get("million_batch") else {}

    def rows(x: np.ndarray) -> np.ndarray:
        return model.predict(x, verbose=0, **(million if len(x) > 5000 else {}))

    timed_predictions(job, one_row, rows, compilations)


TASKS = {"fit": fit, "many": many, "predict": predict, "features": features, "images": images}


def main() -> None:
    job = Job()
    keras = importlib.import_module(job["package"])
    random.seed(SEED)  # not keras.utils.set_random_seed: it loads every backend that is installed
    np.random.seed(SEED)  # noqa: NPY002
    TASKS[job["task"]](job, keras)
    job.write(*job["versions"])


if __name__ == "__main__":
    main()
