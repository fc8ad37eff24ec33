#!/usr/bin/env python3
"""NashConv and logit equilibria of one-shot games: Equiflow, Gambit (pygambit) and OpenSpiel side by side.

    cargo build --release --workspace --examples
    python3 framework/benches/peers/theory.py [--out TABLE.md] [FILE.nfg ...]

Everything runs pinned to one core, in loops inside the processes, one program after the other; the median of five loops
counts. Times are those of the processor, so that what else a machine does is not counted. Two larger games with payoffs of a
formula come after those of the files. Peers that are not installed are left out and named. What the programs find is
compared: NashConv to 1e-9, logit equilibria to 1e-6.

* NashConv of 50 profiles, each new to the program (Gambit keeps what it has computed of a profile), Gambit's as the sum
  of `player_regret`. OpenSpiel has two: `exploitability.nash_conv`, which walks the game tree, and the function of its
  ADIDAS solvers on NumPy tensors, which is much faster; the table has both.
* The path of logit equilibria from lambda 0 with the equilibria at lambda .1, .5, 1, 2 and 5: Gambit's
  `logit_solve_lambda`, a C++ path follower. OpenSpiel follows no path; its `nonsymmetric.qre` solver descends to the
  equilibrium at one lambda. It is given lambda 1 alone, exact gradients, payoffs scaled to a range of 1, steps of 0.1, and
  is stopped at a residual of 1e-6 or after 2,000 steps; the table names the residual.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"
ROOT = pathlib.Path(__file__).resolve().parents[3]
LAMBDAS = [0.1, 0.5, 1.0, 2.0, 5.0]
PROFILES = 50
# The tree of one profile takes OpenSpiel as long as thousands of profiles on arrays.
TREE_PROFILES = 5
DESCENT_STEPS = 2000
RUNS = 5
LEAST_SECONDS = 0.1


def formula_game(folder, shape):
    """A game file whose payoffs have no pattern that a solver could use."""
    cells = 1
    for n in shape:
        cells *= n
    numbers = " ".join(str((k * k * 7919 + 104729 * k) % 1009 / 500) for k in range(cells * len(shape)))
    name = "x".join(map(str, shape)) + " by formula"
    players = " ".join(f'"P{k}"' for k in range(len(shape)))
    path = pathlib.Path(folder) / f"{name}.nfg"
    path.write_text(f'NFG 1 R "{name}" {{ {players} }} {{ {" ".join(map(str, shape))} }} {numbers}\n')
    return path


def median_seconds(work):
    """The median time of one call; cheap work is repeated."""
    times = []
    for _ in range(RUNS):
        began, calls = time.process_time(), 0
        while calls == 0 or time.process_time() - began < LEAST_SECONDS:
            work()
            calls += 1
        times.append((time.process_time() - began) / calls)
    return statistics.median(times)


def weights(shape, number):
    """The profile that Equiflow's example has under this number."""
    parts = [[1 + (7 * i + 3 * a + 11 * number) % 13 for a in range(n)] for i, n in enumerate(shape)]
    return [[p / sum(part) for p in part] for part in parts]


def equiflow(files):
    suffix = ".exe" if os.name == "nt" else ""
    program = ROOT / f"target/release/examples/theory_timing{suffix}"
    if not program.exists():
        sys.exit(f"there is no {program}; run `cargo build --release --workspace --examples`")
    paths = [str(program.parent.parent), os.environ.get("LD_LIBRARY_PATH", "")]
    env = dict(os.environ, LD_LIBRARY_PATH=os.pathsep.join(filter(None, paths)))
    lines = subprocess.run([program, *files], check=True, capture_output=True, text=True, env=env).stdout.splitlines()
    return [json.loads(line) for line in lines]


def gambit(file, _):
    import pygambit

    game = pygambit.read_nfg(str(file))
    shape = [len(player.strategies) for player in game.players]

    def new(number):
        profile = game.mixed_strategy_profile()
        for player, part in zip(game.players, weights(shape, number)):
            profile[player] = part
        return profile

    def nash_conv(profile):
        return sum(profile.player_regret(player) for player in game.players)

    times = []
    for _ in range(max(RUNS, 20)):
        profiles = [new(number) for number in range(PROFILES)]
        began = time.process_time()
        total = sum(nash_conv(profile) for profile in profiles)
        times.append((time.process_time() - began) / PROFILES)
    solve = lambda: pygambit.qre.logit_solve_lambda(game, LAMBDAS, use_strategic=True)
    found = [[float(p) for _, p in one.profile] for one in solve()]
    return {"nash_conv": statistics.median(times), "total": float(total), "path": median_seconds(solve), "found": found}


def open_spiel(file, ours):
    import numpy
    import pyspiel
    from open_spiel.python import policy
    from open_spiel.python.algorithms import exploitability
    from open_spiel.python.algorithms.adidas_utils.helpers import misc
    from open_spiel.python.algorithms.adidas_utils.helpers.nonsymmetric import exploitability as on_tensors
    from open_spiel.python.algorithms.adidas_utils.solvers.nonsymmetric import qre
    from scipy.special import softmax

    # Its own reader of game files takes no fractions and no decimals.
    shape = tuple(ours["shape"])
    game = pyspiel.create_tensor_game(ours["payoffs"], shape)
    payoffs = [numpy.array(of_player).reshape(shape) for of_player in ours["payoffs"]]
    profiles = [[numpy.array(part) for part in weights(shape, number)] for number in range(PROFILES)]
    policies = []
    for profile in profiles[:TREE_PROFILES]:
        tabular = policy.TabularPolicy(game)
        for player, part in enumerate(profile):
            tabular.action_probability_array[player, : len(part)] = part
        policies.append(tabular)
    tree = lambda: [exploitability.nash_conv(game, one) for one in policies]
    on_numpy = lambda: [on_tensors.unreg_exploitability(one, payoffs, numpy.sum) for one in profiles]

    span = max(x.max() for x in payoffs) - min(x.min() for x in payoffs)
    scaled = [x / span for x in payoffs]
    players = range(len(shape))

    def descend():
        solver = qre.Solver(temperature=1 / span, lrs=(0.1, 1.0))
        params = solver.init_vars(shape, len(shape))
        for step in range(DESCENT_STEPS):
            dist = params[0]
            values = [misc.pt_reduce(scaled[i], dist, [i]) for i in players]
            residual = max(abs(softmax(span * q) - p).max() for q, p in zip(values, dist))
            if residual < 1e-6:
                break
            pairs = {
                (i, j): numpy.stack([misc.pt_reduce(scaled[k], dist, [i, j]) for k in (i, j)])
                for i in players for j in players if i < j
            }
            params = solver.update(params, solver.compute_gradients((dist, values), pairs)[0], step)
        return residual

    began = time.process_time()
    residual = descend()
    seconds = time.process_time() - began
    same = numpy.allclose(tree(), on_numpy()[:TREE_PROFILES], rtol=1e-9)
    assert same, "its two ways to NashConv differ"
    return {
        "tree": median_seconds(tree) / TREE_PROFILES, "numpy": median_seconds(on_numpy) / PROFILES,
        "total": float(sum(on_numpy())), "descent": seconds, "residual": residual,
    }


def attempt(peer, file, ours):
    """What a peer finds, or why it finds nothing."""
    try:
        return peer(file, ours), None
    except Exception as error:  # A peer that fails is a line of the table, not the end of the others.
        return None, f"{type(error).__name__}: {error}"


def duration(seconds):
    for unit, size in [("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)]:
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def three_digits(ratio):
    return f"{ratio:.3g}" if ratio < 1000 else f"{ratio:,.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="also write the table to this file")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        lines = table(args.files + [formula_game(folder, [6, 6, 6]), formula_game(folder, [20, 20])])
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


def table(files):
    lines = [
        "| game | NashConv: Equiflow | Gambit | OpenSpiel, tree | OpenSpiel, NumPy "
        "| logit path: Equiflow | Gambit | OpenSpiel, lambda 1 only |",
        "|---|---|---|---|---|---|---|---|",
    ]
    notes = []
    for file, ours in zip(files, equiflow(files)):
        name = file.stem.split("_game")[0]
        row = [name, duration(ours["nash_conv_seconds"])]
        (theirs, gambit_error), (spiel, spiel_error) = [attempt(peer, file, ours) for peer in (gambit, open_spiel)]
        total = ours["nash_conv_total"]
        for who, found in [("Gambit", theirs), ("OpenSpiel", spiel)]:
            if found and abs(found["total"] - total) > 1e-9 * abs(total):
                notes.append(f"{name}: {who} finds a NashConv of {found['total']}, Equiflow {total}")
        ratio = lambda seconds, own: f"{duration(seconds)} ({three_digits(seconds / own)} x)"
        cell = lambda found, key, own: ratio(found[key], ours[own]) if found else "-"
        row += [cell(theirs, "nash_conv", "nash_conv_seconds")]
        row += [cell(spiel, "tree", "nash_conv_seconds"), cell(spiel, "numpy", "nash_conv_seconds")]
        row += [duration(ours["path_seconds"]), cell(theirs, "path", "path_seconds")]
        row += [cell(spiel, "descent", "path_seconds") + (f", residual {spiel['residual']:.0e}" if spiel else "")]
        if theirs:
            pairs = [zip(one, other) for one, other in zip(theirs["found"], ours["profiles"])]
            apart = [max(abs(x - y) for x, y in pair) for pair in pairs]
            off = ", ".join(f"{lam:g}" for lam, distance in zip(LAMBDAS, apart) if distance > 1e-6)
            if off:
                notes.append(f"{name}: Gambit finds other logit equilibria at lambda {off}")
        if ours["residual"] > 1e-10:
            notes.append(f"{name}: Equiflow's residual is {ours['residual']:.1e}")
        notes += [f"{name}: {who}: {error}" for who, error in [("Gambit", gambit_error), ("OpenSpiel", spiel_error)] if error]
        lines.append("| " + " | ".join(row) + " |")
    return lines + [""] * bool(notes) + [f"* {note}" for note in notes]


if __name__ == "__main__":
    main()
