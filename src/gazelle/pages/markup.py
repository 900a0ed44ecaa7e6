"""HTML from small functions: every text is escaped unless it is `Html` already."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any


class Html(str):
    """Text that is HTML already and needs no escaping."""

    __slots__ = ()


def join(*parts: Any) -> Html:
    """Parts one after the other; what is no `Html` is escaped, None is left out, lists are opened."""
    pieces: list[str] = []
    for part in parts:
        if part is None:
            continue
        if isinstance(part, Html):
            pieces.append(part)
        elif isinstance(part, list | tuple):
            pieces.append(join(*part))
        else:
            pieces.append(html.escape(str(part)))
    return Html("".join(pieces))


def tag(name: str, *children: Any, **attributes: Any) -> Html:
    """`<name attributes>children</name>`; `class_` is `class`, `aria_label` is `aria-label`, None is left out."""
    pairs = [
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Html(f"<{name}{''.join(pairs)}>{join(*children)}</{name}>")


def section(identity: str, heading: str, explanation: Any, *content: Any) -> Html:
    """A part of the page: heading and a few words on the left, the content on the right."""
    head = tag("div", tag("h2", heading), tag("div", explanation, class_="words"), class_="side")
    return tag("section", head, tag("div", *content, class_="body"), id=identity)


def paragraph(*children: Any) -> Html:
    """A paragraph."""
    return tag("p", *children)


def table(
    caption: str,
    head: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    *,
    foot: Iterable[Sequence[Any]] = (),
    class_: str | None = None,
) -> Html:
    """A table with a caption; the first cell of each row is its heading. Wide tables scroll in their own frame."""
    lines = [
        tag("caption", caption),
        tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head])),
        tag("tbody", [_row(row) for row in rows]),
    ]
    foot = [_row(row) for row in foot]
    if foot:
        lines.append(tag("tfoot", foot))
    frame = " ".join(filter(None, ("scroll", class_)))
    return tag("div", tag("table", lines), class_=frame, role="region", aria_label=caption, tabindex="0")


def facts(pairs: Iterable[tuple[str, Any]]) -> Html:
    """A list of names and values."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs], class_="facts")


def details(summary: str, *content: Any) -> Html:
    """Content that opens on a click."""
    return tag("details", tag("summary", summary), *content)


def figure(picture: Any, *caption: Any, class_: str | None = None) -> Html:
    """A picture with its caption."""
    return tag("figure", picture, tag("figcaption", *caption) if caption else None, class_=class_)


def bar(share: float, *, second: bool = False) -> Html:
    """A thin bar, `share` in [0, 1] of its cell's width; the number beside it says the same."""
    width = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    return tag(
        "span", tag("i", style=f"width:{width}", class_="second" if second else None), class_="bar", aria_hidden="true"
    )


def _row(cells: Sequence[Any]) -> Html:
    return tag("tr", tag("th", cells[0], scope="row"), [tag("td", cell) for cell in cells[1:]])
