import tensorflow as tf, numpy as np

W = tf.Variable(tf.random.normal([1]), name="weight")
b = tf.Variable(0.0)
X = np.linspace(0, 1, 100)
Y = 3 * X + 2


def model(x):
    return x * W + b


def loss(y, p):
    return tf.reduce_mean(tf.square(y - p))


opt = tf.optimizers.SGD(0.5)
for i in range(200):
    with tf.GradientTape() as g:
        l = loss(Y, model(X))
    dW, db = g.gradient(l, [W, b])
    W.assign_sub(0.5 * dW)
    b.assign_sub(db * 0.5)
print(W.numpy(), b.numpy(), l.numpy())


@tf.custom_gradient
def log1pexp(x):
    e = tf.exp(x)

    def grad(upstream):
        return upstream * (1 - 1 / (1 + e))

    return tf.math.log(1 + e), grad


x = tf.constant(100.0)
with tf.GradientTape() as g:
    g.watch(x)
    y = log1pexp(x)
print(g.gradient(y, x))
x = tf.Variable(2.0)
with tf.GradientTape(persistent=True) as t:
    y = x**2
    z = y * x
print(t.gradient(z, x), t.gradient(y, x), t.gradient(z, y), t.gradient(z, {"a": x, "b": y}))
x = tf.constant([1.0, 2.0])
with tf.GradientTape() as t:
    y = x * 2
print(t.gradient(y, x))
opt = tf.keras.optimizers.Adam(0.1)
v = tf.Variable(5.0)
for _ in range(50):
    opt.minimize(lambda: (v - 1) ** 2, var_list=[v])
print(v.numpy())
