#!/usr/bin/env python3
"""The work of work.py with AgileRL: its MADDPG agent, replay memory and `learn`. It has no independent DDPG.

Its networks are an encoder and a head; here the head is the whole network of the work's size and takes the observation
itself, and the encoder is left at its least size and not used.
"""

import warnings

import work

args = work.options(algorithms=("maddpg",))
warnings.filterwarnings("ignore")

import numpy as np
import torch
from agilerl.algorithms import MADDPG
from agilerl.components.data import MultiAgentTransition, transition_to_tensordict
from agilerl.components.replay_buffer import ReplayBuffer
from agilerl.networks import ContinuousQNetwork, DeterministicActor
from gymnasium.spaces import Box, Dict

torch.set_num_threads(1)
# Agents whose names begin alike would share their networks.
NAMES = ["left", "right"]
SEES, ACTS = Box(-1, 1, (1,), np.float32), Box(-work.LIMIT, work.LIMIT, (1,), np.float32)
JOINT = Dict(dict.fromkeys(NAMES, SEES)), Box(-work.LIMIT, work.LIMIT, (2,), np.float32)
HEAD = {"hidden_size": [work.HIDDEN, work.HIDDEN], "layer_norm": False, "output_vanish": False, "init_layers": False}
ENCODER = {"hidden_size": [8], "layer_norm": False, "min_mlp_nodes": 4}


class Actor(DeterministicActor):
    def build_network_head(self, _=None):
        self.head_net = self.create_mlp(1, 1, "actor", HEAD | {"output_activation": "Tanh"})

    def forward(self, observation):
        return self.head_net(observation)


class Critic(ContinuousQNetwork):
    def build_network_head(self, _=None):
        self.head_net = self.create_mlp(4, 1, "value", dict(HEAD))

    def forward(self, observations, actions):
        return self.head_net(torch.cat([observations[name] for name in NAMES] + [actions], -1))


def learner():
    made = MADDPG(
        [SEES, SEES], [ACTS, ACTS], agent_ids=NAMES, O_U_noise=False, expl_noise=work.NOISE / work.LIMIT, learn_step=1,
        batch_size=args.batch, lr_actor=work.LEARNING_RATE, lr_critic=work.LEARNING_RATE, gamma=work.GAMMA, tau=work.TAU,
        actor_networks=[Actor(SEES, ACTS, latent_dim=8, encoder_config=dict(ENCODER)) for _ in NAMES],
        critic_networks=[Critic(*JOINT, latent_dim=8) for _ in NAMES], device="cpu", torch_compiler=None,
    )
    for networks, inputs in [(made.actors, 1), (made.critics, 4)]:
        sizes = [sum(p.numel() for p in networks[name].head_net.parameters()) for name in NAMES]
        assert sizes == [work.parameters(inputs)] * 2, f"its networks have {sizes} parameters"
    made.set_training_mode(True)
    return made


def one_seed(seed, steps):
    torch.manual_seed(seed)
    np.random.seed(seed)
    made, memory, rewards = learner(), ReplayBuffer(1_000_000), []
    same = lambda value: {name: np.array(value, np.float32) for name in NAMES}
    observation = same([[1.0]])
    for t in range(steps):
        if t == work.WARMUP:
            clock = work.Clock()
        if t < work.WARMUP:
            raw = {name: np.random.uniform(-1, 1, (1, 1)).astype(np.float32) for name in NAMES}
            actions = {name: work.LIMIT * raw[name] for name in NAMES}
        else:
            actions, raw = made.get_action(observation)
        rewards.append(work.reward(*(float(actions[name].item()) for name in NAMES)))
        next_observation = same([[1.0]])
        seen = MultiAgentTransition(
            obs=observation, action=raw, reward=same(rewards[-1:]), next_obs=next_observation, done=same([0.0])
        )
        stored = transition_to_tensordict(seen)
        stored.batch_size = [1]
        memory.add(stored)
        observation = next_observation
        if t >= work.WARMUP:
            losses = made.learn(memory.sample(args.batch))
    assert np.isfinite([*losses.values()]).all(), f"its losses are {losses}"
    return clock(), np.mean(rewards[-work.LAST :])


if __name__ == "__main__":
    work.report(args, work.in_turn(one_seed))
