"""The Markdown tables of training.py."""

import statistics


def spread(values, form):
    if not values:
        return "-"
    middle = form(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({form(min(values))} to {form(max(values))})"


def values(found, case, name, figure):
    return [one[figure] for one in found.get((case, name), []) if one and one.get(figure) is not None]


def ratios(found, case, first, name):
    pairs = zip(found.get((case, first), []), found.get((case, name), []))
    return [own["ups"] / other["ups"] for own, other in pairs if own and other]


def table(head, rows):
    line = lambda cells: "| " + " | ".join(cells) + " |"
    return [line(head), "|---" * len(head) + "|", *map(line, rows), ""]


def markdown(names, found, notes, versions):
    """`found` maps a case, (algorithm, batch, cores), and a name to the results of each round; `names` has Equiflow first."""
    cases = list(dict.fromkeys(case for case, _ in found))
    first, *others = names
    head, whole = ["algorithm", "batch", "cores"], lambda x: f"{x:,.0f}"
    by_case = lambda cells, these: [[*map(str, case), *(cells(case, name) for name in these)] for case in cases]
    rates = by_case(lambda case, name: spread(values(found, case, name, "ups"), whole), names)
    shares = by_case(lambda case, name: spread(ratios(found, case, first, name), lambda x: f"{x:.2f}"), others)
    # The greatest of all rounds: what is compiled on one core is kept for two, and for the rounds after the first.
    most = lambda figure, form: lambda case, name: form(max(values(found, case, name, figure), default=None))
    seconds = lambda x: "-" if x is None else f"{x:.1f}"
    memory = lambda x: "-" if x is None else whole(x)
    lines = ["Agent updates a second, median of the rounds (least to greatest).", "", *table(head + names, rates)]
    if others:
        lines += [f"How many times as fast {first} is.", "", *table(head + others, shares)]
    lines += ["Peak memory, MiB, the greatest of the rounds; of several processes the sum.", ""]
    lines += table(head + names, by_case(most("rss_mb", memory), names))
    lines += [
        "Seconds before training, the greatest of the rounds: setting up, compiling and a first run, which is as long as what is",
        "timed with JAX, 25 steps with the other peers, none with Equiflow. Starting Python and its imports are not in it, loading",
        "Equiflow's libraries is. What PyTorch compiled for one core it finds again for two.",
        "",
    ]
    lines += table(head + names, by_case(most("compile_s", seconds), names))
    if versions:
        lines += ["Versions: " + ", ".join(versions) + ".", ""]
    return lines + [f"* {what}: {why}" for what, why in notes.items()]
