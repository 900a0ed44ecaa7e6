"""Runs a contestant in a new process and measures time and peak memory from outside."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMIT = 240.0  # seconds after which a run is killed and counts as failed
# The device of all contestants; PyTorch reads it from `job["device"]`.
DEVICES = {
    "cpu": {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""},
    "gpu": {"JAX_PLATFORMS": "cuda"},
}
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore",
    "TQDM_DISABLE": "1",
    "PYTHONUNBUFFERED": "1",
}


def run(script: str, job: dict, environment: dict[str, str], work: Path, cache: Path) -> dict:
    """Run `contestants/<script>` once.

    Args:
        script: File name of the script.
        job: What the script reads.
        environment: Environment variables of the contestant.
        work: A scratch folder.
        cache: The folder for Gazelle's compiled programs.

    Returns:
        The script's record with the figures measured here, or `{"failed": reason}`.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / "result.json").unlink(missing_ok=True)
    (work / "job.json").write_text(json.dumps(job))
    command = [sys.executable, str(HERE / "contestants" / script), str(work / "job.json")]
    environment = {
        **os.environ,
        **DEVICES[job["device"]],
        **QUIET,
        "GAZELLE_HOME": str(cache),
        **environment,
    }
    # All packages are imported from compiled bytecode, as when they are installed.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (work / "log.txt").open("w") as log:
        started = time.time()
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=work,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        usage, late = _wait(child)
        ended = time.time()
    text = (work / "log.txt").read_text(errors="replace")[-2000:].strip()
    for folder in (HERE, sys.prefix):  # keep this machine's paths out of the page
        text = text.replace(f"{folder}/", "")
    if late:
        return {"failed": f"did not end within {LIMIT:.0f} seconds", "log": text}
    if child.returncode != 0 or not (work / "result.json").exists():
        return {
            "failed": text.splitlines()[-1] if text else f"exit status {child.returncode}",
            "log": text,
        }
    record = json.loads((work / "result.json").read_text())
    figures = record["figures"]
    figures.update(
        {f"start to {name}": moment - started for name, moment in record.pop("stamps").items()}
    )
    figures["peak MB"] = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return {
        **record,
        "wall_seconds": ended - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


def engine(device: str) -> str:
    """The engines that Gazelle has on this device and, without the kernel, the reason."""
    program = "from gazelle._engine import kernel; print(kernel.status().text)"
    environment = {**os.environ, **DEVICES[device], **QUIET}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _wait(child: subprocess.Popen):
    """Wait for the child; kill its process group after the limit or on Ctrl-C."""
    late = threading.Event()

    def end() -> None:
        late.set()
        os.killpg(child.pid, signal.SIGKILL)

    timer = threading.Timer(LIMIT, end)
    timer.start()
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        os.wait4(child.pid, 0)
        child.returncode = -signal.SIGKILL
        raise
    finally:
        timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage, late.is_set()


def emptied(folder: Path) -> Path:
    """Empty the folder and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
