"""A chain of layers trained with Adam in float64 and NumPy: the kernel's independent oracle."""

import jax
import numpy as np

FUNCTIONS = {
    "linear": (lambda z: z, lambda a: np.ones_like(a)),
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0) * 1.0),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
}
LOW, HIGH = 1e-7, float(np.float32(1 - 1e-7))


class Parameter:
    """A weight with its gradient, Adam's slots and its penalty factors `(l1, l2)`."""

    def __init__(self, value, penalty=(0.0, 0.0)):
        self.value = np.float64(value)
        self.mean, self.square, self.gradient = 0 * self.value, 0 * self.value, 0 * self.value
        self.l1, self.l2 = penalty

    def penalty(self):
        return self.l1 * np.abs(self.value).sum() + self.l2 * (self.value**2).sum()

    def update(self, alpha):
        gradient = self.gradient + self.l1 * np.sign(self.value) + 2 * self.l2 * self.value
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient**2 - self.square)
        self.value -= alpha * self.mean / (np.sqrt(self.square) + 1e-7)


class Dense:
    def __init__(self, kernel, bias=None, penalty=(0.0, 0.0), bias_penalty=(0.0, 0.0)):
        self.kernel = Parameter(kernel, penalty)
        self.bias = None if bias is None else Parameter(bias, bias_penalty)
        self.parameters = [self.kernel] + [self.bias] * (bias is not None)

    def forward(self, x):
        self.x = x
        return x @ self.kernel.value + (0 if self.bias is None else self.bias.value)

    def backward(self, d):
        self.kernel.gradient = self.x.T @ d
        if self.bias is not None:
            self.bias.gradient = d.sum(0)
        return d @ self.kernel.value.T


class Activation:
    parameters = ()

    def __init__(self, name):
        self.function, self.slope = FUNCTIONS[name]

    def forward(self, x):
        self.y = self.function(x)
        return self.y

    def backward(self, d):
        return d * self.slope(self.y)


class Normalization:
    def __init__(
        self, gamma, beta, mean, variance, epsilon=1e-3, momentum=0.99, penalty=(0.0, 0.0)
    ):
        self.gamma = Parameter(np.ones_like(mean) if gamma is None else gamma, penalty)
        self.beta = Parameter(np.zeros_like(mean) if beta is None else beta)
        self.parameters = [self.gamma] * (gamma is not None) + [self.beta] * (beta is not None)
        self.moving = [np.float64(mean), np.float64(variance)]
        self.epsilon, self.momentum = epsilon, momentum

    def forward(self, x):
        moments = x.mean(0), x.var(0)
        self.moving = [
            a * self.momentum + b * (1 - self.momentum)
            for a, b in zip(self.moving, moments, strict=True)
        ]
        self.deviation = np.sqrt(moments[1] + self.epsilon)
        self.normal = (x - moments[0]) / self.deviation
        return self.normal * self.gamma.value + self.beta.value

    def backward(self, d):
        self.gamma.gradient, self.beta.gradient = (d * self.normal).sum(0), d.sum(0)
        d = d * self.gamma.value
        return (d - d.mean(0) - self.normal * (d * self.normal).mean(0)) / self.deviation


class Dropout:
    """Masks from JAX's generator with the key `[seed, number of the batch]`."""

    parameters = ()

    def __init__(self, rate, seed):
        self.keep, self.key = 1 - rate, np.array([seed, 0], np.uint32)

    def forward(self, x):
        self.mask = np.asarray(jax.random.bernoulli(self.key, self.keep, x.shape)) / self.keep
        self.key = self.key + np.array([0, 1], np.uint32)
        return x * self.mask

    def backward(self, d):
        return d * self.mask


def head(kind, z, y):
    """Loss of each sample, gradient with respect to `z`, and which samples are correct.

    The gradient is not divided by the batch size. `kind` may end in " logits".
    """
    kind, _, logits = kind.partition(" ")
    if kind == "squared":
        y = y.reshape(z.shape)
        return ((z - y) ** 2).mean(1), 2 * (z - y) / z.shape[1], np.zeros(len(z))
    if kind == "binary":
        y = y.reshape(z.shape) * 1.0
        p = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
        c = p if logits else np.clip(p, LOW, HIGH)
        loss = -(y * np.log(c) + (1 - y) * np.log(1 - c))
        return loss[:, 0], (p - y) * (c == p), ((z if logits else p) > 0.5)[:, 0] == y[:, 0]
    t = np.eye(z.shape[1])[np.ravel(y)] if kind == "sparse" else y * 1.0
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    c = p if logits else np.clip(p, LOW, HIGH)
    unclipped = t * (c == p)
    gradient = p * unclipped.sum(1, keepdims=True) - unclipped
    return -(t * np.log(c)).sum(1), gradient, p.argmax(1) == t.argmax(1)


def train(layers, x, y, kind, *, batch, epochs, rate=1e-3, sample_weight=None):
    """Train on the samples in order; returns loss and accuracy of the last epoch."""
    x, iteration = np.float64(x).reshape(len(x), -1), 0
    sample_weight = np.ones(len(x)) if sample_weight is None else np.float64(sample_weight)
    parameters = [parameter for layer in layers for parameter in layer.parameters]
    for _ in range(epochs):
        loss = right = 0.0
        for start in range(0, len(x), batch):
            rows = slice(start, start + batch)
            a = x[rows]
            for layer in layers:
                a = layer.forward(a)
            losses, d, correct = head(kind, a, y[rows])
            penalty = sum(parameter.penalty() for parameter in parameters)
            loss += (losses * sample_weight[rows]).sum() + penalty * len(a)
            right += correct.sum()
            d = d * sample_weight[rows, None] / len(a)
            for layer in reversed(layers):
                d = layer.backward(d)
            iteration += 1
            alpha = rate * np.sqrt(1 - 0.999**iteration) / (1 - 0.9**iteration)
            for parameter in parameters:
                parameter.update(alpha)
    return loss / len(x), right / len(x)
