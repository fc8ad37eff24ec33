#!/usr/bin/env python3
"""Time and memory of a run against seeds, players, hidden width, batch and replay size.

    cargo build --release --workspace
    python3 framework/benches/growth.py [--out TABLE.md] [--plot FIGURE.svg] [--rounds 1 --seconds 0.2]

Everything but the one quantity stays as it is: 1 seed of MADDPG, 2 players of "max of two", hidden layers of 100-100,
batches of 128, one update per player and step; seeds also with GPI, DDPG and MASQL (batches of 64), players in routing on two
links, replay sizes with 100 instances, which fill the memory soon. An *update step* is an environment step in which all
players of all seeds update. Its time is the difference between two runs, a long one and one that stops a few updates after
the warm-up, over the steps that the long one has more: set-up, warm-up and the evaluations, one episode of 25 steps each and
as many in both, drop out. The ends of the training episodes stay in it.
Memory is the most that the process of the long run had.

One thread on one core, pinned. Seconds are those that the core worked on the run, to a hundredth, so that other programs on
it count for little; the long run has so many steps that the difference is `--seconds`. All points take their turn in every
round; the table has the median of the rounds with the least and the greatest, and the exponent between neighbours: log(y2 / y1) /
log(x2 / x1), 1 where y grows in proportion to x. The figure, which wants matplotlib, has proportional growth as a dashed line.

What is expected, of time:

* seeds: linear, since seeds share nothing;
* players: above linear. N players learn, and what each critic reads grows with N: N (N c + 100) 100 operations for c numbers
  of a player in it, which is linear while N c is far below 100 and quadratic far above;
* hidden width: quadratic once the product between the two hidden layers outweighs what is done once per neuron;
* batch: linear, once products outweigh the optimiser, which is done once per parameter;
* replay size: none, but for transitions that have to come from memory instead of a cache.

And of memory: the process with its libraries, which stays, and on top of it what is linear in seeds and replay size (4 bytes
for each number of a transition), in batch times width, and quadratic in width.
"""

import argparse
import importlib.util
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile

import process

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARMUP, EPISODE = 64, 25
# Copies of the game that fill a replay memory.
INSTANCES = 100
# Least updates before the clock starts: the first ones allocate.
FIRST = 2
# Least and most steps between the two runs, whole episodes. They bound the steps only: the warm-up comes on top, and the
# least may take longer than was asked for.
LEAST, MOST = EPISODE, 4_000_000
# What each algorithm calls its warm-up.
WARMUPS = {"gpi": ["warmup", "learn_from"]}
AXES = {
    "seeds": [1, 2, 5, 10, 20, 50, 100, 200],
    "players": [2, 4, 8, 12, 16],
    "hidden width": [32, 64, 128, 256, 512],
    "batch": [16, 32, 64, 128, 256, 512, 1024, 2048],
    "replay size": [1_000, 10_000, 100_000, 1_000_000],
}
ALGORITHMS = {"seeds": ["maddpg", "gpi", "ddpg", "masql"]}
RUN = """Run(
    name: "growth", seeds: {seeds}, instances: {instances}, episodes: {episodes}, steps: {steps}, game: {game},
    evaluate: (every: {episodes}, best_response: 0),
    entries: [Entry(label: "{algorithm}", all: {algorithm}(
        hidden: [{width}, {width}], batch: {batch}, buffer: {buffer}, {warmups}, warmup_play: uniform,
    ))],
)
"""


def episodes(steps):
    """The least number of episodes that have so many steps."""
    return math.ceil(steps / EPISODE)


class Point:
    """One quantity at one value, for one algorithm."""

    def __init__(self, axis, algorithm, value):
        self.axis, self.algorithm, self.value = axis, algorithm, value
        self.steps, self.times, self.memory = None, [], []

    def run_file(self, extra):
        """The run of this point, with so many steps, whole episodes, after the first updates."""

        def of(axis, otherwise):
            return self.value if axis == self.axis else otherwise

        # A memory whose size is in question is full when learning begins.
        instances, warmup = (INSTANCES, self.value // INSTANCES) if self.axis == "replay size" else (1, WARMUP)
        warmups = (f"{name}: {warmup}" for name in WARMUPS.get(self.algorithm, ["warmup"]))
        game = f"routing(network: pigou, players: {self.value})" if self.axis == "players" else "max_of_two()"
        return RUN.format(
            seeds=of("seeds", 1), instances=instances, episodes=episodes(warmup + FIRST) + episodes(extra), steps=EPISODE,
            game=game, algorithm=self.algorithm, width=of("hidden width", 100),
            batch=of("batch", 64 if self.axis == "seeds" else 128), buffer=of("replay size", 1_000_000),
            warmups=", ".join(warmups),
        )  # fmt: skip

    def run(self, core, extra):
        """Core-seconds of training, and the most memory that the process took in MiB."""
        program = ROOT / "target/release/equiflow"
        if not program.exists():
            sys.exit(f"there is no {program}; run `cargo build --release --workspace`")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "growth.ron"
            file.write_text(self.run_file(extra))
            out, memory = process.run([str(program), "bench", str(file)], dict(os.environ, TMPDIR=folder), core)
        results = [json.loads(line[7:]) for line in (out or "").splitlines() if line.startswith("RESULT ")]
        if not results:
            sys.exit(f"{self.algorithm} with {self.axis} of {self.value:,} failed:\n{self.run_file(extra)}")
        return results[-1]["cpu_s"], memory

    def measure(self, core, seconds):
        """Another round."""
        start, _ = self.run(core, 0)
        if self.steps is None:
            # A difference of a tenth is enough to judge by.
            steps, difference = LEAST, self.run(core, LEAST)[0] - start
            while difference < seconds / 10 and steps < MOST:
                steps = min(8 * steps, MOST)
                difference = self.run(core, steps)[0] - start
            self.steps = EPISODE * episodes(min(MOST, steps * seconds / max(difference, 0.01)))
        end, memory = self.run(core, self.steps)
        self.times.append((end - start) / self.steps)
        self.memory.append(memory)

    def time(self):
        return statistics.median(self.times)

    def peak(self):
        return statistics.median(self.memory)


def duration(seconds):
    # What three digits round up to 1 is written as 1.
    unit, factor = next((unit for unit in (("s", 1), ("ms", 1e3)) if seconds * unit[1] >= 0.9995), ("µs", 1e6))
    return f"{factor * seconds:.3g} {unit}"


def exponent(before, point, quantity):
    """How a quantity has grown since the point before, as a power of the value."""
    if before is None:
        return "-"
    # Disturbances can exceed a short measurement.
    if min(quantity(before), quantity(point)) <= 0:
        return "?"
    return f"{math.log(quantity(point) / quantity(before)) / math.log(point.value / before.value):.2f}"


def table(curves):
    head = ["", "", "value", "update step (least to greatest)", "exponent", "memory", "exponent"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for points in curves:
        for before, point in zip([None, *points], points):
            time = f"{duration(point.time())} ({duration(min(point.times))} to {duration(max(point.times))})"
            exponents = [exponent(before, point, quantity) for quantity in (Point.time, Point.peak)]
            cells = [point.axis, point.algorithm, f"{point.value:,}", time, exponents[0], f"{point.peak():.0f} MiB", exponents[1]]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def plot(curves, path):
    """A column of panels per quantity, time above memory, on logarithmic axes."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    axes_there = list(dict.fromkeys(points[0].axis for points in curves))
    size = (2.7 * len(axes_there) + 0.4, 5.0)
    figure, panels = pyplot.subplots(
        2, len(axes_there), figsize=size, sharex="col", sharey="row", squeeze=False, layout="constrained"
    )
    quantities = [(Point.time, "update step, seconds"), (Point.peak, "memory of the process, MiB")]
    for (quantity, label), row in zip(quantities, panels):
        row[0].set_ylabel(label)
        for axis, panel in zip(axes_there, row):
            for points in (points for points in curves if points[0].axis == axis):
                values = [point.value for point in points]
                panel.loglog(values, [quantity(p) for p in points], marker="o", markersize=3, label=points[0].algorithm)
            panel.grid(alpha=0.3)
        # The lines may leave the panels, whose limits are those of the points.
        limits = row[0].get_ylim()
        for axis, panel in zip(axes_there, row):
            panel.set_ylim(limits)
            # Most of the memory is there with the first seed, and grows in proportion to nothing else.
            if quantity is Point.peak and axis != "seeds":
                continue
            # Through the first curve's last point, where what is done only once counts least.
            points = next(points for points in curves if points[0].axis == axis)
            ends = [points[0].value, points[-1].value]
            line = [quantity(points[-1]) * value / ends[1] for value in ends]
            panel.plot(ends, line, color="0.6", linestyle="--", linewidth=1, label="in proportion", zorder=0)
    for axis, panel, top in zip(axes_there, panels[1], panels[0]):
        values = sorted({point.value for points in curves for point in points if point.axis == axis})
        panel.set_xticks(values, [f"{value:,}" for value in values], fontsize="x-small")
        panel.set_xticks([], minor=True)
        panel.set_xlabel(axis)
        top.legend(fontsize="x-small", loc="upper left")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axes", nargs="+", default=list(AXES), choices=list(AXES), help="which quantities")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a measurement takes")
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)), help="where everything runs")
    parser.add_argument("--out", type=pathlib.Path, help="also write the table to this file")
    parser.add_argument("--plot", type=pathlib.Path, help="draw time and memory into this file")
    args = parser.parse_args()
    if args.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot draws with matplotlib, which this Python lacks: pip install matplotlib")
    pairs = [(axis, algorithm) for axis in args.axes for algorithm in ALGORITHMS.get(axis, ["maddpg"])]
    curves = [[Point(axis, algorithm, value) for value in AXES[axis]] for axis, algorithm in pairs]
    for _ in range(args.rounds):
        for point in (point for points in curves for point in points):
            point.measure(args.core, args.seconds)
            said = f"{point.axis} {point.algorithm} {point.value:,}: {duration(point.times[-1])}, {point.memory[-1]:.0f} MiB"
            print(said, file=sys.stderr)
    lines = table(curves)
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")
    if args.plot:
        plot(curves, args.plot)


if __name__ == "__main__":
    main()
