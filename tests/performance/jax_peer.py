"""The stack that an expert would write in JAX, as a process of its own; imports nothing of ours.

`mlp-64x64` on `gauss-nested`: vmap over networks, lax.scan over steps, jit with donated buffers, data drawn
inside, float32, our Adam and the law of our initial weights, one thread. Weights lie as torch has them,
(outputs, inputs), which XLA multiplies 8 % faster here; chunked drawing, XLA's own generator, a first layer
without a product and unrolling gained nothing.

`python jax_peer.py --steps 10000` trains once and ends. With `--turns` it waits for a line on standard input,
trains once more from the start and answers with the seconds, compilation left out. Whoever starts it binds it
to one core: XLA's flags alone leave it a second thread.
"""

import argparse
import functools
import os
import sys
import time

# JAX reads both when it is imported.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp

SIZES = (1, 64, 64, 2)
RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def initial(key):
    """Return one network's (weight, bias) by layer, uniform as torch's nn.Linear has them."""

    def layer(key, inputs, outputs):
        ends = {"minval": -(inputs**-0.5), "maxval": inputs**-0.5}
        weight, bias = jax.random.split(key)
        return jax.random.uniform(weight, (outputs, inputs), **ends), jax.random.uniform(
            bias, (outputs,), **ends
        )

    keys = jax.random.split(key, len(SIZES) - 1)
    return [layer(*each) for each in zip(keys, SIZES[:-1], SIZES[1:], strict=True)]


def draw(key, batch):
    """Return a mini-batch: N(0, 2^2) against N(1, 1)."""
    labels, normal = jax.random.split(key)
    y = jax.random.bernoulli(labels, 0.5, (batch,))
    z = jax.random.normal(normal, (batch,))
    return jnp.where(y, 1 + z, 2 * z)[:, None], y.astype(jnp.int32)


def loss(weights, x, y):
    """Return the mean cross-entropy of one network."""
    for weight, bias in weights[:-1]:
        x = jax.nn.relu(x @ weight.T + bias)
    weight, bias = weights[-1]
    log_q = jax.nn.log_softmax(x @ weight.T + bias)
    return -jnp.take_along_axis(log_q, y[:, None], axis=1).mean()


def adam(weights, mean, square, gradient, t):
    """Return weights and moments after step t (Kingma and Ba 2015)."""
    mean = jax.tree.map(lambda m, g: m + (1 - BETA1) * (g - m), mean, gradient)
    square = jax.tree.map(lambda s, g: BETA2 * s + (1 - BETA2) * g * g, square, gradient)
    rate, correction = RATE / (1 - BETA1**t), 1 / jnp.sqrt(1 - BETA2**t)

    def moved(weight, m, s):
        return weight - rate * m / (jnp.sqrt(s) * correction + EPSILON)

    return jax.tree.map(moved, weights, mean, square), mean, square


@functools.partial(jax.jit, static_argnums=1)
def start(seed, networks):
    """Return weights, moments, keys and the step count of all networks before training."""
    key = jax.random.key(seed)
    weights = jax.vmap(initial)(jax.random.split(key, networks))
    mean, square = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
    return weights, mean, square, jax.random.split(jax.random.fold_in(key, 1), networks), jnp.zeros(())


@functools.partial(jax.jit, static_argnums=(1, 2), donate_argnums=0)
def train(state, steps, batch):
    """Return the state after so many more steps."""

    def step(state, _):
        weights, mean, square, keys, t = state
        keys, now = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        x, y = jax.vmap(functools.partial(draw, batch=batch))(now)
        gradient = jax.vmap(jax.grad(loss))(weights, x, y)
        return (*adam(weights, mean, square, gradient, t + 1), keys, t + 1), None

    return jax.lax.scan(step, state, length=steps)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--cache", help="folder for compiled programs")
    parser.add_argument("--turns", action="store_true", help="train whenever a line comes")
    call = parser.parse_args()
    if call.cache:
        jax.config.update("jax_compilation_cache_dir", call.cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    trained = jax.block_until_ready(train(start(0, call.networks), call.steps, call.batch))
    if not call.turns:
        print(float(jnp.abs(trained[0][1][0]).mean()))
        return
    print("ready", flush=True)
    for seed, _ in enumerate(sys.stdin):
        state = jax.block_until_ready(start(seed, call.networks))
        clock = time.perf_counter()
        jax.block_until_ready(train(state, call.steps, call.batch))
        print(time.perf_counter() - clock, flush=True)


if __name__ == "__main__":
    main()
