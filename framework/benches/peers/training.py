#!/usr/bin/env python3
"""Time of training: Equiflow and other frameworks on the same work, in turn.

    cargo build --release --workspace
    python3 -m venv J && J/bin/pip install jax
    python3 -m venv T && T/bin/pip install torch stable-baselines3 benchmarl
    python3 -m venv A && A/bin/pip install agilerl peft
    python3 framework/benches/peers/training.py --python jax=J/bin/python --python torch=T/bin/python \\
        --python sb3=T/bin/python --python benchmarl=T/bin/python --python agilerl=A/bin/python --out TABLE.md

The work is that of runs/bench and of work.py: MADDPG and independent DDPG on "max of two", per seed 1,000 uniform steps and
then one update per agent and step, batches of 64, 512 and 1,024. The peers are the programs beside this file; one whose
libraries its interpreter lacks is left out and named. Another program is compared with by `--peer NAME=COMMAND` where it
takes `--alg --batch --seeds --threads --steps --reps` and prints a line `RESULT {json}` with `ups`, agent updates a second.
(AgileRL imports peft whatever is trained, but declares it only in its extras for language models.)

The work is the same but for this: Stable-Baselines3 draws a batch for each agent from a memory of its own; BenchMARL
updates after each episode instead of after each step, and has no target actors; AgileRL's and Stable-Baselines3's critics
see actions scaled to [-1, 1]; the memories of JAX and PyTorch have room for the run, the others' for a million transitions.
The slow ones, eager PyTorch and the three libraries, take a tenth of the steps after the warm-up.

All programs take their turn in every round and are pinned: to one core with one seed, or to two with two seeds. Equiflow is
timed as a whole, its warm-up, records and last evaluation included; the peers without imports, compilation, a first run and
warm-up, and all but JAX with two cores as two processes, each by its own clock. Tables have the median of the rounds with the
least and the greatest, ratios are those within a round. All of it takes about an hour; `--minutes 20` ends it after the first
round of every case and as many more as fit.
"""

import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

import tables

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ALGORITHMS = ["maddpg", "iddpg"]
WARMUP, EPISODE = 1000, 25
# Steps after the warm-up, so that a run takes about a second or more; those of a slow peer are divided by the last number.
STEPS = {64: 4000, 512: 1000, 1024: 500}
SLOW = 10


@dataclass
class Program:
    name: str
    # The words of the command before those of the work.
    command: list
    # Libraries it imports, the first of which names its interpreter in `--python`.
    libraries: list = field(default_factory=list)
    algorithms: list = field(default_factory=lambda: ALGORITHMS)
    slow: bool = False

    def words(self, algorithm, batch, cores):
        steps = WARMUP + STEPS[batch] // (SLOW if self.slow else 1) // EPISODE * EPISODE
        work = {"alg": algorithm, "batch": batch, "seeds": cores, "threads": cores, "steps": steps, "reps": 1}
        return self.command + [word for name, value in work.items() for word in (f"--{name}", str(value))]


class Equiflow(Program):
    def words(self, algorithm, batch, cores):
        episodes = (WARMUP + STEPS[batch]) // EPISODE
        changes = [f"episodes={episodes}", f"evaluate.every={episodes}", f"entries.0.all.batch={batch}"]
        sets = [word for change in changes for word in ("--set", change)]
        file = str(ROOT / f"runs/bench/{algorithm}.ron")
        return [*self.command, "bench", file, *sets, "--seeds", str(cores), "--threads", str(cores)]


def peers(pythons):
    """The programs beside this file, each with the interpreter that was given for it."""
    script = lambda key, file, *more: [pythons.get(key, sys.executable), str(HERE / file), *more]
    torch = lambda mode: script("torch", "torch_training.py", "--mode", mode)
    return [
        Program("JAX, one jitted scan", script("jax", "jax_training.py"), ["jax"]),
        Program("PyTorch, gradients by hand", torch("by-hand"), ["torch", "numpy"]),
        Program("PyTorch, compiled", torch("compiled"), ["torch", "numpy"]),
        Program("PyTorch, eager", torch("eager"), ["torch", "numpy"], slow=True),
        Program("Stable-Baselines3", script("sb3", "sb3_training.py"), ["stable_baselines3"], ["iddpg"], slow=True),
        Program("AgileRL", script("agilerl", "agilerl_training.py"), ["agilerl"], ["maddpg"], slow=True),
        Program("BenchMARL", script("benchmarl", "benchmarl_training.py"), ["benchmarl"], slow=True),
    ]


def versions(program):
    """The versions of its libraries; or None and why it cannot run."""
    if not program.libraries:
        return "", None
    names = ", ".join(program.libraries)
    code = f"import {names}\nfrom importlib.metadata import version\n"
    code += f"print(', '.join(f'{{n}} {{version(n)}}' for n in {program.libraries}))"
    try:
        done = subprocess.run([program.command[0], "-c", code], capture_output=True, text=True)
    except OSError as error:
        return None, str(error)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["it could not be started"])[-1]
    return done.stdout.strip().splitlines()[-1], None


def run(words, cores, cache):
    """The results a program prints, pinned to these cores; or None and why."""
    threads = {name: str(len(cores)) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    # What is compiled is kept within one table and never between two.
    env = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=cache, PYTHONDONTWRITEBYTECODE="1", **threads)
    pin = ["taskset", "-c", ",".join(map(str, cores))]
    done = subprocess.run(pin + words, capture_output=True, text=True, env=env)
    results = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode != 0 or not results:
        return None, (done.stderr.strip().splitlines() or ["it printed no RESULT line"])[-1]
    return results[-1], None


def measure(programs, args):
    """What every program found: (case, name) -> one entry a round, and why some found nothing."""
    there, found, notes, began = sorted(os.sched_getaffinity(0)), {}, {}, time.monotonic()
    counts = [count for count in args.cores if count <= len(there)]
    cases = [(algorithm, batch, count) for algorithm in args.alg for batch in args.batch for count in counts]
    with tempfile.TemporaryDirectory() as cache:
        for turn in range(args.rounds):
            for case in cases:
                if turn and args.minutes and time.monotonic() - began > 60 * args.minutes:
                    return found, notes | {f"round {turn + 1} of {args.rounds}": f"ended after {args.minutes:g} minutes"}
                for program in programs:
                    if case[0] not in program.algorithms:
                        continue
                    result, error = run(program.words(*case), there[: case[2]], cache)
                    found.setdefault((case, program.name), []).append(result)
                    if error:
                        notes["{}, {}, batch {}, cores: {}".format(program.name, *case)] = error
                    print(turn + 1, *case, program.name, result["ups"] if result else error, file=sys.stderr, flush=True)
    return found, notes


def processor():
    """What this machine computes with, as Linux tells it."""
    lines = [line.split(":", 1) for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if ":" in line]
    told = {key.strip(): value.strip() for key, value in lines}
    wide = "with" if "avx512f" in told.get("flags", "").split() else "without"
    return f"{os.cpu_count()} cores of {told.get('model name', 'an unknown kind')}, {wide} AVX-512"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    pair = lambda text: tuple(text.split("=", 1)) if "=" in text else parser.error(f"{text} is not of the form NAME=VALUE")
    parser.add_argument("--python", type=pair, action="append", default=[], metavar="PEER=PATH", help="the interpreter of "
                        "jax, torch, sb3, agilerl or benchmarl; else the one that runs this")
    parser.add_argument("--peer", type=pair, action="append", default=[], metavar="NAME=COMMAND", help="another program")
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="peers to leave out, by part of the name")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="no case of a later round is begun after these; the first is completed")
    parser.add_argument("--alg", nargs="+", default=ALGORITHMS, choices=ALGORITHMS)
    parser.add_argument("--batch", type=int, nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--equiflow", type=pathlib.Path, default=ROOT / "target/release/equiflow", help="the built program")
    parser.add_argument("--out", type=pathlib.Path, help="also write the tables to this file")
    return parser.parse_args()


def main():
    args = arguments()
    if not args.equiflow.exists():
        sys.exit(f"there is no {args.equiflow}; run `cargo build --release --workspace`, or name it with --equiflow")
    known = peers(dict(args.python)) + [Program(name, shlex.split(command)) for name, command in args.peer]
    chosen = [one for one in known if not any(word.lower() in one.name.lower() for word in args.without)]
    programs, with_versions, left_out = [Equiflow("Equiflow", [str(args.equiflow)])], [], {}
    for one in chosen:
        libraries, error = versions(one)
        if error:
            left_out[f"{one.name} is left out"] = error
        else:
            programs.append(one)
            with_versions.append(libraries)
    print("timed:", ", ".join(one.name for one in programs), *left_out.items(), sep="\n", file=sys.stderr)
    began = time.monotonic()
    found, notes = measure(programs, args)
    minutes = (time.monotonic() - began) / 60
    used = sorted({word for libraries in with_versions for word in libraries.split(", ") if word})
    lines = ["# Training beside other frameworks", ""]
    lines += ["Made by `training.py`, beside this file, which says what is done and its exceptions: all programs in turn,"]
    lines += [f"{args.rounds} times within {minutes:.0f} minutes, on {processor()}.", ""]
    lines += tables.markdown([one.name for one in programs], found, left_out | notes, used)
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
