"""Bad whole models in the old `.h5` format (L): the files of tests/models/test_bad_legacy_h5.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from bad_kit import Case, Make, content

sys.path.insert(0, str(Path(__file__).parents[1]))
from models import test_bad_legacy_h5 as old

WORDS = {
    "L01": "Lambda layer with Python code",
    "L02": "the same, of Keras 2",
    "L02 of Keras 1": "the same, of Keras 1",
    "L04": "no config",
    "L05": "config that is not JSON",
    "L06": "config that is a list",
    "L07": "no weights",
    "L09": "list of layers with one that is not there",
    "L10": "name of an array with ../",
    "L11": "name of an array with an absolute path",
    "L12": "names of arrays exchanged",
    "L13": "layer that is a link to another file",
    "L14": "array that is a soft link",
    "L15": "2^29 numbers, none stored",
    "L16": "values stored in another file",
}


def made(**options: Any) -> Make:
    return content(lambda kit: old.made(**options), "m.h5")


def case(name: str, make: Make, code: str, **options: Any) -> Case:
    id = name if name.startswith("L") else f"L-{name}"
    return Case(id.replace(" ", "-"), f"old .h5: {WORDS.get(name, name)}", make, code, **options)


def _code_as_loss(config: Any, training: Any) -> None:
    training["loss"] = old.LAMBDA_3


GOOD = made()
CASES = [
    *(
        case(name, made(change_config=old.with_lambda(**options)), "config-code", twin=GOOD)
        for name, options in old.LAMBDAS.items()
    ),
    Case("L03", "old .h5: code as loss", made(change_config=_code_as_loss), "config-code",
         twin=GOOD),
    *(
        case(name, made(change_file=change), code, twin=GOOD)
        for name, (change, code) in {**old.CONFIGS, **old.WEIGHTS}.items()
    ),
    *(
        case(f"compile {name}", made(change_file=old.attribute("training_config", text)), code,
             twin=GOOD)
        for name, (text, code) in old.TRAINING.items()
    ),
    *(
        case(f"legal {name}", made(change_file=change), "", loads="the same model")
        for name, change in old.TWINS.items()
    ),
]  # fmt: skip
