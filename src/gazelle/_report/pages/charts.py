"""Figures of matplotlib as elements of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gazelle._plots import inline
from gazelle._report.pages.markup import Html, figure, tag

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FITS_A_PHONE = 480  # pixels; wider pictures scroll in their frame on a narrow screen
_LEAST_SCALE = 0.75


def chart(picture: Figure, label: str, prefix: str, *caption: Any, grow: float = 1.0) -> Html:
    """A matplotlib figure drawn with `PAGE`, as a figure of the page.

    Args:
        picture: The figure.
        label: What it shows, for screen readers.
        prefix: Unique among the pictures of the page.
        caption: Text below.
        grow: How much larger than drawn it may be shown.
    """
    svg = inline(picture, label, prefix)
    width = picture.get_size_inches()[0] * picture.dpi
    style = f"width:{width * grow:.0f}px"
    wide = width > _FITS_A_PHONE
    if wide:
        style += f";min-width:{width * _LEAST_SCALE:.0f}px"
    svg = Html(svg.replace("<svg ", f'<svg style="{style}" ', 1))
    frame = (
        tag("div", svg, class_="scroll", role="region", aria_label=label, tabindex="0")
        if wide
        else svg
    )
    return figure(frame, *caption)
