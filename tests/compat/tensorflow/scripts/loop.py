import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
import numpy as np, time

np.random.seed(0)
x_train = np.random.rand(512, 784)
y_train = (x_train[:, 0] * 10).astype(int)
train_dataset = (
    tf.data.Dataset.from_tensor_slices((x_train.astype("float32"), y_train))
    .shuffle(buffer_size=1024)
    .batch(64)
)
val_dataset = tf.data.Dataset.from_tensor_slices(
    (x_train[:128].astype("float32"), y_train[:128])
).batch(64)
inputs = keras.Input(shape=(784,), name="digits")
x = layers.Dense(64, activation="relu")(inputs)
x = layers.Dense(64, activation="relu")(x)
outputs = layers.Dense(10, name="predictions")(x)
model = keras.Model(inputs=inputs, outputs=outputs)
optimizer = keras.optimizers.SGD(learning_rate=1e-2)
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
train_acc_metric = keras.metrics.SparseCategoricalAccuracy()
val_acc_metric = keras.metrics.SparseCategoricalAccuracy()


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss_value = loss_fn(y, logits)
        loss_value += sum(model.losses)
    grads = tape.gradient(loss_value, model.trainable_weights)
    optimizer.apply_gradients(zip(grads, model.trainable_weights))
    train_acc_metric.update_state(y, logits)
    return loss_value


@tf.function
def test_step(x, y):
    val_logits = model(x, training=False)
    val_acc_metric.update_state(y, val_logits)


for epoch in range(4):
    start_time = time.time()
    for step, (x_batch_train, y_batch_train) in enumerate(train_dataset):
        loss_value = train_step(x_batch_train, y_batch_train)
        if step % 4 == 0:
            print(
                "Training loss (for one batch) at step %d: %.4f" % (step, float(loss_value)),
                loss_value.numpy(),
            )
            print("Seen so far: %d samples" % ((step + 1) * 64))
    train_acc = train_acc_metric.result()
    print("Training acc over epoch: %.4f" % (float(train_acc),))
    train_acc_metric.reset_states()
    for x_batch_val, y_batch_val in val_dataset:
        test_step(x_batch_val, y_batch_val)
    print("Validation acc: %.4f" % (float(val_acc_metric.result()),))
    print("Time taken: %.2fs" % (time.time() - start_time))
