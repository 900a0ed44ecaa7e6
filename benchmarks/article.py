"""The article's network under Gazelle and its peers, side by side in one run: see README.md.

python benchmarks/article.py                      # everything, two rounds: some 20 minutes on two cores
python benchmarks/article.py --contestants gazelle keras_jax --modes bytes --rounds 3
python benchmarks/article.py --rows 3200 --epochs 2 --rounds 1 --source made-up    # a trial, seconds each
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
CONTESTANTS = {
    "gazelle": ("Gazelle", "gazelle_.py"),
    "keras_jax": ("Keras on JAX", "keras_jax.py"),
    "keras_tensorflow": ("Keras on TensorFlow", "keras_tensorflow.py"),
    "keras_torch": ("Keras on PyTorch", "keras_torch.py"),
    "pytorch": ("PyTorch, fused Adam", "pytorch.py"),
    "scikit_learn": ("scikit-learn", "scikit_learn.py"),
    "jax_by_hand": ("JAX by hand, lax.scan", "jax_by_hand.py"),
}
REFERENCE = "keras_jax"
MODES = {"bytes": "uint8 images, scaled in the model", "float64": "float64 arrays, x / 255.0"}
CPU_ONLY = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
CLOSE = 0.04  # test accuracies within this of the median count as the same training


def main() -> None:
    """Run the contestants in turns, print the tables, write the figures to a file."""
    options = arguments()
    source = options.source or ("cifar10" if shared_data().exists() else "made-up")
    data = RESULTS / f"data-{source}-{options.rows}"
    if not (data / "y_test.npy").exists():
        print(f"preparing the data ({source}) ...", flush=True)
        prepare(data, source, options)
    runs = []
    with tempfile.TemporaryDirectory() as caches:
        for mode in options.modes:
            for turn in range(options.rounds):
                order = options.contestants if turn % 2 == 0 else options.contestants[::-1]
                for name in order:
                    for epochs in (1, options.epochs):
                        run = measure(name, mode, epochs, data, Path(caches))
                        runs.append({"contestant": name, "mode": mode, "round": turn, "epochs": epochs, **run})
                        print(progress(runs[-1]), flush=True)
    report = {"machine": machine(), "data": source, "rows": options.rows, "epochs": options.epochs, "runs": runs}
    report["summary"] = {
        mode: {name: summarize([r for r in runs if (r["contestant"], r["mode"]) == (name, mode)], options.epochs)
               for name in options.contestants}
        for mode in options.modes
    }  # fmt: skip
    for mode in options.modes:
        print(table(mode, report))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nAll figures: {options.out}")


def arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contestants", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--epochs", type=int, default=5, help="epochs of the long run; the first is not counted (5)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each contestant has its turn (2)")
    parser.add_argument("--rows", type=int, default=50_000, help="training images (50000)")
    parser.add_argument("--source", choices=["cifar10", "made-up"], help="the images; CIFAR-10 if it is there")
    parser.add_argument("--out", type=Path, default=RESULTS / "article.json")
    options = parser.parse_args()
    if options.epochs < 2:
        parser.error(f"--epochs must be 2 or more, because the first is not counted; received {options.epochs}")
    return options


def shared_data() -> Path:
    """The folder of images beside the checkout, which need not be there."""
    return HERE.parent.parent / "shared" / "data"


def prepare(data: Path, source: str, options: argparse.Namespace) -> None:
    """Make the .npy files in a process of its own."""
    command = [sys.executable, str(HERE / "prepare.py"), str(data), "--source", source, "--rows", str(options.rows)]
    command += ["--test-rows", str(max(options.rows // 5, 1)), "--cache", str(RESULTS / "cache")]
    subprocess.run(command, check=True)


def measure(name: str, mode: str, epochs: int, data: Path, caches: Path) -> dict:
    """One fresh process: its own times, plus the time from its start to the evaluated model and its peak memory."""
    result = caches / "result.json"
    result.unlink(missing_ok=True)
    environment = {**os.environ, **CPU_ONLY, "GAZELLE_HOME": str(caches / "gazelle")}
    command = [sys.executable, str(HERE / "contestants" / CONTESTANTS[name][1])]
    command += ["--mode", mode, "--epochs", str(epochs), "--data", str(data), "--result", str(result)]
    log = caches / "log.txt"
    with log.open("w") as output:
        started = time.time()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        ended = time.time()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or not result.exists():
        return {"failed": log.read_text(errors="replace")[-2000:] or f"exit status {process.returncode}"}
    record = json.loads(result.read_text())
    return {
        **record,
        "start_to_evaluated": record.pop("finished") - started,
        "whole_process": ended - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6,
    }


def summarize(runs: list[dict], epochs: int) -> dict:
    """The figures of one contestant in one mode, over all rounds."""
    failed = [run["failed"] for run in runs if "failed" in run]
    if failed:
        return {"failed": failed[0]}
    long, short = ([run for run in runs if run["epochs"] == n] for n in (epochs, 1))
    seconds = [value for run in long for value in run["epoch_seconds"][1:]]
    return {
        "epoch_seconds": statistics.median(seconds),
        "epoch_seconds_lowest": min(seconds),
        "epoch_seconds_highest": max(seconds),
        "start_to_evaluated_first": short[0]["start_to_evaluated"],
        "start_to_evaluated_later": statistics.median([r["start_to_evaluated"] for r in short[1:]] or [float("nan")]),
        "peak_mb": max(run["peak_mb"] for run in long),
        "test_accuracy": statistics.median(run["test_accuracy"] for run in long),
        "test_loss": statistics.median(run["test_loss"] for run in long),
        "train_loss": statistics.median(run["train_loss"][-1] for run in long),
    }


def table(mode: str, report: dict) -> str:
    """The figures of one mode as a Markdown table; ratios say how many times as fast as Keras on JAX."""
    rows = report["summary"][mode]
    good = {name: row for name, row in rows.items() if "failed" not in row}
    reference = good.get(REFERENCE)
    usual = statistics.median(row["test_accuracy"] for row in good.values()) if good else 0.0
    count = report["epochs"]
    columns = [
        "",
        "s per epoch",
        "lowest to highest",
        f"speed against {CONTESTANTS[REFERENCE][0]}",
        "start to evaluated, 1 epoch (s): first, later",
        "peak MB",
        f"after {count} epochs: train loss, test loss, test accuracy",
    ]
    cores = report["machine"]["cores"]
    lines = [
        f"\n{MODES[mode]}; {report['rows']} images ({report['data']}), {count} epochs, {cores} cores\n",
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
    ]
    for name, row in rows.items():
        title = CONTESTANTS[name][0]
        if "failed" in row:
            lines.append(f"| {title} | failed: {row['failed'].strip().splitlines()[-1][:100]} | | | | | |")
            continue
        ratio = f"{reference['epoch_seconds'] / row['epoch_seconds']:.2f}" if reference else "-"
        doubt = "" if abs(row["test_accuracy"] - usual) <= CLOSE else " **differs**"
        lines.append(
            f"| {title} | {row['epoch_seconds']:.3f} | {row['epoch_seconds_lowest']:.3f} to "
            f"{row['epoch_seconds_highest']:.3f} | {ratio} | {row['start_to_evaluated_first']:.1f}, "
            f"{row['start_to_evaluated_later']:.1f} | {row['peak_mb']:.0f} | {row['train_loss']:.3f}, "
            f"{row['test_loss']:.3f}, {row['test_accuracy']:.3f}{doubt} |"
        )
    return "\n".join(lines)


def progress(run: dict) -> str:
    """One line for a run that just ended."""
    head = f"{run['mode']:8} round {run['round'] + 1} {run['contestant']:17} {run['epochs']} epochs: "
    if "failed" in run:
        return head + "FAILED " + run["failed"].strip().splitlines()[-1][:120]
    seconds = " ".join(f"{value:.2f}" for value in run["epoch_seconds"])
    return head + f"{seconds} s; {run['start_to_evaluated']:.1f} s in all, accuracy {run['test_accuracy']:.3f}"


def machine() -> dict:
    """Where the figures come from."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), "load_at_end": load, "when": when}


if __name__ == "__main__":
    main()
