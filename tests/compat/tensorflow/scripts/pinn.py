import tensorflow as tf, numpy as np

tf.keras.backend.set_floatx("float32")


class PINN(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.h = [tf.keras.layers.Dense(20, activation="tanh") for _ in range(2)]
        self.o = tf.keras.layers.Dense(1)
        self.lam = tf.Variable(0.5, trainable=True, dtype=tf.float32, name="lam")

    def call(self, x):
        for l in self.h:
            x = l(x)
        return self.o(x)


m = PINN()
x = tf.reshape(tf.linspace(0.0, 1.0, 50), (-1, 1))
opt = tf.keras.optimizers.Adam(1e-2)


@tf.function
def residual(x):
    with tf.GradientTape(persistent=True) as t2:
        t2.watch(x)
        with tf.GradientTape() as t1:
            t1.watch(x)
            u = m(x)
        u_x = t1.gradient(u, x)
    u_xx = t2.gradient(u_x, x)
    return u_xx + m.lam * u, u


for i in range(60):
    with tf.GradientTape() as tape:
        r, u = residual(x)
        loss = tf.reduce_mean(tf.square(r)) + tf.reduce_mean(tf.square(u[0] - 1.0))
    g = tape.gradient(loss, m.trainable_variables)
    opt.apply_gradients(zip(g, m.trainable_variables))
    if i == 0:
        first = float(loss)
print(len(m.trainable_variables), m.lam.numpy())
with tf.GradientTape() as t:
    t.watch(x)
    y = m(x)
print(t.batch_jacobian(y, x).shape)
