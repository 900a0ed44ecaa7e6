"""The drawing of a network: layers as boxes with name, type, shape and parameters, arrows between them, no graphviz."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazelle._core.errors import ArgumentError, DataError
from gazelle._plots.layering import Layout, Place, lay_out
from gazelle._plots.style import (
    LIGHT,
    TEXT,
    Palette,
    drawing,
    fit_text,
    hover,
    new_figure,
    text_width,
    to_png,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DRAWN = 200  # layers
MOST_PASSED = 1000  # rows that the arrows pass
BOX_HEIGHT = 46.0
ROW_GAP = 26.0
_GAP = 22.0
_LANE = 14.0
_EDGE = 10.0  # free border of the drawing
_NARROWEST, _WIDEST = 232.0, 400.0
_PAD = 12.0
TIMES = "\N{MULTIPLICATION SIGN}"


def network(
    description: Mapping[str, Any], path: str | os.PathLike[str], *, dpi: int = 144
) -> Path:
    """Write the drawing of a network as a file of its own; arguments and errors are those of `network_file`."""
    path = Path(path)
    path.write_bytes(network_file(description, path, dpi=dpi))
    return path


def network_file(
    description: Mapping[str, Any], path: str | os.PathLike[str], *, dpi: int = 144
) -> bytes:
    """The drawing of a network as the content of a file.

    Args:
        description: What `network.json` holds: `{"layers": [...]}`, each layer with `name` and
            `type` and, where known, `output_shapes`, `parameters`, `units`, `activation`,
            `trainable` and `inbound` (names of layers that stand before it).
        path: The file's name, which ends in `.svg` or `.png`.
        dpi: Dots per inch of a PNG; 72 draws one pixel a unit.

    Raises:
        ArgumentError: `path` ends otherwise.
        DataError: `description` has no layers, the same name twice, or an arrow from a layer that
            comes later.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (".svg", ".png"):
        raise ArgumentError(
            "A network is drawn as SVG or PNG.",
            expected="a file name that ends in .svg or .png",
            received=str(path),
            fix=f"use {path.with_suffix('.svg').name!r}",
        )
    figure = network_figure(description)
    return to_svg(figure).encode("utf-8") if ending == ".svg" else to_png(figure, dpi)


def network_figure(description: Mapping[str, Any], palette: Palette = LIGHT) -> Figure:
    """The drawing of a network as a matplotlib figure; see `network`."""
    layers = list(description.get("layers", ()))
    inbound = _checked(layers)
    with drawing():
        widths = {
            layer["name"]: width for layer, width in zip(layers, _widths(layers), strict=True)
        }
        layout = lay_out(inbound, widths, _GAP, _LANE)
        rows = len(layout.rows)
        width = layout.width + 2 * _EDGE
        height = rows * BOX_HEIGHT + (rows - 1) * ROW_GAP + 2 * _EDGE
        figure = new_figure(width, height, palette)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        for chain in layout.arrows:
            _arrow(axes, chain, palette)
        _boxes(axes, layout, {layer["name"]: layer for layer in layers}, palette)
    return figure


def can_be_drawn(layers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a network is small enough for a drawing: at most 200 layers, and arrows that pass few rows."""
    rank: dict[str, int] = {}
    rows = 0
    for layer in layers[: MOST_DRAWN + 1]:
        sources = [rank[source] for source in layer.get("inbound") or [] if source in rank]
        rank[layer["name"]] = 1 + max(sources, default=-1)
        rows += sum(rank[layer["name"]] - source for source in sources)
    return 0 < len(layers) <= MOST_DRAWN and rows <= MOST_PASSED


def shape_text(shapes: Sequence[Sequence[int | None]]) -> str:
    """Output shapes without the batch axis: `[[None, 32, 32, 3]]` is 32 by 32 by 3, several stand side by side."""
    return ", ".join(
        f" {TIMES} ".join("?" if n is None else f"{n:,}" for n in shape[1:]) or "1"
        for shape in shapes
    )


def _checked(layers: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The inbound names of each layer, in order."""
    inbound: dict[str, list[str]] = {}
    for layer in layers:
        name: str = layer["name"]
        sources: list[str] = list(layer.get("inbound") or [])
        unknown = [source for source in sources if source not in inbound]
        if name in inbound or unknown:
            raise DataError(
                f"The layer {name!r} cannot be drawn.",
                expected="unique names, each layer after those that feed it",
                received=f"inbound {unknown}" if unknown else f"two layers called {name!r}",
            )
        inbound[name] = sources
    if not inbound:
        raise DataError(
            "The network has no layers to draw.",
            expected="at least one layer",
            fix="add layers first",
        )
    return inbound


def _size(layer: Mapping[str, Any]) -> int:
    """How wide a layer is: its units, or the numbers that it gives out."""
    if layer.get("units"):
        return int(layer["units"])
    shapes = layer.get("output_shapes") or [[]]
    return max(1, *(math.prod(n or 1 for n in shape[1:]) for shape in shapes))


def _widths(layers: Sequence[Mapping[str, Any]]) -> list[float]:
    """Widths of the boxes: by the logarithm of the layer's size, the widest layer gets the widest box."""
    largest = max(math.log2(1 + _size(layer)) for layer in layers)
    return [
        round(_NARROWEST + (_WIDEST - _NARROWEST) * (math.log2(1 + _size(layer)) / largest) ** 2)
        for layer in layers
    ]


def _boxes(
    axes: Axes, layout: Layout, layers: Mapping[str, Mapping[str, Any]], palette: Palette
) -> None:
    from matplotlib.patches import FancyBboxPatch

    for row in layout.rows:
        for place in row:
            if place.name is None:
                continue
            layer = layers[place.name]
            left, top = _EDGE + place.x - place.width / 2, _top(place)
            weighty = bool(layer.get("parameters"))
            frozen = weighty and not layer.get("trainable", True)
            style = "round,pad=0,rounding_size=7"
            common = {"boxstyle": style, "linewidth": 1.2, "mutation_aspect": 1.0}
            axes.add_patch(  # covers the arrows that end here
                FancyBboxPatch(
                    (left, top), place.width, BOX_HEIGHT, fc=palette.surface, ec="none", **common
                )
            )
            axes.add_patch(
                FancyBboxPatch(
                    (left, top),
                    place.width,
                    BOX_HEIGHT,
                    linestyle=(0, (3, 2)) if frozen else "-",
                    fc=(palette.accent, 0.10) if weighty else (palette.muted, 0.05),
                    ec=palette.accent if weighty else palette.muted,
                    **common,
                )
            )
            _label(axes, layer, left, top, place.width, palette)
            words = [
                str(layer["name"]),
                str(layer["type"]),
                shape_text(layer.get("output_shapes") or []),
            ]
            words.append(f"{int(layer.get('parameters') or 0):,} parameters")
            hover(
                axes,
                ", ".join(filter(None, words)),
                left,
                top,
                left + place.width,
                top + BOX_HEIGHT,
            )


def _label(
    axes: Axes, layer: Mapping[str, Any], left: float, top: float, width: float, palette: Palette
) -> None:
    """Name and shape on the first line, type and parameters on the second."""
    kind = str(layer["type"])
    if layer.get("activation") and layer["activation"] != "linear":
        kind += f" · {layer['activation']}"
    count = int(layer.get("parameters") or 0)
    weights = f"{count:,} param{'s' if count != 1 else ''}" if count else ""
    if count and not layer.get("trainable", True):
        weights = f"frozen · {weights}"
    lines = (
        (
            str(layer["name"]),
            shape_text(layer.get("output_shapes") or []),
            palette.ink,
            "bold",
            TEXT,
            top + 16,
        ),
        (kind, weights, palette.muted, "normal", TEXT - 1, top + 32.5),
    )
    room = width - 2 * _PAD
    for text, figures, colour, weight, size, y in lines:
        figures = fit_text(figures, 0.66 * room, TEXT - 1)
        text = fit_text(
            text, room - text_width(figures, TEXT - 1) - (10 if figures else 0), size, weight
        )
        axes.text(
            left + _PAD, y, text, color=colour, weight=weight, fontsize=size, va="center_baseline"
        )
        if figures:
            axes.text(
                left + width - _PAD,
                y,
                figures,
                color=palette.muted,
                fontsize=TEXT - 1,
                ha="right",
                va="center_baseline",
            )


def _top(place: Place) -> float:
    return _EDGE + place.row * (BOX_HEIGHT + ROW_GAP)


def _arrow(axes: Axes, chain: Sequence[Place], palette: Palette) -> None:
    """A line through the places of `chain`: curves in the gaps between rows, straight past the boxes of a row."""
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path as Curve

    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for upper, lower in pairwise(chain):
        x0, y0 = _EDGE + upper.x, _top(upper) + BOX_HEIGHT
        x1, y1 = _EDGE + lower.x, _top(lower)
        points.append((x0, y0))
        codes.append(Curve.LINETO if codes else Curve.MOVETO)
        if abs(x0 - x1) < 0.5:
            points.append((x1, y1))
            codes.append(Curve.LINETO)
        else:
            middle = (y0 + y1) / 2
            points.extend([(x0, middle), (x1, middle), (x1, y1)])
            codes.extend([Curve.CURVE4] * 3)
    x, y = points[-1]
    points[-1] = (x, y - 4)
    axes.add_patch(
        PathPatch(
            Curve(points, codes), fc="none", ec=palette.muted, linewidth=1.3, capstyle="round"
        )
    )
    axes.add_patch(
        Polygon([(x - 4, y - 7), (x + 4, y - 7), (x, y - 0.5)], fc=palette.muted, ec="none")
    )
