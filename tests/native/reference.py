"""Training of a chain of Dense layers with Adam in float64, written out with NumPy: the kernel's independent oracle."""

import numpy as np

FUNCTIONS = {
    "linear": (lambda z: z, lambda a: np.ones_like(a)),
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0) * 1.0),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
}
LOW, HIGH = 1e-7, float(np.float32(1 - 1e-7))


def head(kind, z, y):
    """Loss of each sample, gradient by z (not divided by the batch), right answers; `kind` ends in " logits" or not."""
    kind, _, logits = kind.partition(" ")
    if kind == "squared":
        y = y.reshape(z.shape)
        return ((z - y) ** 2).mean(1), 2 * (z - y) / z.shape[1], None
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
    felt = t * (c == p)
    return -(t * np.log(c)).sum(1), p * felt.sum(1, keepdims=True) - felt, p.argmax(1) == t.argmax(1)


def train(x, y, weights, activation, kind, *, bias, batch, epochs, rate=1e-3, iteration=0):
    """Weights, and loss and accuracy of the last epoch, after epochs over the samples in their order."""
    weights = [np.float64(w) for w in weights]
    m, v = [0 * w for w in weights], [0 * w for w in weights]
    step = 2 if bias else 1
    layers = len(weights) // step
    x = np.float64(x).reshape(len(x), -1)
    function, slope = FUNCTIONS[activation]
    for _ in range(epochs):
        loss = right = 0.0
        for start in range(0, len(x), batch):
            a, rows = [x[start : start + batch]], slice(start, start + batch)
            for layer in range(layers):
                z = a[-1] @ weights[layer * step] + (weights[layer * step + 1] if bias else 0)
                a.append(function(z) if layer < layers - 1 else z)
            losses, d, correct = head(kind, a[-1], y[rows])
            loss, right = loss + losses.sum(), right + (0 if correct is None else correct.sum())
            d, gradients = d / len(losses), [np.zeros(0)] * len(weights)
            for layer in reversed(range(layers)):
                gradients[layer * step] = a[layer].T @ d
                if bias:
                    gradients[layer * step + 1] = d.sum(0)
                d = (d @ weights[layer * step].T) * slope(a[layer])
            iteration += 1
            alpha = rate * np.sqrt(1 - 0.999**iteration) / (1 - 0.9**iteration)
            for i, g in enumerate(gradients):
                m[i] += 0.1 * (g - m[i])
                v[i] += 0.001 * (g * g - v[i])
                weights[i] = weights[i] - alpha * m[i] / (np.sqrt(v[i]) + 1e-7)
    return weights, loss / len(x), right / len(x)
