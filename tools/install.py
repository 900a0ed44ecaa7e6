"""pip install, with one line for each package that is fetched instead of silence or a hundred lines.

python tools/install.py --editable '.[all]' --constraint constraints.txt
"""

import re
import subprocess
import sys

FETCHED = re.compile(r"\s*(?:Downloading|Using cached) (\S+?)-(\d[^-\s]*)-\S+ \(([\d.]+ [kMG]B)\)")
STAGES = {
    "Building editable for gazelle": "  compiling Gazelle's kernel (a minute)",
    "Installing collected packages": "  unpacking (a minute)",
}


def main() -> int:
    """Run pip; its last lines are shown where it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--progress-bar", "off"]
    command += sys.argv[1:]
    last = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as pip:
        for line in pip.stdout or ():
            last = [*last[-20:], line]
            if found := FETCHED.match(line):
                print("  {} {} ({})".format(*found.groups()), flush=True)
            for start, words in STAGES.items():
                if start in line and "finished" not in line:
                    print(words, flush=True)
    if pip.returncode:
        print("".join(last), file=sys.stderr)
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main())
