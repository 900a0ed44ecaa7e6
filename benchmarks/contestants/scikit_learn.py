"""scikit-learn: `MLPClassifier` in float32; `warm_start` makes `fit` continue training."""

import warnings
from collections.abc import Callable

import numpy as np
from common import (
    EPSILON,
    SEED,
    Job,
    flat_float32,
    load,
    timed_cases,
    timed_models,
    timed_predictions,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier

# The warning only says that all epochs were trained.
warnings.simplefilter("ignore", ConvergenceWarning)


def classifier(case: dict) -> MLPClassifier:
    return MLPClassifier(
        hidden_layer_sizes=tuple(case["hidden"]),
        activation="relu",
        solver="adam",
        alpha=0.0,
        batch_size=case["batch"],
        learning_rate_init=case["learning_rate"],
        epsilon=EPSILON,
        shuffle=True,
        random_state=SEED,
        tol=0.0,
        n_iter_no_change=10**9,
        warm_start=True,
    )


def arrays(case: dict) -> tuple[np.ndarray, ...]:
    x, y, x_test, y_test = load(case["data"], case.get("rows"))
    return flat_float32(x), y.ravel(), flat_float32(x_test), y_test.ravel()


def scores(model: MLPClassifier, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    probabilities = model.predict_proba(x).astype("float64")
    loss = log_loss(y, probabilities, labels=model.classes_)
    return loss, accuracy_score(y, model.classes_[probabilities.argmax(1)])


def fit(job: Job) -> None:
    def prepare(case: dict) -> tuple[Callable, Callable, Callable]:
        x, y, x_test, y_test = arrays(case)
        model = classifier(case)

        def train(epochs: int) -> None:
            model.set_params(max_iter=epochs).fit(x, y)

        def train_validated(epochs: int) -> None:
            for _ in range(epochs):
                train(1)
                scores(model, x_test, y_test)

        return train, train_validated, lambda: scores(model, x_test, y_test)

    timed_cases(job, prepare)


def many(job: Job) -> None:
    case = job["cases"][0]
    x, y, _, _ = arrays(case)

    def build_and_fit() -> Callable[[], object]:
        model = classifier(case).set_params(max_iter=1)
        model.fit(x, y)
        return lambda: model.fit(x, y)

    timed_models(job, build_and_fit)


def predict(job: Job) -> None:
    case = job["cases"][0]
    x, y, _, _ = arrays({**case, "rows": 1000})
    model = classifier(case).set_params(max_iter=1).fit(x, y)
    timed_predictions(job, {"predict_proba": model.predict_proba}, model.predict_proba, lambda: 0)


TASKS = {"fit": fit, "many": many, "predict": predict}


def main() -> None:
    job = Job()
    TASKS[job["task"]](job)
    job.write("scikit-learn")


if __name__ == "__main__":
    main()
