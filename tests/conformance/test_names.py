"""Keras's public names and signatures beside Gazelle's."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("names", Path(__file__).with_name("names.py"))
names = importlib.util.module_from_spec(spec)
spec.loader.exec_module(names)


def test_every_missing_name_has_a_reason():
    assert [name for name, reason in names.missing_names().items() if not reason] == []


def test_every_differing_signature_has_a_reason():
    differing = dict(names.differing_signatures())
    assert {n: how for n, how in differing.items() if not names.reason_for(n, "differing")} == {}


@pytest.mark.parametrize("section", ["missing", "differing"])
def test_every_reason_is_needed(section):
    if section == "missing":
        found = list(names.missing_names())
    else:
        found = [name for name, _ in names.differing_signatures()]
    for reason, patterns in names.reasons()[section].items():
        for pattern in patterns:
            assert any(names.fnmatch.fnmatchcase(n, pattern) for n in found), (reason, pattern)
