"""Runs Gazelle and its peers side by side: see README.md.

python benchmarks/bench.py            # everything: about 20 minutes on two cores
python benchmarks/bench.py --quick    # a trial with tiny sizes: about four minutes
python benchmarks/bench.py --workloads W1 W2 --contestants gazelle keras_jax --rounds 3
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures
import page
import processes
import workloads
from peers import CONTESTANTS, Contestant
from workloads import Job

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def main() -> None:
    """Run the chosen jobs, print ratios as they come, and write the results, also after Ctrl-C."""
    options = arguments()
    jobs = workloads.plan(options.quick, options.float64)
    jobs = [job for job in jobs if job.workload in options.workloads]
    report = {
        "device": options.device,
        "quick": options.quick,
        "begin": time.time(),
        "load": [os.getloadavg()[0]],
        "command": " ".join(["bench.py", *sys.argv[1:]]),
        "engine": processes.engine(options.device),
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for job in jobs:
                print(f"\n{job.name}. {job.how}", flush=True)
                run_job(job, options, Path(scratch), report)
                print(figures.table(job, report["runs"]), flush=True)
                save(report, options.out)
        except KeyboardInterrupt:
            report["stopped"] = True
            print("\nstopped; writing the results so far", flush=True)
    report["seconds"] = time.time() - report["begin"]
    report["load"].append(os.getloadavg()[0])
    save(report, options.out)
    print("\n" + page.targets(report))
    print(f"\nAll single runs: {options.out} ({report['seconds'] / 60:.1f} minutes)")
    for path in page.write(report, jobs, options.docs or options.out.parent):
        print(f"The page: {path}")
    if report.get("stopped"):
        sys.exit(130)


def run_job(job: Job, options: argparse.Namespace, scratch: Path, report: dict) -> None:
    """Run all rounds of a job; the order of the contestants is reversed in every other round."""
    takers = [name for name in job.rounds if any(chosen in name for chosen in options.contestants)]
    if not takers:
        return
    folders = {name: str(prepared(*kind)) for name, kind in job.data.items()}
    cache = scratch / f"cache-{job.workload}"
    rounds = 1 if options.quick else max(job.rounds[name] for name in takers)
    for turn in range(options.rounds or rounds):
        if turn and time.time() - report["begin"] > 60 * options.minutes:
            report["shortened"] = True
            return
        for name in takers if turn % 2 == 0 else takers[::-1]:
            if turn >= job.rounds[name] and not options.rounds:
                continue
            settings = given(job, name, folders, options.device)
            outcome = run_contestant(CONTESTANTS[name], settings, scratch / "work", cache)
            if "figures" in outcome:
                outcome["figures"].update(job.derive(outcome["figures"]))
            report["runs"].append({"job": job.name, "contestant": name, "round": turn, **outcome})
            print(figures.line(report["runs"][-1]), flush=True)


def run_contestant(contestant: Contestant, settings: dict, work: Path, cache: Path) -> dict:
    """Run a contestant once; see `processes.run`."""
    if contestant.empty_cache:
        processes.emptied(cache)
    if contestant.needs and not contestant.needs.exists():
        return {"failed": f"{contestant.needs.name} is not installed"}
    return processes.run(contestant.script, settings, contestant.environment, work, cache)


def save(report: dict, path: Path) -> None:
    """Write all single runs to a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


def given(job: Job, name: str, folders: dict[str, str], device: str) -> dict:
    """The settings that the contestant's script reads."""
    cases = []
    for case in job.cases:
        steps = case.get("steps", {}).get(name, 1)
        own = {"data": folders[case["data"]], "steps_per_execution": steps}
        cases.append({**case, **job.changes.get(name, {}), **own})
    settings = {**job.settings, **job.own.get(name, {}), **CONTESTANTS[name].settings}
    return {"task": job.task, "device": device, "cases": cases, **settings}


def prepared(kind: str, rows: int) -> Path:
    """The folder of made-up data, which is created on first use."""
    folder = RESULTS / "data" / f"{kind}-{rows}"
    if not (folder / "ready").exists():
        print(f"  creating data: {kind}, {rows:,} rows", flush=True)
        subprocess.run(
            [sys.executable, str(HERE / "made_up.py"), kind, str(rows), str(folder)], check=True
        )
    return folder


def arguments() -> argparse.Namespace:
    """The command line options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = list(dict.fromkeys(job.workload for job in workloads.plan()))
    parser.add_argument(
        "--workloads", nargs="+", choices=names, default=names, metavar="W1", help="default: all"
    )
    parser.add_argument(
        "--contestants",
        nargs="+",
        default=[""],
        metavar="NAME",
        help=f"contestants whose names contain NAME, of {', '.join(CONTESTANTS)}; default: all",
    )
    parser.add_argument("--rounds", type=int, help="number of rounds for all contestants")
    parser.add_argument(
        "--minutes",
        type=float,
        default=19,
        help="after this time only first rounds are run; default: 19",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a trial of everything with tiny sizes and one round"
    )
    parser.add_argument(
        "--float64", action="store_true", help="also run W1 with float64 arrays and one-hot labels"
    )
    parser.add_argument("--device", choices=list(processes.DEVICES), default="cpu")
    parser.add_argument(
        "--out", type=Path, default=RESULTS / "bench.json", help="the file for all single runs"
    )
    parser.add_argument(
        "--docs",
        type=Path,
        help="the folder for benchmarks.md and its picture; default: that of --out",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
