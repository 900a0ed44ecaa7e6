"""JAX by hand: one jitted program trains a whole epoch in one `lax.scan`, with donated state.

This is the reference for Gazelle's engine: no layers, callbacks, progress line or anything else
that is not needed.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from common import (
    EPSILON,
    SEED,
    Job,
    clocked,
    count_compilations,
    flat_float32,
    initial_parameters,
    load,
    timed_cases,
    timed_predictions,
)

BETA_1, BETA_2 = 0.9, 0.999


def forward(parameters, x):
    """Logits `(batch, outputs)` of rows `(batch, features)`, bytes or float32."""
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) * (1 / 255)
    *hidden, (kernel, bias) = parameters
    for hidden_kernel, hidden_bias in hidden:
        x = jax.nn.relu(x @ hidden_kernel + hidden_bias)
    return x @ kernel + bias


def loss_and_correct(parameters, x, y):
    """Mean cross-entropy of the batch and the number of correct predictions.

    A single output unit is the logit of label 1.
    """
    logits = forward(parameters, x)
    if logits.shape[1] == 1:
        logit = logits[:, 0]
        loss = jnp.mean(jnp.maximum(logit, 0) - logit * y + jnp.log1p(jnp.exp(-jnp.abs(logit))))
        return loss, jnp.sum((logit > 0) == (y > 0))
    log_p = jax.nn.log_softmax(logits)
    loss = -jnp.sum(jnp.where(y[:, None] == jnp.arange(log_p.shape[1]), log_p, 0.0)) / len(y)
    return loss, jnp.sum(jnp.argmax(logits, axis=1) == y)


def step(carry, rows, x, y, rate):
    """One batch, with Adam as in Keras (epsilon is added to the uncorrected root)."""
    parameters, first, second, count, loss_sum, correct = carry
    (loss, hits), grads = jax.value_and_grad(loss_and_correct, has_aux=True)(
        parameters, x[rows], y[rows]
    )
    count = count + 1
    rate = rate * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    first = jax.tree.map(lambda m, g: m + (1 - BETA_1) * (g - m), first, grads)
    second = jax.tree.map(lambda v, g: v + (1 - BETA_2) * (g * g - v), second, grads)
    parameters = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), parameters, first, second
    )
    return parameters, first, second, count, loss_sum + loss * len(rows), correct + hits


@partial(jax.jit, static_argnames="batch", donate_argnames="state")
def epoch(state, order, x, y, rate, batch):
    """Train on all batches of `order` `(rows,)`; the last one may be shorter.

    Returns:
        The state, the mean loss and the accuracy of the epoch.
    """
    steps = len(order) // batch
    carry = (*state, jnp.float32(0), jnp.int32(0))
    batches = order[: steps * batch].reshape(-1, batch)
    carry, _ = jax.lax.scan(lambda c, rows: (step(c, rows, x, y, rate), None), carry, batches)
    if len(order) % batch:
        carry = step(carry, order[steps * batch :], x, y, rate)
    *state, loss_sum, correct = carry
    return tuple(state), loss_sum / len(order), correct / len(order)


class Network:
    """The parameters and slots with the loop over epochs."""

    def __init__(self, case: dict) -> None:
        self.case = case
        self.parameters = jax.tree.map(jnp.asarray, initial_parameters(case))
        zeros = [
            jax.tree.map(lambda p: jnp.asarray(np.zeros(p.shape, np.float32)), self.parameters)
            for _ in range(2)
        ]
        self.state = (self.parameters, *zeros, jnp.float32(0))
        self.rng = np.random.default_rng(SEED)
        self.rate = jnp.float32(case["learning_rate"])

    def train(self, x, y, epochs: int, after=lambda: None) -> None:
        """Train; the loss and accuracy of each epoch are read on the host, like those of `fit`."""
        for _ in range(epochs):
            order = self.rng.permutation(len(x)).astype(np.int32)
            self.state, loss, accuracy = epoch(
                self.state, order, x, y, self.rate, self.case["batch"]
            )
            float(loss), float(accuracy)
            after()

    def evaluate(self, x, y) -> tuple[float, float]:
        loss, correct = evaluated(self.state[0], x, y)
        return float(loss), int(correct) / len(x)


evaluated = jax.jit(loss_and_correct)


def on_device(x: np.ndarray):
    """Rows on the device, as bytes or float32."""
    return jnp.asarray(x.reshape(len(x), -1) if x.dtype == np.uint8 else flat_float32(x))


def arrays(case: dict):
    x, y, x_test, y_test = load(case["data"], case.get("rows"))
    if case.get("float64"):
        x, x_test = flat_float32(x), flat_float32(x_test)
    x, x_test = on_device(x), on_device(x_test)
    return x, jnp.asarray(y.ravel(), jnp.int32), x_test, jnp.asarray(y_test.ravel(), jnp.int32)


def fit(job: Job) -> None:
    def prepare(case: dict):
        x, y, x_test, y_test = arrays(case)
        network = Network(case)
        evaluate = partial(network.evaluate, x_test, y_test)
        return partial(network.train, x, y), partial(network.train, x, y, after=evaluate), evaluate

    timed_cases(job, prepare)


def fit_and_products(job: Job) -> None:
    """The task "fit"; with `job["products"]`, also time the matrix products of one layer."""
    fit(job)
    if job.get("products"):
        seconds = seconds_of_products(**job["products"])
        job.figure("the products of a layer (\u00b5s)", 1e6 * seconds)


def seconds_of_products(rows: int, units: int, times: int = 20_000) -> float:
    """Seconds for a layer's three products (forward, kernel gradient, input gradient) in a loop."""
    rng = np.random.default_rng(SEED)
    x, kernel = (
        jnp.asarray(rng.normal(0, 0.1, (size, units)), jnp.float32) for size in (rows, units)
    )

    @jax.jit
    def loop(x, kernel):
        def turn(carry, _):
            x, kernel = carry
            y = x @ kernel
            kernel_gradient, x_gradient = x.T @ y, y @ kernel.T
            # Each turn depends on the one before.
            return (1e-3 * x_gradient, 1e-3 * kernel_gradient), None

        return jax.lax.scan(turn, (x, kernel), length=times)[0]

    jax.block_until_ready(loop(x, kernel))
    return clocked(lambda: jax.block_until_ready(loop(x, kernel)), 3) / times


def predict(job: Job) -> None:
    """Predict with a jitted function; rows are padded to powers of two, so few sizes compile."""
    parameters = jax.tree.map(jnp.asarray, initial_parameters(job["cases"][0]))
    compilations = count_compilations()
    probabilities = jax.jit(lambda parameters, x: jax.nn.sigmoid(forward(parameters, x)))

    def call(x: np.ndarray) -> np.ndarray:
        return np.asarray(probabilities(parameters, x))

    def padded(x: np.ndarray) -> np.ndarray:
        block = np.zeros((1 << (len(x) - 1).bit_length(), x.shape[1]), x.dtype)
        block[: len(x)] = x
        return call(block)[: len(x)]

    def rows(x: np.ndarray) -> np.ndarray:
        """Predict in blocks that fit into the processor's caches; the last one is padded."""
        return np.concatenate([padded(x[at : at + 8192]) for at in range(0, len(x), 8192)])

    timed_predictions(job, {"jitted call": call}, rows, compilations)


TASKS = {"fit": fit_and_products, "predict": predict}


def main() -> None:
    job = Job()
    TASKS[job["task"]](job)
    job.write("jax")


if __name__ == "__main__":
    main()
