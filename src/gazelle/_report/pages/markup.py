"""HTML from small functions: every text is escaped unless it is `Html` already."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

_SHORT = 20  # letters that fit into one column of facts


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
    return tag(
        "div", tag("table", lines), class_=frame, role="region", aria_label=caption, tabindex="0"
    )


def soft(text: object) -> Html:
    """A name that may be broken after its underscores, dots and slashes, and nowhere else."""
    return Html(re.sub(r"([_/.](?=[A-Za-z_]))", r"\1<wbr>", html.escape(str(text))))


def facts(pairs: Iterable[tuple[str, Any]]) -> Html:
    """A list of names and values."""
    return tag("dl", [_fact(name, value) for name, value in pairs], class_="facts")


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
        "span",
        tag("i", style=f"width:{width}", class_="second" if second else None),
        class_="bar",
        aria_hidden="true",
    )


def _fact(name: str, value: Any) -> Html:
    """A name and its value; a long value takes the width of two."""
    wide = "wide" if len(re.sub("<[^>]*>", "", str(value))) > _SHORT else None
    shown = value if isinstance(value, Html) else soft(value)
    return tag("div", tag("dt", soft(name)), tag("dd", shown), class_=wide)


def _row(cells: Sequence[Any]) -> Html:
    name = None if isinstance(cells[0], Html) else str(cells[0])
    long = (
        name if name is not None and len(name) > _SHORT else None
    )  # it may be cut: the whole of it on hover
    return tag(
        "tr", tag("th", cells[0], scope="row", title=long), [tag("td", cell) for cell in cells[1:]]
    )
