#!/usr/bin/env python3
"""Time of training: Equiflow and other frameworks on the same work, in turn.

    cargo build --release --workspace
    python3 framework/benches/peers/training.py [--peer "JAX=V/bin/python jax_peer.py"].. [--out TABLE.md]

The work is that of runs/bench: MADDPG and independent DDPG on "max of two", per seed 1,000 uniform steps and then one update
per agent and step, batches of 64, 512 and 1,024. A peer is a program that does the same work, takes `--alg --batch --seeds
--threads --steps --reps` and prints a line `RESULT {json}` with `ups`, agent updates a second without compilation. Equiflow
is timed as a whole program, records included; a peer that fails is named and left out.

All programs take their turn in every round and are pinned: to one core with one seed, or to two with two seeds. The table has
the median of the rounds with the least and the greatest, and the ratios of Equiflow to each peer, median of the ratios
within a round.
"""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
ALGORITHMS = ["maddpg", "iddpg"]
# Steps after the 1,000 of the warm-up, so that a run takes a second or more.
STEPS = {64: 4000, 512: 1000, 1024: 500}
EPISODE = 25


def equiflow(algorithm, batch, cores, steps):
    program = ROOT / "target/release/equiflow"
    if not program.exists():
        sys.exit(f"there is no {program}; run `cargo build --release --workspace`")
    changes = [f"episodes={steps // EPISODE}", f"evaluate.every={steps // EPISODE}", f"entries.0.all.batch={batch}"]
    sets = [word for change in changes for word in ("--set", change)]
    file = ROOT / f"runs/bench/{algorithm}.ron"
    return [str(program), "bench", str(file), *sets, "--seeds", str(cores), "--threads", str(cores)]


def peer(command, algorithm, batch, cores, steps):
    words = {"alg": algorithm, "batch": batch, "seeds": cores, "threads": cores, "steps": steps, "reps": 1}
    return shlex.split(command) + [word for name, value in words.items() for word in (f"--{name}", str(value))]


def updates_per_second(command, cores):
    """What a program reaches, pinned to the first cores; or why nothing."""
    threads = {name: str(len(cores)) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    pin = ["taskset", "-c", ",".join(map(str, cores))]
    done = subprocess.run(pin + command, capture_output=True, text=True, env=dict(os.environ, **threads))
    results = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode != 0 or not results:
        return None, (done.stderr.strip().splitlines() or ["it printed no RESULT line"])[-1]
    return results[-1]["ups"], None


def spread(values, form):
    return f"{form(statistics.median(values))} ({form(min(values))} to {form(max(values))})"


def table(programs, rounds, batches):
    cores_there = sorted(os.sched_getaffinity(0))
    counts = [count for count in (1, 2) if count <= len(cores_there)]
    names = list(programs)
    lines = ["| algorithm | batch | cores | " + " | ".join(names) + " | " + " | ".join(f"ratio to {n}" for n in names[1:]) + " |"]
    lines.append("|---" * (3 + 2 * len(names) - 1) + "|")
    notes = {}
    for algorithm in ALGORITHMS:
        for batch in batches:
            for count in counts:
                found = {name: [] for name in names}
                for _ in range(rounds):
                    for name, command in programs.items():
                        words = command(algorithm, batch, count, 1000 + STEPS[batch])
                        ups, error = updates_per_second(words, cores_there[:count])
                        found[name].append(ups)
                        if error:
                            notes[f"{name}, {algorithm}, batch {batch}, cores: {count}"] = error
                rates = {name: [x for x in values if x] for name, values in found.items()}
                row = [spread(rates[name], lambda x: f"{x:,.0f}") if rates[name] else "-" for name in names]
                for name in names[1:]:
                    ratios = [own / other for own, other in zip(found[names[0]], found[name]) if own and other]
                    row.append(spread(ratios, lambda x: f"{x:.2f}") if ratios else "-")
                lines.append("| " + " | ".join([algorithm, str(batch), str(count), *row]) + " |")
                print(lines[-1], file=sys.stderr)
    return lines + [""] * bool(notes) + [f"* {what}: {error}" for what, error in notes.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help="a program to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--out", type=pathlib.Path, help="also write the table to this file")
    args = parser.parse_args()
    programs = {"Equiflow": equiflow}
    for text in args.peer:
        name, _, command = text.partition("=")
        programs[name] = lambda *work, command=command: peer(command, *work)
    lines = ["Agent updates a second, median (least to greatest).", "", *table(programs, args.rounds, args.batch)]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
