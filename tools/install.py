"""pip install with a line for each large package that is fetched, instead of silence or a hundred lines.

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
    """Run pip; its last lines are shown where it fails."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--progress-bar",
        "off",
    ]
    last = []
    with subprocess.Popen(
        [*command, *sys.argv[1:]], stdout=subprocess.PIPE, text=True, errors="replace"
    ) as pip:
        for line in pip.stdout or ():
            last = [*last[-20:], line]
            if words := said(line):
                print(words, flush=True)
    if pip.returncode:
        print("".join(last), file=sys.stderr)
    return pip.returncode


def said(line: str) -> str:
    """What to show for a line of pip's; empty for most."""
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
