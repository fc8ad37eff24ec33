#!/usr/bin/env python3
"""The work of work.py in JAX: all updates of a seed are one compiled `lax.scan`, both agents in stacked arrays.

Networks and uniform play are a program of their own, before the clock starts.

On one core seeds come one after the other (`lax.map`; stacking them with `vmap` gains nothing on a processor). With
`--threads 2` XLA gets two host devices, each with half of the seeds and a worker thread pinned to a core of its own.
Needs jax; Adam is written out, so that nothing else is needed.
"""

import os

import work

args = work.options(spreads_seeds=True)
flags = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={args.threads}"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

# The generator that costs least on a processor.
jax.config.update("jax_default_prng_impl", "rbg")
CRITIC = work.critic_inputs(args.alg)
# Which input of each agent's critic is its own action: [agent, 1, input].
OWN = jnp.eye(2, CRITIC, CRITIC - 2)[:, None] if args.alg == "maddpg" else jnp.eye(1, 2, 1)[:, None]


def network(key, inputs):
    """Weights [agent, in, out] and biases [agent, 1, out] of three layers, uniform in +-1/sqrt(in)."""
    layers = []
    for key, size in zip(jax.random.split(key, 3), [(inputs, work.HIDDEN), (work.HIDDEN, work.HIDDEN), (work.HIDDEN, 1)]):
        bound, keys = size[0] ** -0.5, jax.random.split(key)
        shapes = (work.AGENTS, *size), (work.AGENTS, 1, size[1])
        layers.append(tuple(jax.random.uniform(k, s, minval=-bound, maxval=bound) for k, s in zip(keys, shapes)))
    return layers


def forward(layers, x):
    """[agent, batch, in] to [agent, batch, 1]."""
    for weight, bias in layers[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = layers[-1]
    return x @ weight + bias


def act(actors, observation):
    return work.LIMIT * jnp.tanh(forward(actors, observation))


def critic_input(observation, action):
    """Of [agent, batch, 1] each: what each agent's critic sees, [agent, batch, CRITIC]."""
    if args.alg == "iddpg":
        return jnp.concatenate([observation, action], -1)
    joint = jnp.concatenate([observation, action])[..., 0].T
    return jnp.broadcast_to(joint, (work.AGENTS, *joint.shape))


def zero_moments(layers):
    return jax.tree.map(jnp.zeros_like, layers), jax.tree.map(jnp.zeros_like, layers)


def adam(layers, gradient, moments, count):
    first, second = moments
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
    unbias = 1 / (1 - 0.9**count), 1 / (1 - 0.999**count)
    step = lambda p, m, v: p - work.LEARNING_RATE * m * unbias[0] / (jnp.sqrt(v * unbias[1]) + 1e-8)
    return jax.tree.map(step, layers, first, second), (first, second)


def update(learner, rows, count):
    """One update of each agent with the same batch of rows [batch, ROW]."""
    actors, critics, target_actors, target_critics, actor_moments, critic_moments = learner
    per_agent = lambda first: rows[:, first : first + 2].T[..., None]
    observation, action, next_observation = per_agent(0), per_agent(2), per_agent(5)
    reward, done = rows[None, :, 4:5], rows[None, :, 7:8]
    next_value = forward(target_critics, critic_input(next_observation, act(target_actors, next_observation)))
    target = reward + work.GAMMA * (1 - done) * next_value
    seen = critic_input(observation, action)
    batch = rows.shape[0]

    def critic_loss(critics):
        return jnp.sum((forward(critics, seen) - target) ** 2) / batch

    critics, critic_moments = adam(critics, jax.grad(critic_loss)(critics), critic_moments, count)

    def actor_loss(actors):
        return -jnp.sum(forward(critics, jnp.where(OWN > 0, act(actors, observation), seen))) / batch

    actors, actor_moments = adam(actors, jax.grad(actor_loss)(actors), actor_moments, count)
    soft = lambda old, layers: jax.tree.map(lambda t, p: t + work.TAU * (p - t), old, layers)
    return actors, critics, soft(target_actors, actors), soft(target_critics, critics), actor_moments, critic_moments


def row(observation, action, next_observation):
    reward = work.reward(action[0], action[1], jnp.maximum)
    return jnp.concatenate([observation, action, reward[None], next_observation, jnp.zeros(1)])


def begin(seed):
    """Networks and warm-up of one seed: learner, replay memory, observation and key."""
    of_actors, of_critics, of_play, key = jax.random.split(jax.random.key(seed), 4)
    actors, critics = network(of_actors, 1), network(of_critics, CRITIC)
    learner = actors, critics, actors, critics, zero_moments(actors), zero_moments(critics)
    observation = jnp.ones(2)
    uniform = jax.random.uniform(of_play, (work.WARMUP, 2), minval=-work.LIMIT, maxval=work.LIMIT)
    replay = jnp.zeros((args.steps, work.ROW))
    replay = replay.at[: work.WARMUP].set(jax.vmap(lambda action: row(observation, action, observation))(uniform))
    return learner, replay, observation, key


def learn(carry):
    """All further steps of one seed; the mean reward at the end."""

    def step(carry, t):
        learner, replay, observation, key = carry
        key, of_noise, of_batch = jax.random.split(key, 3)
        action = act(learner[0], observation[:, None, None])[:, 0, 0] + work.NOISE * jax.random.normal(of_noise, (2,))
        action, next_observation = jnp.clip(action, -work.LIMIT, work.LIMIT), jnp.ones_like(observation)
        stored = row(observation, action, next_observation)
        replay = jax.lax.dynamic_update_slice(replay, stored[None], (t, 0))
        rows = replay[jax.random.randint(of_batch, (args.batch,), 0, t + 1)]
        learner = update(learner, rows, (t + 1 - work.WARMUP).astype(jnp.float32))
        return (learner, replay, next_observation, key), stored[4]

    _, rewards = jax.lax.scan(step, carry, jnp.arange(work.WARMUP, args.steps))
    return rewards[-work.LAST :].mean()


def pin_workers():
    """A worker thread of XLA to each core: else a busy machine may put both on one."""
    cores = sorted(os.sched_getaffinity(0))
    name = lambda task: open(f"/proc/self/task/{task}/comm").read().strip()
    workers = sorted(int(task) for task in os.listdir("/proc/self/task") if name(task) == "tf_XLAEigen")
    for k, worker in enumerate(workers):
        os.sched_setaffinity(worker, {cores[k % len(cores)]})


def over_seeds(function):
    """A function of one seed for all of them, in turn on each core."""
    every_seed = lambda seeds: jax.lax.map(function, seeds)
    if args.threads == 1:
        return every_seed
    mesh = jax.make_mesh((args.threads,), ("core",), axis_types=(AxisType.Auto,))
    over = PartitionSpec("core")
    return jax.shard_map(every_seed, mesh=mesh, in_specs=over, out_specs=over, check_vma=False)


def main():
    seeds = args.first_seed + jnp.arange(args.seeds)
    clock = work.Clock()
    begin_all = jax.jit(over_seeds(begin))
    learn_all = jax.jit(over_seeds(learn)).lower(begin_all(seeds)).compile()
    if args.threads > 1 and os.path.isdir("/proc/self/task"):
        pin_workers()

    def train(_seeds, _steps):
        carries = jax.block_until_ready(begin_all(seeds))
        clock = work.Clock()
        rewards = learn_all(carries).block_until_ready()
        return clock(), rewards

    # The first execution starts threads and touches memory for the first time.
    train(None, None)
    work.report(args, train, compile_s=clock()[0])


if __name__ == "__main__":
    main()
