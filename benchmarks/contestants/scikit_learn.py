"""scikit-learn: MLPClassifier, one `partial_fit` an epoch, in float32."""

from common import BATCH, EPSILON, LEARNING_RATE, SEED, UNITS, Record
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier


def main() -> None:
    record = Record()
    x_train, y_train, x_test, y_test = record.load()
    x_train, x_test = record.flat_float32(x_train), record.flat_float32(x_test)
    model = MLPClassifier(
        hidden_layer_sizes=UNITS,
        activation="relu",
        solver="adam",
        alpha=0.0,
        batch_size=BATCH,
        learning_rate_init=LEARNING_RATE,
        epsilon=EPSILON,
        shuffle=True,
        random_state=SEED,
    )
    record.fit_begins()
    for _ in range(record.epochs):
        model.partial_fit(x_train, y_train, classes=range(10))
        record.epoch_ends(model.loss_)
    probabilities = model.predict_proba(x_test)
    loss = log_loss(y_test, probabilities.astype("float64"), labels=range(10))
    record.evaluated(loss, accuracy_score(y_test, probabilities.argmax(1)), "scikit-learn")


main()
