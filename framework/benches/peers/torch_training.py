#!/usr/bin/env python3
"""The work of work.py in PyTorch, three ways.

* `--mode eager`: modules, autograd, fused Adam, soft updates of all tensors in one call; what most code looks like.
* `--mode compiled`: both agents in stacked tensors and the whole update, gradients and Adam included, in one graph of
  `torch.compile`. Needs a C++ compiler.
* `--mode by-hand`: every gradient written out, in place, without autograd, on plain matrix products.
"""

import copy

import work

args = work.options(modes=["eager", "compiled", "by-hand"])

import numpy as np
import torch
from torch import nn

import torch_flat

torch.set_num_threads(1)
HIDDEN, CRITIC, AGENTS = work.HIDDEN, work.critic_inputs(args.alg), range(work.AGENTS)


class Eager:
    def __init__(self):
        network = lambda inputs: nn.Sequential(
            nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)
        )
        self.networks = nn.ModuleList(nn.ModuleList(network(n) for _ in AGENTS) for n in (1, CRITIC))
        self.actors, self.critics = self.networks
        self.targets = copy.deepcopy(self.networks)
        self.pairs = list(self.targets.parameters()), list(self.networks.parameters())
        self.optimizers = [
            [torch.optim.Adam(one.parameters(), lr=work.LEARNING_RATE, fused=True) for one in group] for group in self.networks
        ]

    def act(self, observation):
        return torch.cat([action(self.actors[i], observation[i : i + 1, None])[0] for i in AGENTS])

    def update(self, rows):
        observation, actions, reward, next_observation, done = rows.split([2, 2, 1, 2, 1], 1)
        with torch.no_grad():
            next_action = torch.cat([action(self.targets[0][i], next_observation[:, i : i + 1]) for i in AGENTS], 1)
        for i in AGENTS:
            with torch.no_grad():
                next_value = self.targets[1][i](self.seen(i, next_observation, next_action))
                target = reward + work.GAMMA * (1 - done) * next_value
            loss = nn.functional.mse_loss(self.critics[i](self.seen(i, observation, actions)), target)
            self.descend(1, i, loss)
            self.critics[i].requires_grad_(False)
            columns = list(actions.split(1, 1))
            columns[i] = action(self.actors[i], observation[:, i : i + 1])
            self.descend(0, i, -self.critics[i](self.seen(i, observation, torch.cat(columns, 1))).mean())
            self.critics[i].requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(*self.pairs, work.TAU)

    def seen(self, i, observation, actions):
        own = slice(None) if args.alg == "maddpg" else slice(i, i + 1)
        return torch.cat([observation[:, own], actions[:, own]], 1)

    def descend(self, group, i, loss):
        self.optimizers[group][i].zero_grad()
        loss.backward()
        self.optimizers[group][i].step()


def action(actor, observation):
    return work.LIMIT * torch.tanh(actor(observation))


LEARNERS = {
    "eager": Eager,
    "compiled": lambda: torch_flat.Compiled(args.alg, args.batch),
    "by-hand": lambda: torch_flat.ByHand(args.alg, args.batch),
}


def one_seed(seed, steps):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    learner = LEARNERS[args.mode]()
    replay, observation = np.zeros((steps, work.ROW), np.float32), np.ones(2, np.float32)
    for t in range(steps):
        if t == work.WARMUP:
            clock = work.Clock()
        if t < work.WARMUP:
            actions = rng.uniform(-work.LIMIT, work.LIMIT, 2)
        else:
            with torch.no_grad():
                actions = learner.act(torch.from_numpy(observation)).numpy() + rng.normal(0, work.NOISE, 2)
            actions = actions.clip(-work.LIMIT, work.LIMIT)
        next_observation = np.ones(2, np.float32)
        replay[t] = [*observation, *actions, work.reward(*actions.tolist()), *next_observation, 0.0]
        observation = next_observation
        if t >= work.WARMUP:
            learner.update(torch.from_numpy(replay[rng.integers(0, t + 1, args.batch)]))
    return clock(), replay[-work.LAST :, 4].mean()


if __name__ == "__main__":
    work.report(args, work.in_turn(one_seed))
