"""Writes the page of results, docs/benchmarks.md, and its picture."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import figures
from columns import COLUMNS
from peers import CONTESTANTS
from targets import TARGETS
from workloads import Job

HOW = """\
Read the times as ratios: a machine's other guests, its clock and its memory change from minute to
minute.

- Every run is a new process. The contestants of a table take turns, and every other round runs in
  reverse order (A B C C B A). Contestants with a target have two to five rounds, slow ones one.
- A ratio compares two runs of the same round. The figure is the median over the rounds, with the
  lowest and highest in parentheses. In the tables of the workloads, "\u00d7 2" after a figure
  means twice Gazelle's figure.
- All contestants have the same network, batches, data types, Adam (epsilon 1e-7), cores and data
  (made up from a fixed seed). The loss and accuracy that each of them reached are compared; those
  that differ from the median are marked **differs**.
- The time of an epoch is that of a call that trains several, divided by their number, after a
  first call that compiled; no callbacks, nothing printed.
- Keras on JAX runs with `steps_per_execution=1`, which is how people usually run it, and with the
  best value of a sweep (see [the README](../benchmarks/README.md)), in the released version and
  in the nightly one. *At its best* is the fastest of these.
- Gazelle keeps compiled programs on disk. Where it matters, it is measured with this cache empty
  and filled. Keras keeps none.
- Peak memory is the largest resident memory of the process (`ru_maxrss`)."""


def write(report: dict, jobs: list[Job], folder: Path) -> list[Path]:
    """Write the page and its picture into `folder`; returns their paths."""
    import picture

    folder.mkdir(parents=True, exist_ok=True)
    page, drawing = folder / "benchmarks.md", folder / "benchmarks.png"
    drawn = picture.draw(report["runs"], jobs, drawing)
    parts = ["# Benchmarks", _about(report), HOW, "## Targets", targets(report)]
    parts += [f"![Each peer's time as a multiple of Gazelle's]({drawing.name})"] if drawn else []
    for job in jobs:
        if any(run["job"] == job.name for run in report["runs"]):
            parts += [f"## {job.name}", job.how, table(job, report["runs"])]
    page.write_text("\n\n".join(parts) + "\n")
    return [page, *([drawing] if drawn else [])]


def _about(report: dict) -> str:
    """The date, the machine and the versions."""
    when = datetime.fromtimestamp(report["begin"], UTC).strftime("%d %B %Y, %H:%M UTC")
    versions: dict[str, str] = {}
    for run in report["runs"]:
        versions.update(run.get("versions", {}))
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    cpu, memory = _machine()
    load = " and ".join(f"{value:.2f}" for value in report["load"])
    lines = [
        f"`make bench` on {when}, in {report['seconds'] / 60:.1f} minutes (`{report['command']}`).",
        "",
        (
            f"- Machine: {cpu}, {os.cpu_count()} cores, {memory}; {platform.system()}, Python"
            f" {platform.python_version()}; device: {report['device']}; load at start and end"
            f" {load}."
        ),
        f"- Versions: {named}.",
        f"- Gazelle's engine: {report.get('engine', 'not recorded')}.",
    ]
    if report.get("quick"):
        lines.append("- **A trial with tiny sizes (`--quick`): the figures mean nothing.**")
    if report.get("shortened"):
        lines.append("- The machine was slow: the last tables have only their first rounds.")
    if report.get("stopped"):
        lines.append("- **Stopped early: missing figures were not measured.**")
    lines += [f"- Not measured: {text}" for text in _failures(report["runs"])]
    return "\n".join(lines)


def _failures(runs: list[dict]) -> list[str]:
    """The contestants that failed, with their jobs, one line per reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        if "failed" in run:
            jobs = found.setdefault((run["contestant"], run["failed"]), [])
            if run["job"] not in jobs:
                jobs.append(run["job"])
    return [
        f"{CONTESTANTS[name].title} in {', '.join(jobs)}: {why[:200]}"
        for (name, why), jobs in found.items()
    ]


def _machine() -> tuple[str, str]:
    cpu, memory = platform.processor() or platform.machine(), "memory unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if "model name" in line
        ]
        cpu = names[0] if names else cpu
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    return cpu, memory


def targets(report: dict) -> str:
    """The table of the targets whose jobs were run."""
    ran = {run["job"] for run in report["runs"]}
    lines = ["| | target | at most | measured | compared with | |", "|---|---|---|---|---|---|"]
    for target in TARGETS:
        if target.job not in ran:
            continue
        verdict = figures.verdict(target, report["runs"])
        least = "at least " if target.kind == "at least" else ""
        measured = verdict.measured.text(target.unit) if verdict.measured else "not measured"
        peer = CONTESTANTS[verdict.peer].title if verdict.peer else ""
        word = ""
        if verdict.measured:
            word = "met" if verdict.met else "**missed**"
        limit = least + figures.human(target.limit, target.unit)
        lines.append(f"| {target.job} | {target.text} | {limit} | {measured} | {peer} | {word} |")
    return "\n".join(lines)


def table(job: Job, runs: list[dict]) -> str:
    """A job's table: the figures, each followed by its ratio to Gazelle's."""
    ran = {run["contestant"] for run in runs if run["job"] == job.name}
    names = [name for name in job.rounds if name in ran]
    columns = [
        column
        for column in COLUMNS[job.name]
        if any(figures.by_round(runs, job.name, name, column.figure) for name in names)
    ]
    doubts = figures.doubts(job, runs)
    lines = [
        "| | " + " | ".join(column.heading for column in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name in names:
        cells = [_cell(job, runs, name, column.figure, column.unit) for column in columns]
        mark = " **differs**" if name in doubts else ""
        lines.append(f"| {CONTESTANTS[name].title}{mark} | " + " | ".join(cells) + " |")
    notes = [f"{CONTESTANTS[name].title} differs in {why}." for name, why in doubts.items()]
    return "\n".join(lines) + "".join(f"\n\n{note}" for note in notes)


def _cell(job: Job, runs: list[dict], name: str, figure: str, unit: str) -> str:
    measured = figures.value(runs, job.name, name, figure)
    if measured is None:
        return ""
    text = figures.human(measured.middle, unit)
    if name != "gazelle" and unit not in ("", "%"):
        times = figures.ratio(runs, job.name, figure, name, "gazelle")
        if times:
            return f"{text}: \u00d7 {times.text()}"
    return measured.text(unit) if unit in ("s", "\u00b5s") else text
