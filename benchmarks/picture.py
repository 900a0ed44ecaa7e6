"""The picture of the results: the peers' times as multiples of Gazelle's, on a log axis."""

from pathlib import Path

import figures
from columns import COLUMNS
from peers import CONTESTANTS
from workloads import Job

# Colors that color-blind readers can tell apart, each with its own marker.
LOOKS = {
    "gazelle_xla": ("#2ca02c", "d"),
    "jax_by_hand": ("#000000", "|"),
    "keras_jax": ("#d55e00", "o"),
    "keras_jax_steps": ("#e69f00", "s"),
    "keras_nightly": ("#cc79a7", "D"),
    "keras_tensorflow": ("#0072b2", "^"),
    "keras_torch": ("#56b4e9", "v"),
    "pytorch": ("#009e73", "P"),
    "scikit_learn": ("#7f7f7f", "X"),
}


def draw(runs: list[dict], jobs: list[Job], path: Path) -> bool:
    """Write the picture; returns False if there is nothing to draw."""
    rows = _rows(runs, jobs)
    if not rows:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        figsize=(12, 1.6 + 0.36 * len(rows)), dpi=100, layout="constrained"
    )
    seen = set()
    for place, (_, points) in enumerate(rows):
        axes.axhspan(place - 0.5, place + 0.5, color="#f4f4f4" if place % 2 else "white", zorder=0)
        for name, times in points.items():
            color, marker = LOOKS[name]
            label = None if name in seen else CONTESTANTS[name].title
            seen.add(name)
            axes.plot([times.low, times.high], [place, place], color=color, linewidth=1.5, zorder=2)
            edge = {"mew": 0.6, "mec": "white", "ms": 8}
            if marker == "|":
                edge = {"mew": 2, "mec": color, "ms": 12}
            axes.plot(
                times.middle,
                place,
                marker,
                color=color,
                linestyle="none",
                label=label,
                zorder=3,
                **edge,
            )
    axes.axvline(1, color="#2ca02c", linewidth=3, zorder=1.5, label="Gazelle")
    axes.set_xscale("log")
    axes.set_axisbelow(True)
    ticks = [1 / 32, 1 / 16, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    low, high = axes.get_xlim()
    shown = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(shown, [f"{tick:.3g}" for tick in shown])
    axes.set_xticks([], minor=True)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        "time or memory as a multiple of Gazelle's (to the right of 1: worse than Gazelle)"
    )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path)
    pyplot.close(figure)
    return True


def _rows(runs: list[dict], jobs: list[Job]) -> list[tuple[str, dict[str, figures.Spread]]]:
    """The drawn figures with their points, without figures that only Gazelle has."""
    rows = []
    for job in jobs:
        for column in COLUMNS[job.name]:
            points = {
                name: times
                for name in job.rounds
                if name in LOOKS
                and (times := figures.ratio(runs, job.name, column.figure, name, "gazelle"))
            }
            if column.drawn and points:
                rows.append((column.drawn, points))
    return rows
