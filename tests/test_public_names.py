"""Public names and signatures change only on purpose, together with the list of them."""

import importlib.util
from pathlib import Path


def test_the_public_names_and_signatures_are_those_in_the_list():
    spec = importlib.util.spec_from_file_location(
        "public_names", Path(__file__).with_name("public_names.py")
    )
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    listed = names.LISTING.read_text(encoding="utf-8").splitlines()
    found = names.listing()
    gone = sorted(set(listed) - set(found))
    new = sorted(set(found) - set(listed))
    assert (gone, new) == ([], []), "update the list with: python tests/public_names.py"
