"""JAX by hand: one jitted program trains a whole epoch in one `lax.scan`; parameters and slots are donated.

The yardstick for Gazelle's engine: no layers, no callbacks, no progress, nothing that is not needed.
"""

import jax
import jax.numpy as jnp
import numpy as np
from common import BATCH, EPSILON, LEARNING_RATE, SEED, Record, initial_parameters

BETA_1, BETA_2 = 0.9, 0.999


def forward(parameters, x):
    """Logits `(batch, 10)` of rows `(batch, 3072)`, bytes or float32."""
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) * (1 / 255)
    *hidden, (kernel, bias) = parameters
    for hidden_kernel, hidden_bias in hidden:
        x = jax.nn.relu(x @ hidden_kernel + hidden_bias)
    return x @ kernel + bias


def loss_and_correct(parameters, x, y):
    """Mean cross entropy of the batch, and how many labels are hit."""
    logits = forward(parameters, x)
    log_p = jax.nn.log_softmax(logits)
    loss = -jnp.sum(jnp.where(y[:, None] == jnp.arange(log_p.shape[1]), log_p, 0.0)) / len(y)
    return loss, jnp.sum(jnp.argmax(logits, axis=1) == y)


def step(carry, rows, x, y):
    """One batch: Adam as Keras writes it (epsilon beside the uncorrected root)."""
    parameters, first, second, count, loss_sum, correct = carry
    (loss, hits), grads = jax.value_and_grad(loss_and_correct, has_aux=True)(parameters, x[rows], y[rows])
    count = count + 1
    rate = LEARNING_RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    first = jax.tree.map(lambda m, g: m + (1 - BETA_1) * (g - m), first, grads)
    second = jax.tree.map(lambda v, g: v + (1 - BETA_2) * (g * g - v), second, grads)
    parameters = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), parameters, first, second)
    return parameters, first, second, count, loss_sum + loss * len(rows), correct + hits


@jax.jit(donate_argnames="state")
def epoch(state, order, x, y):
    """All batches of `order` `(rows,)`, the last one shorter; returns the state and the epoch's mean loss."""
    steps = len(order) // BATCH
    carry = (*state, jnp.float32(0), jnp.int32(0))
    carry, _ = jax.lax.scan(
        lambda c, rows: (step(c, rows, x, y), None), carry, order[: steps * BATCH].reshape(-1, BATCH)
    )
    if len(order) % BATCH:
        carry = step(carry, order[steps * BATCH :], x, y)
    *state, loss_sum, correct = carry
    return tuple(state), loss_sum / len(order), correct / len(order)


def main() -> None:
    record = Record()
    x_train, y_train, x_test, y_test = record.load()
    if record.mode == "bytes":
        x_train, x_test = (jnp.asarray(x.reshape(len(x), -1)) for x in (x_train, x_test))
    else:
        x_train, x_test = (jnp.asarray(record.flat_float32(x)) for x in (x_train, x_test))
    y_train, y_test = jnp.asarray(y_train, jnp.int32), jnp.asarray(y_test, jnp.int32)
    rng = np.random.default_rng(SEED)
    parameters = jax.tree.map(jnp.asarray, initial_parameters(x_train.shape[1]))
    zeros = [jax.tree.map(lambda p: jnp.asarray(np.zeros(p.shape, np.float32)), parameters) for _ in range(2)]
    state = (parameters, *zeros, jnp.float32(0))

    record.fit_begins()
    for _ in range(record.epochs):
        state, loss, _ = epoch(state, rng.permutation(len(x_train)).astype(np.int32), x_train, y_train)
        record.epoch_ends(loss)

    loss, correct = jax.jit(loss_and_correct)(state[0], x_test, y_test)
    record.evaluated(loss, int(correct) / len(y_test), "jax")


main()
