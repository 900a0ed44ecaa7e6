"""`python -m gazelle`: the command line; `python -m gazelle script.py` runs a script for Keras."""

import sys

from gazelle.cli import start

if __name__ == "__main__":
    given = sys.argv[1:]
    is_program = bool(given) and given[0].endswith((".py", ".ipynb"))
    sys.exit(start(["run", *given] if is_program else given))
