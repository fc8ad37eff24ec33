#!/usr/bin/env python3
"""The work of work.py with Stable-Baselines3: two of its DDPG agents play side by side. It has no MADDPG.

Replay memory, networks and `train` are the library's own. The loop and its exploration noise, from NumPy, are written here,
as `learn` knows one agent only. Each agent draws its batch from a memory of its own, with the same transitions in both.
"""

import work

args = work.options(algorithms=("iddpg",))

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DDPG
from stable_baselines3.common.logger import Logger

torch.set_num_threads(1)


class OneAgent(gymnasium.Env):
    """Tells an agent its spaces; the game is played in `one_seed`."""

    observation_space = gymnasium.spaces.Box(0, 2, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-work.LIMIT, work.LIMIT, (1,), np.float32)

    def reset(self, **_):
        return np.ones(1, np.float32), {}


def agent(seed):
    made = DDPG(
        "MlpPolicy", OneAgent(), learning_rate=work.LEARNING_RATE, buffer_size=1_000_000, batch_size=args.batch, tau=work.TAU,
        gamma=work.GAMMA, device="cpu", seed=seed,
        policy_kwargs={"net_arch": [work.HIDDEN, work.HIDDEN], "activation_fn": torch.nn.ReLU},
    )
    made.set_logger(Logger(folder=None, output_formats=[]))
    sizes = [sum(p.numel() for p in net.parameters()) for net in (made.actor, made.critic)]
    assert sizes == [work.parameters(1), work.parameters(2)], f"its networks have {sizes} parameters"
    return made


def one_seed(seed, steps):
    rng = np.random.default_rng(seed)
    agents = [agent(2 * seed + i) for i in range(work.AGENTS)]
    observation, rewards = np.ones((1, 1), np.float32), []
    for t in range(steps):
        if t == work.WARMUP:
            clock = work.Clock()
        if t < work.WARMUP:
            actions = rng.uniform(-work.LIMIT, work.LIMIT, 2)
        else:
            actions = np.array([one.predict(observation)[0].item() for one in agents]) + rng.normal(0, work.NOISE, 2)
            actions = actions.clip(-work.LIMIT, work.LIMIT)
        rewards.append(work.reward(*actions.tolist()))
        next_observation = np.ones((1, 1), np.float32)
        # Its memory holds actions scaled to [-1, 1]; an episode's end is no end of the game, so done stays 0.
        for one, action in zip(agents, actions):
            scaled = np.array([[action / work.LIMIT]], np.float32)
            one.replay_buffer.add(observation, next_observation, scaled, np.array(rewards[-1:]), np.array([False]), [{}])
        observation = next_observation
        if t >= work.WARMUP:
            for one in agents:
                one.train(gradient_steps=1, batch_size=args.batch)
    assert all(one._n_updates == steps - work.WARMUP for one in agents)
    return clock(), np.mean(rewards[-work.LAST :])


if __name__ == "__main__":
    work.report(args, work.in_turn(one_seed))
