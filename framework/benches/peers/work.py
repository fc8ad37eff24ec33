"""The work that training.py times, the same for every program, and what the peers share: command line, clock and results.

Two agents play "max of two": the observation of each is [1.0], its action is in [-10, 10], both get the same reward, an
episode has 25 steps and its end is bootstrapped through (done = 0). Networks are input-100-100-1 with ReLU; actors end in
10 tanh; MADDPG's critics take both observations and actions, those of independent DDPG the agent's own. The first 1,000
steps are uniform play. In each step after that the agents act with noise N(0, 1), clipped, the transition is stored, one
batch is drawn uniformly and gathered from the replay memory, and each agent takes one update: an Adam step of its critic, an
Adam step of its actor, a soft update of both targets. All in float32. A program must not use that the observation never
changes, and must store and gather it like any other.
"""

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time

WARMUP, EPISODE, HIDDEN, LIMIT = 1000, 25, 100, 10.0
GAMMA, TAU, LEARNING_RATE, NOISE = 0.95, 0.01, 1e-3, 1.0
AGENTS = 2
# A transition as a row: both observations, both actions, the reward, both next observations, done.
ROW = 8
# Steps at the end over which the reward is averaged: 20 episodes.
LAST = 500


def reward(x, y, maximum=max):
    """What both agents get for the actions x and y."""
    return maximum(-0.8 * (((x + 5) / 3) ** 2 + ((y + 5) / 3) ** 2), 10 - (x - 5) ** 2 - (y - 5) ** 2)


def critic_inputs(alg):
    return 4 if alg == "maddpg" else 2


def parameters(inputs):
    """Numbers in a network with so many inputs."""
    return inputs * HIDDEN + HIDDEN + HIDDEN * HIDDEN + HIDDEN + HIDDEN + 1


def options(algorithms=("maddpg", "iddpg"), modes=None, spreads_seeds=False):
    """The command line. A peer that cannot spread seeds over threads is run once for each thread, before it loads a library."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--alg", choices=algorithms, default=algorithms[0])
    for name, default in [("batch", 512), ("seeds", 1), ("first-seed", 0), ("threads", 1), ("steps", 5000), ("reps", 1)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    if modes:
        parser.add_argument("--mode", choices=modes, default=modes[0])
    args = parser.parse_args()
    if args.steps <= WARMUP or min(args.batch, args.seeds, args.threads, args.reps) < 1:
        parser.error(f"--steps is {args.steps} and must be above the warm-up of {WARMUP}; the other numbers must be positive")
    if args.seeds % args.threads:
        parser.error(f"{args.seeds} seeds do not spread evenly over {args.threads} threads")
    if args.threads > 1 and not spreads_seeds:
        sys.exit(in_processes(args))
    return args


def in_processes(args):
    """This program once for each thread, each on a core of its own with its share of the seeds; prints their sum."""
    share = args.seeds // args.threads
    cores = sorted(os.sched_getaffinity(0))
    env = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    running = []
    for k in range(args.threads):
        words = ["--threads", "1", "--seeds", str(share), "--first-seed", str(args.first_seed + k * share)]
        pin = ["taskset", "-c", str(cores[k % len(cores)])]
        running.append(subprocess.Popen([*pin, sys.executable, *sys.argv, *words], stdout=subprocess.PIPE, text=True, env=env))
    lines = [line for one in running for line in one.communicate()[0].splitlines() if line.startswith("RESULT ")]
    if len(lines) != args.threads:
        return "a process of one thread failed"
    parts = [json.loads(line[7:]) for line in lines]
    total = dict(parts[0], seeds=args.seeds, threads=args.threads)
    for key in ("updates", "rss_mb", "cpu_s"):
        total[key] = sum(part[key] for part in parts)
    for key in ("train_s", "compile_s"):
        total[key] = max(part[key] for part in parts)
    total["mean_reward"] = statistics.mean(part["mean_reward"] for part in parts)
    total["ups"] = round(total["updates"] / total["train_s"], 1)
    print("RESULT " + json.dumps(total), flush=True)
    return 0


class Clock:
    """Seconds since it was made, of the wall and of the processor."""

    def __init__(self):
        self.began = time.perf_counter(), time.process_time()

    def __call__(self):
        return time.perf_counter() - self.began[0], time.process_time() - self.began[1]


def in_turn(one_seed):
    """Of a function of one seed, that returns what its clock showed and its mean reward, the `train` of `report`."""

    def train(seeds, steps):
        runs = [one_seed(seed, steps) for seed in seeds]
        walls, cpus = zip(*(seconds for seconds, _ in runs))
        return (sum(walls), sum(cpus)), [mean for _, mean in runs]

    return train


def report(args, train, compile_s=None):
    """Times `train(seeds, steps)` and prints the line of results.

    `train` returns the pair of seconds that a `Clock` showed, without the warm-up, and the mean reward of each seed at its
    end. Unless a peer says how long it compiled, a first short run is taken for that, with everything else that is slower
    the first time.
    """
    if compile_s is None:
        clock = Clock()
        train([args.first_seed], WARMUP + EPISODE)
        compile_s = clock()[0]
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    runs = [train(seeds, args.steps) for _ in range(args.reps)]
    rewards = [float(x) for x in runs[-1][1]]
    if len(rewards) != args.seeds or not all(map(math.isfinite, rewards)):
        sys.exit(f"the mean rewards of {args.seeds} seeds are {rewards}; they should be finite numbers, one a seed")
    updates = (args.steps - WARMUP) * AGENTS * args.seeds
    train_s = statistics.median(wall for (wall, _), _ in runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "alg": args.alg, "batch": args.batch, "seeds": args.seeds, "steps": args.steps, "threads": args.threads,
        "train_s": round(train_s, 3), "cpu_s": round(statistics.median(cpu for (_, cpu), _ in runs), 3),
        "compile_s": round(compile_s, 3), "updates": updates, "ups": round(updates / train_s, 1),
        "mean_reward": round(statistics.mean(rewards), 3), "rss_mb": peak // (2**20 if sys.platform == "darwin" else 2**10),
    }
    print("RESULT " + json.dumps(figures), flush=True)
