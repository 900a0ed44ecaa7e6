"""Console output fits the screen's encoding, and names cannot control the terminal."""

import ast
import io
import os
import sys
from pathlib import Path

import pytest

from gazelle._core import console


class Screen(io.TextIOWrapper):
    """A stream with an encoding that keeps what is written to it."""

    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")

    def text(self):
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("größe λ 猫", "größe λ 猫"),
        ("a\x1b[31mb\x07", "a\\x1b[31mb\\x07"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("exe\u202egpj", "exe\\u202egpj"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9" if sys.getfilesystemencoding() == "utf-8" else "café"),
        ("\ud83d", "\\ud83d"),
    ],
)
def test_names_become_one_line_without_control_characters(name, text):
    assert console.shown(name) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("ascii", "\\xf6 \\u03bb\n"), ("cp1252", "ö \\u03bb\n"), ("utf-8", "ö λ\n")],
)
def test_characters_that_the_encoding_lacks_are_escaped(encoding, text, monkeypatch):
    screen = Screen(encoding)
    console.say("ö λ", screen)
    assert screen.text() == text
    monkeypatch.setattr(sys, "stdout", screen)
    assert console.fitting("ö λ") + "\n" == text
    assert console.can_show("λ") == (encoding == "utf-8")


def test_line_breaks_stay_and_control_characters_are_escaped():
    screen = Screen("utf-8")
    console.say("one\ntwo\x1b[2J\r", screen)
    assert screen.text() == "one\ntwo\\x1b[2J\\r\n"


def test_without_an_output_nothing_is_written(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    console.say("hello")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes")
def test_a_closed_pipe_raises_unless_the_work_must_go_on():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream, console.going_on():
        console.say("hello", stream)
        console.say("again", stream)
        assert isinstance(console.lost(), BrokenPipeError)
    reader, writer = os.pipe()
    os.close(reader)
    stream = open(writer, "w", encoding="utf-8")  # noqa: SIM115
    with pytest.raises(BrokenPipeError):
        console.say("hello", stream)
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_nothing_else_in_the_package_prints():
    for file in Path(console.__file__).parents[1].rglob("*.py"):
        calls = [
            node.func
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.Call)
        ]
        names = {call.id for call in calls if isinstance(call, ast.Name)}
        assert "print" not in names or file.name == "building.py", (
            f"{file} prints without the console"
        )
