"""Writes `numbers.json`: run it with TensorFlow itself, whose results it records.

python tests/compat/tensorflow/record.py
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from tf_expressions import EXPRESSIONS, SETUP, plain

FILE = Path(__file__).parent / "numbers.json"


def main():
    names = {"tf": tf, "np": np}
    exec(SETUP, names)
    found = {text: plain(eval(text, names)) for text in EXPRESSIONS}
    lines = ",\n".join(f"{json.dumps(text)}: {json.dumps(value)}" for text, value in found.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
