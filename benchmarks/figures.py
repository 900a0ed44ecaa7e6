"""Figures from single runs: medians, ratios within a round, and verdicts on targets."""

import statistics
from typing import NamedTuple

from columns import COLUMNS
from peers import CONTESTANTS
from targets import Target
from workloads import Job

# Two runs did the same training if their accuracies differ by at most this from the median,
# or their losses by at most this share of the median.
CLOSE, LOSS_CLOSE = 0.04, 0.15


class Spread(NamedTuple):
    """A median with the lowest and the highest value."""

    middle: float
    low: float
    high: float
    count: int

    def text(self, unit: str = "") -> str:
        if self.count == 1:
            return human(self.middle, unit)
        return f"{human(self.middle, unit)} ({human(self.low, unit)} to {human(self.high, unit)})"


class Verdict(NamedTuple):
    """Whether a target was met."""

    target: Target
    measured: Spread | None
    peer: str  # the contestant it was compared with

    @property
    def met(self) -> bool:
        if self.measured is None:
            return False
        if self.target.kind == "at least":
            return self.measured.middle >= self.target.limit
        return self.measured.middle <= self.target.limit


def spread(values: list[float]) -> Spread | None:
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def human(value: float, unit: str = "") -> str:
    """Three significant digits; short times in ms or µs."""
    if unit == "s" and abs(value) < 1:
        return human(1000 * value, "ms") if abs(value) >= 0.001 else human(1e6 * value, "\u00b5s")
    digits = f"{value:,.0f}" if value == 0 or abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".strip()


def by_round(runs: list[dict], job: str, contestant: str, figure: str) -> dict[int, float]:
    """The figure by round, for the rounds in which the contestant took part."""
    return {
        run["round"]: run["figures"][figure]
        for run in runs
        if (run["job"], run["contestant"]) == (job, contestant) and figure in run.get("figures", {})
    }


def value(runs: list[dict], job: str, contestant: str, figure: str) -> Spread | None:
    """The figure over all rounds."""
    return spread(list(by_round(runs, job, contestant, figure).values()))


def ratio(runs: list[dict], job: str, figure: str, one: str, other: str) -> Spread | None:
    """The figure of `one` divided by that of `other`, over the rounds in which both took part."""
    a, b = by_round(runs, job, one, figure), by_round(runs, job, other, figure)
    return spread([a[turn] / b[turn] for turn in sorted(a) if b.get(turn)])


def verdict(target: Target, runs: list[dict]) -> Verdict:
    """The target's figure; ratios and differences are to the peer with the lowest median."""
    mine = by_round(runs, target.job, target.of, target.figure)
    if target.kind in ("value", "at least"):
        return Verdict(target, spread(list(mine.values())), "")
    other = target.other or target.figure
    peers = {name: by_round(runs, target.job, name, other) for name in target.against}
    peers = {name: values for name, values in peers.items() if values.keys() & mine.keys()}
    if not peers:
        return Verdict(target, None, "")
    best = min(peers, key=lambda name: statistics.median(peers[name].values()))
    pairs = [(mine[turn], peers[best][turn]) for turn in sorted(mine) if turn in peers[best]]
    values = [a - b if target.kind == "difference" else a / b for a, b in pairs]
    return Verdict(target, spread(values), best)


def doubts(job: Job, runs: list[dict]) -> dict[str, str]:
    """The contestants whose loss and accuracy differ from the median, with the reason."""
    found: dict[str, str] = {}
    mine = [run for run in runs if run["job"] == job.name and run.get("reached")]
    for case in dict.fromkeys(case for run in mine for case in run["reached"]):
        reached = {
            run["contestant"]: run["reached"][case] for run in mine if case in run["reached"]
        }
        loss, accuracy = (
            statistics.median(values[i] for values in reached.values()) for i in (0, 1)
        )
        for name, values in reached.items():
            if abs(values[1] - accuracy) > CLOSE and abs(values[0] - loss) > LOSS_CLOSE * abs(loss):
                found[name] = (
                    f"{case}: loss {values[0]:.3f}, accuracy {values[1]:.3f} (median {loss:.3f},"
                    f" {accuracy:.3f})"
                )
    return found


def line(run: dict) -> str:
    """The line that is printed for a run that just ended."""
    head = f"  round {run['round'] + 1} {run['contestant']:17}"
    if "failed" in run:
        return f"{head} FAILED: {run['failed'][:120]}"
    shown = [column for column in COLUMNS[run["job"]] if column.figure in run["figures"]]
    parts = [
        f"{column.heading} {human(run['figures'][column.figure], column.unit)}" for column in shown
    ]
    return f"{head} {run['wall_seconds']:5.1f} s: " + "; ".join(parts)


def table(job: Job, runs: list[dict]) -> str:
    """The job's figures and Gazelle's share of each, for the screen."""
    lines = []
    for column in COLUMNS[job.name]:
        lines.append(f"  {column.heading}")
        for name in job.rounds:
            measured = value(runs, job.name, name, column.figure)
            if measured is None:
                continue
            note = ""
            if name != "gazelle" and column.unit in ("s", "\u00b5s", "MB"):
                share = ratio(runs, job.name, column.figure, "gazelle", name)
                note = f"Gazelle takes {share.text()} of it" if share else ""
            text = f"    {CONTESTANTS[name].title:48} {measured.text(column.unit):38} {note}"
            lines.append(text.rstrip())
    lines += [f"  {name} DIFFERS: {why}" for name, why in doubts(job, runs).items()]
    return "\n".join(lines)
