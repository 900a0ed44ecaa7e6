import tensorflow as tf
from tensorflow import keras
import numpy as np


class CustomModel(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        trainable_vars = self.trainable_variables
        gradients = tape.gradient(loss, trainable_vars)
        self.optimizer.apply_gradients(zip(gradients, trainable_vars))
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


inputs = keras.Input(shape=(32,))
outputs = keras.layers.Dense(1)(inputs)
np.random.seed(0)
model = CustomModel(inputs, outputs)
model.compile(optimizer="adam", loss="mse", metrics=["mae"])
x = np.random.random((320, 32))
y = np.random.random((320, 1))
h = model.fit(x, y, epochs=3, verbose=2, validation_data=(x, y))
print(h.history.keys(), model.evaluate(x, y, verbose=0))


class M2(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            p = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=p)
        self.optimizer.apply(
            tape.gradient(loss, self.trainable_variables), self.trainable_variables
        )
        for m in self.metrics:
            if m.name == "loss":
                m.update_state(loss)
            else:
                m.update_state(y, p)
        return {m.name: m.result() for m in self.metrics}


model = M2(inputs, keras.layers.Dense(1)(inputs))
model.compile(optimizer="adam", loss="mse", metrics=["mae"])
model.fit(x, y, epochs=2, verbose=2)


class M3(keras.Model):
    def train_step(self, data):
        logs = super().train_step(data)
        return logs


model = M3(inputs, keras.layers.Dense(1)(inputs))
model.compile(optimizer="adam", loss="mse", metrics=["mae"])
model.fit(x, y, epochs=2, verbose=2)
mae = keras.metrics.MeanAbsoluteError(name="mae")
lt = keras.metrics.Mean(name="loss")


class M4(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            p = self(x, training=True)
            loss = keras.losses.mean_squared_error(y, p)
        if tf.reduce_mean(loss) > 100.0:
            tf.print("big")
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        )
        lt.update_state(loss)
        mae.update_state(y, p)
        return {"loss": lt.result(), "mae": mae.result()}

    @property
    def metrics(self):
        return [lt, mae]


model = M4(inputs, keras.layers.Dense(1)(inputs))
model.compile(optimizer="adam")
model.fit(x, y, epochs=2, verbose=2)
