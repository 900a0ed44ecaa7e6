"""Runs pip install with one line per large package, instead of silence or a hundred lines.

python tools/install.py --editable '.[all]' --constraint constraints.txt
"""

import re
import subprocess
import sys
from pathlib import Path

WHEEL = r"([^\s/-]+)-(\d[^\s-]*)-\S+\.whl"
FETCHED = re.compile(rf"\s*(?:Downloading|Using cached) \S*?{WHEEL} \(([\d.]+ [MG]B)\)")
LOCAL = re.compile(rf"Processing (\S*/{WHEEL})")
LARGE = 1e6  # bytes
STAGES = {
    "Building editable for gazelle": "  compiling Gazelle's kernel (a minute)",
    "Installing collected packages": "  unpacking (a minute)",
}


def main() -> int:
    """Run pip; if it fails, its last lines are shown."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "install", "--progress-bar", "off", *sys.argv[1:]]
    last = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stdout or ():
            last = [*last[-20:], line]
            if words := shown(line):
                print(words, flush=True)
    if process.returncode:
        print("".join(last), file=sys.stderr)
    return process.returncode


def shown(line: str) -> str:
    """The text to show for a line of pip's output; empty for most lines."""
    if found := FETCHED.match(line):
        return "  {} {} ({})".format(*found.groups())
    if found := LOCAL.match(line):
        path, name, version = found.groups()
        size = Path(path).stat().st_size if Path(path).exists() else 0
        return f"  {name} {version} ({size / 1e6:.1f} MB)" if size > LARGE else ""
    stages = [words for start, words in STAGES.items() if start in line and "finished" not in line]
    return stages[0] if stages else ""


if __name__ == "__main__":
    sys.exit(main())
