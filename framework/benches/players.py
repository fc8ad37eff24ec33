#!/usr/bin/env python3
"""Time and memory of exact evaluation against the number of players.

    cargo build --release --workspace --examples
    python3 framework/benches/players.py [--out TABLE.md] [--plot FIGURE.svg]

Writes two-link routing (4 states, 2 links) and congestion (2 states, 4 facilities) out as tables and evaluates a mixed
profile: values of all players, best responses, NashConv. One process per line, the median of five evaluations (fewer where
they take longer than ten seconds), the most memory that the process had. Ends with the first number of players for which
tables are refused, being larger than three quarters of the free memory. The largest take minutes and 14 GB; the figure
wants matplotlib.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import process

ROOT = pathlib.Path(__file__).resolve().parents[2]
GAMES = {"two_link": [1, 2, 4, 8, 12, 16, 20, 22, 23, 24], "congestion": list(range(1, 14))}
MOST_PLAYERS = 40


def command(game, players):
    """How the example is started, with which environment."""
    program = ROOT / "target/release/examples/theory_timing"
    if not program.exists():
        sys.exit(f"there is no {program}; run `cargo build --release --workspace --examples`")
    paths = [str(program.parent.parent), os.environ.get("LD_LIBRARY_PATH", "")]
    return [str(program), game, str(players)], dict(os.environ, LD_LIBRARY_PATH=os.pathsep.join(filter(None, paths)))


def evaluate(game, players):
    """What the example says of a game, and the most memory it took in MiB."""
    words, env = command(game, players)
    out, memory = process.run(words, env)
    if out is None:
        sys.exit(f"{game} with {players} players failed")
    return json.loads(out), memory


def refusal(game, players):
    """Why a game is refused; none where it is still being computed after a second."""
    words, env = command(game, players)
    try:
        return subprocess.run(words, capture_output=True, text=True, env=env, timeout=1).stderr.strip() or None
    except subprocess.TimeoutExpired:
        return None


def duration(seconds):
    return f"{seconds:.2g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def plot(points, path):
    """Time and memory against joint actions, on logarithmic axes: straight lines of slope 1 where both are linear."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(7.5, 3.2), layout="constrained")
    for game, rows in points.items():
        for axis, column in zip(axes, (1, 2)):
            axis.loglog([row[0] for row in rows], [row[column] for row in rows], marker="o", markersize=3, label=game)
    for axis, label in zip(axes, ("evaluation, seconds", "memory of the process, MiB")):
        axis.set(xlabel="joint actions over all states", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, help="also write the table to this file")
    parser.add_argument("--plot", type=pathlib.Path, help="draw time and memory into this file")
    args = parser.parse_args()
    points = {game: [] for game in GAMES}
    lines = ["| game | players | joint actions | tables | evaluation | memory | residual |", "|---|---|---|---|---|---|---|"]
    notes = []
    for game, counts in GAMES.items():
        for players in counts:
            found, memory = evaluate(game, players)
            times = [duration(found["table_seconds"]), duration(found["seconds"])]
            cells = [game, players, f"{found['joint_actions']:,}", *times, f"{memory:.0f} MiB", f"{found['residual']:.0e}"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
            points[game].append((found["joint_actions"], found["seconds"], memory))
    for game, counts in GAMES.items():
        refusals = ((players, refusal(game, players)) for players in range(counts[-1] + 1, MOST_PLAYERS))
        players, why = next((players, why) for players, why in refusals if why)
        notes.append(f"* `{game}` with {players} players: {why}")
    lines += ["", *notes]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")
    if args.plot:
        plot(points, args.plot)


if __name__ == "__main__":
    main()
