"""The frame of every page: head, style, and a policy that makes the browser block all requests."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from gazelle._report.pages.markup import Html, paragraph, tag

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(title: str, header: Html, sections: Sequence[Html], version: str) -> str:
    """A whole page as text, without scripts and external resources."""
    style = (
        resources.files("gazelle._report.pages").joinpath("style.css").read_text(encoding="utf-8")
    )
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Html('<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'),
        tag("title", title),
        tag("style", Html(style)),
    )
    made_by = f"Made by Gazelle {version}".rstrip()
    foot = tag("footer", paragraph(f"{made_by} from the files of the run."))
    body = tag("body", header, tag("main", sections), foot)
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"
