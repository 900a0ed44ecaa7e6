"""Trains a 3072-200-150-10 network on CIFAR-10 with the functional API, as in the article."""

from gazelle import optimizers
from gazelle.datasets import cifar10
from gazelle.layers import Dense, Flatten, Input
from gazelle.models import Model
from gazelle.utils import set_random_seed, to_categorical


def main(epochs: int = 10) -> float:
    set_random_seed(0)  # the same network in every run
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    x_train, x_test = x_train / 255.0, x_test / 255.0
    y_train, y_test = to_categorical(y_train, 10), to_categorical(y_test, 10)

    inputs = Input(shape=(32, 32, 3))
    x = Flatten()(inputs)
    x = Dense(200, activation="relu")(x)
    x = Dense(150, activation="relu")(x)
    outputs = Dense(10, activation="softmax")(x)
    model = Model(inputs=inputs, outputs=outputs)
    model.summary()

    model.compile(
        loss="categorical_crossentropy",
        optimizer=optimizers.Adam(learning_rate=0.0005),
        metrics=["accuracy"],
    )
    model.fit(
        x_train,
        y_train,
        batch_size=32,
        epochs=epochs,
        shuffle=True,
        validation_data=(x_test, y_test),
    )
    loss, accuracy = model.evaluate(x_test, y_test)
    print(f"test loss {loss:.4f}, test accuracy {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
