#!/usr/bin/env python3
"""The work of work.py as a BenchMARL experiment: its MADDPG and IDDPG on a game of its own.

It collects a whole episode and then takes the 25 updates of every agent that belong to it, its usual way and the faster
one: the counts are those of the work, the order within an episode is not. The two agents are one group of the library with
parameters of their own. Its algorithms have target critics only: the next actions are those of the present actors.
"""

import logging
import os
import tempfile
import warnings

import work

args = work.options()
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
os.environ["TQDM_DISABLE"] = "1"

import torch
from benchmarl.algorithms import IddpgConfig, MaddpgConfig
from benchmarl.environments.common import TaskClass
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models import MlpConfig
from tensordict import TensorDict
from torchrl.data import Bounded, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

torch.set_num_threads(1)
# The group's name in all data.
GROUP = "agents"


class MaxOfTwo(EnvBase):
    def __init__(self, rewards):
        super().__init__(device="cpu", batch_size=[])
        self.rewards, self.played, shape = rewards, 0, (work.AGENTS, 1)
        group = lambda **spec: Composite({GROUP: Composite(spec, shape=(work.AGENTS,))})
        self.action_spec = group(action=Bounded(-work.LIMIT, work.LIMIT, shape))
        self.observation_spec = group(observation=Unbounded(shape))
        self.reward_spec = group(reward=Unbounded(shape))
        flags = ("done", "terminated", "truncated")
        self.done_spec = Composite({flag: Categorical(2, (1,), dtype=torch.bool) for flag in flags})

    def _set_seed(self, seed):
        torch.manual_seed(seed)

    def seen(self, **more):
        agents = TensorDict({"observation": torch.ones(work.AGENTS, 1), **more}, [work.AGENTS])
        over = torch.tensor([self.played >= work.EPISODE])
        return TensorDict({GROUP: agents, "done": over, "terminated": torch.tensor([False]), "truncated": over.clone()}, [])

    def _reset(self, *_, **__):
        self.played = 0
        return self.seen()

    def _step(self, chosen):
        self.played += 1
        self.rewards.append(work.reward(*chosen[GROUP, "action"].flatten().tolist()))
        return self.seen(reward=torch.full((work.AGENTS, 1), self.rewards[-1]))


class Task(TaskClass):
    """What an experiment asks about the game."""

    def __init__(self, rewards):
        super().__init__("MAX_OF_TWO", {})
        self.rewards = rewards

    def get_env_fun(self, *_, **__):
        return lambda: MaxOfTwo(self.rewards)

    def supports_continuous_actions(self):
        return True

    def supports_discrete_actions(self):
        return False

    def has_render(self, _):
        return False

    def max_steps(self, _):
        return work.EPISODE

    def group_map(self, _):
        return {GROUP: ["first", "second"]}

    def observation_spec(self, env):
        return env.full_observation_spec.clone()

    def action_spec(self, env):
        return env.full_action_spec

    def info_spec(self, _):
        return None

    state_spec = action_mask_spec = info_spec

    @staticmethod
    def env_name():
        return "max_of_two"


def experiment(seed, frames, rewards):
    config = ExperimentConfig.get_from_yaml()
    settings = {
        "share_policy_params": False, "gamma": work.GAMMA, "lr": work.LEARNING_RATE, "adam_eps": 1e-8, "clip_grad_val": None,
        "polyak_tau": work.TAU, "exploration_eps_init": work.NOISE, "exploration_eps_end": work.NOISE,
        "exploration_anneal_frames": frames, "max_n_frames": frames, "off_policy_n_envs_per_worker": 1,
        "off_policy_collected_frames_per_batch": work.EPISODE, "off_policy_n_optimizer_steps": work.EPISODE,
        "off_policy_train_batch_size": args.batch, "evaluation": False, "loggers": [], "create_json": False, "render": False,
        "save_folder": tempfile.gettempdir(),
    }
    for name, value in settings.items():
        assert hasattr(config, name), f"this BenchMARL has no setting {name}"
        setattr(config, name, value)
    kind = MaddpgConfig if args.alg == "maddpg" else IddpgConfig
    algorithm = kind(share_param_critic=False, loss_function="l2", delay_value=True, use_tanh_mapping=True)
    hidden = [work.HIDDEN, work.HIDDEN]
    network = MlpConfig(num_cells=hidden, layer_class=torch.nn.Linear, activation_class=torch.nn.ReLU)
    return Experiment(
        task=Task(rewards), algorithm_config=algorithm, model_config=network, critic_model_config=network, seed=seed, config=config
    )


def one_seed(seed, steps):
    rewards = []
    made = experiment(seed, steps - work.WARMUP, rewards)
    loss = made.losses[GROUP]
    for networks, inputs in [(loss.actor_network_params, 1), (loss.value_network_params, work.critic_inputs(args.alg))]:
        size, expected = sum(p.numel() for p in networks.values(True, True)), work.AGENTS * work.parameters(inputs)
        assert size == expected, f"its actors or critics have {size} parameters, not {expected}"
    for _ in range(work.WARMUP // work.EPISODE):
        episode = made.algorithm.process_batch(GROUP, MaxOfTwo(rewards).rollout(work.EPISODE))
        made.replay_buffers[GROUP].extend(episode.reshape(-1))
    clock = work.Clock()
    made.run()
    seconds = clock()
    counts = {state["step"].item() for one in made.optimizers[GROUP].values() for state in one.state.values()}
    assert counts == {steps - work.WARMUP}, f"its optimizers took {counts} steps"
    return seconds, sum(rewards[-work.LAST :]) / work.LAST


if __name__ == "__main__":
    work.report(args, work.in_turn(one_seed))
