"""Measures the figures of docs/security.md and writes them into it.

`python tests/security/figures.py --docs docs/security.md` measures all of them, with real Keras
beside Gazelle (twenty minutes); `--quick` leaves out Keras (three minutes), and `--only F5 F8`
measures some. The figures are kept in figures.json; the page has the last of each. Long runs are
started by themselves and keep their figures in long_runs.json:

    python tests/models/fuzz.py --count 100000 --seed 9 --record
    python tests/models/kills.py --count 1000 --seed 9 --record
    python tests/resume/kills.py --count 200 --record
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import bad_cases
import harness
import long_runs
import measured

KEPT = Path(__file__).with_name("figures.json")
_MODELS = ("model", "weights", "tensors")  # kinds of files that are loaded
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> None:
    """Measure figures and write the pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--docs", type=Path, help="the page to write; bad_files.md is beside it")
    parser.add_argument("--quick", action="store_true", help="without Keras, and with fewer trials")
    parser.add_argument("--count", type=int, default=300, help="trials per format")
    parser.add_argument("--only", nargs="*", help="figures: F1 F3; none to write the pages alone")
    options = parser.parse_args()
    asked = measured.Options(
        options.quick, min(options.count, 60) if options.quick else options.count
    )
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for figure in measured.FIGURES:
        if figure.measure is None or (options.only is not None and figure.id not in options.only):
            continue
        begun = time.perf_counter()
        gazelle, keras = figure.measure(asked)
        kept[figure.id] = {
            "gazelle": gazelle,
            "keras": keras or kept.get(figure.id, {}).get("keras"),
            "date": datetime.date.today().isoformat(),
        }
        if figure.id == "F1" and not asked.quick:
            kept["F1"]["files"] = outcomes()
        if not asked.quick:
            KEPT.write_text(json.dumps(kept, indent=1) + "\n")
        taken = time.perf_counter() - begun
        print(
            f"{figure.id} {figure.what}: {gazelle}\n    Keras: {keras} ({taken:.0f} s)", flush=True
        )
    if options.docs and not asked.quick:
        write(options.docs, table(kept))
        write(options.docs.with_name("bad_files.md"), files_table(kept["F1"]["files"]))


def write(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page."""
    head, _, rest = page.read_text().partition(_BEGIN)
    _, mark, tail = rest.partition(_END)
    if not mark:
        raise ValueError(f"{page} has no marks {_BEGIN} and {_END}")
    page.write_text(f"{head}{_BEGIN}\n{text}\n{_END}{tail}")


def table(kept: dict[str, Any]) -> str:
    """The figures as a table."""
    lines = [f"| | Figure | Gazelle | Keras {version('keras')} |", "|---|---|---|---|"]
    for figure in measured.FIGURES:
        found = kept.get(figure.id, {})
        keras = found.get("keras") or f"{figure.keras} ({measured.EARLIER})"
        if keras.startswith("-"):
            keras = "-"
        lines.append(
            f"| {figure.id} | {figure.what} | {found.get('gazelle', measured.NOT_YET)} | {keras} |"
        )
    dates = sorted({found["date"] for found in kept.values()})
    when = (
        f"Measured on {' and '.join(dates)} with {long_runs.versions()}, keras {version('keras')}."
    )
    return "\n".join([*lines, "", when])


def outcomes() -> dict[str, tuple[str, str]]:
    """What Gazelle and Keras do with every bad file, in words, by its id."""
    ours, keras = measured.verdicts("gazelle", False), measured.verdicts("keras", False)
    return {
        case.id: (_ours(case, ours[case.id]), _theirs(case, keras.get(case.id)))
        for case in bad_cases.ALL
    }


def files_table(files: dict[str, tuple[str, str]]) -> str:
    """Every bad file with the code of its refusal and with what Keras does."""
    lines = [f"| Id | File | Gazelle | Keras {version('keras')} |", "|---|---|---|---|"]
    for case in bad_cases.ALL:
        ours, theirs = files.get(case.id, (measured.NOT_YET, measured.NOT_YET))
        lines.append(f"| {case.id} | {case.what} | {ours} | {theirs} |".replace("\\", "\\\\"))
    return "\n".join(lines)


def _ours(case: bad_cases.Case, verdict: harness.Verdict) -> str:
    if verdict.outcome == "loaded":
        return f"loads: {case.loads}" if case.loads else "**loads**"
    if verdict.outcome != "refused":
        return f"**{verdict.outcome}**"
    return f"`{verdict.code}`" if "-" in verdict.code else "refused"


def _theirs(case: bad_cases.Case, verdict: harness.Verdict | None) -> str:
    if verdict is None:
        earlier = {"R": "refuses", "L": "**loads**"}.get(case.keras[:1])
        return f"{earlier} (measured earlier)" if earlier else "-"
    did = {"unclear": "refuses", "refused": "refuses", "loaded": "loads"}.get(verdict.outcome)
    did = did or f"**{verdict.outcome}**"
    if did == "loads":
        did = did if case.kind in _MODELS else "accepts"
        did = did if case.loads else f"**{did}**"
    notes = [f"{verdict.seconds:.0f} s"] if verdict.seconds > 1 else []
    notes += [f"{verdict.megabytes:,.0f} MB"] if verdict.megabytes > 300 else []
    notes += ["opens another file"] if any("trap" in one for one in verdict.effects) else []
    notes += ["writes outside"] if any("file " in one for one in verdict.effects) else []
    return did + (f" ({', '.join(notes)})" if notes else "")


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    main()
