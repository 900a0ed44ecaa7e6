"""The drawing of a network: layers as boxes with name, type, shape and parameters, and arrows."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazelle._core.errors import ArgumentError, DataError
from gazelle._plots.layering import Place, lay_out
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
MOST_PASSED = 1000  # rows that all arrows pass together
# Lengths in pixels:
BOX_HEIGHT = 46.0
ROW_GAP = 26.0
_GAP = 22.0  # between boxes of a row
_LANE = 14.0  # width for an arrow that passes a row
_EDGE = 10.0  # margin of the drawing
_NARROWEST, _WIDEST = 232.0, 400.0  # boxes
_PAD = 12.0  # left and right of the text in a box
TIMES = "\N{MULTIPLICATION SIGN}"


def network(
    description: Mapping[str, Any], path: str | os.PathLike[str], *, dpi: int = 144
) -> Path:
    """Write the drawing of a network to a file; see `network_file`."""
    path = Path(path)
    path.write_bytes(network_file(description, path, dpi=dpi))
    return path


def network_file(
    description: Mapping[str, Any], path: str | os.PathLike[str], *, dpi: int = 144
) -> bytes:
    """The content of a file with the drawing of a network.

    Args:
        description: The content of `network.json`: `{"layers": [...]}`, each layer with `name` and
            `type` and, if known, `output_shapes`, `parameters`, `units`, `activation`, `trainable`
            and `inbound` (names of layers before it).
        path: The file name, which ends in `.svg` or `.png`.
        dpi: Dots per inch of a PNG; 72 for one dot per pixel of the SVG.

    Raises:
        ArgumentError: `path` has another extension.
        DataError: There are no layers, two with the same name, or a layer with a later one as
            input.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (".svg", ".png"):
        raise ArgumentError(
            "A network can only be drawn as SVG or PNG.",
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
        names = [layer["name"] for layer in layers]
        widths = dict(zip(names, _widths(layers), strict=True))
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
        by_name = dict(zip(names, layers, strict=True))
        for row in layout.rows:
            for place in row:
                if place.name is not None:
                    _box(axes, place, by_name[place.name], palette)
    return figure


def can_be_drawn(layers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a network is small enough for a drawing.

    It may have at most 200 layers, and its arrows may pass at most 1,000 rows.
    """
    if not 0 < len(layers) <= MOST_DRAWN:
        return False
    row_of: dict[str, int] = {}
    passed = 0
    for layer in layers:
        sources = [row_of[source] for source in layer.get("inbound") or [] if source in row_of]
        row = 1 + max(sources, default=-1)
        row_of[layer["name"]] = row
        passed += sum(row - source for source in sources)
    return passed <= MOST_PASSED


def shape_text(shapes: Sequence[Sequence[int | None]]) -> str:
    """Output shapes in words, without the batch axis: 32 by 32 by 3 for `[[None, 32, 32, 3]]`."""
    texts = []
    for shape in shapes:
        sizes = ["?" if size is None else f"{size:,}" for size in shape[1:]]
        texts.append(f" {TIMES} ".join(sizes) or "1")
    return ", ".join(texts)


def _checked(layers: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The names of the inputs of each layer, in order of computation."""
    inbound: dict[str, list[str]] = {}
    for layer in layers:
        name: str = layer["name"]
        sources: list[str] = list(layer.get("inbound") or [])
        unknown = [source for source in sources if source not in inbound]
        if name in inbound or unknown:
            raise DataError(
                f"The layer {name!r} cannot be drawn.",
                expected="unique names, and each layer after its inputs",
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
    """The size of a layer: its units, or the number of elements of its largest output."""
    if layer.get("units"):
        return int(layer["units"])
    shapes = layer.get("output_shapes") or [[]]
    return max(1, *(math.prod(size or 1 for size in shape[1:]) for shape in shapes))


def _widths(layers: Sequence[Mapping[str, Any]]) -> list[float]:
    """Widths of the boxes, which grow with the logarithm of the size of the layer."""
    sizes = [math.log2(1 + _size(layer)) for layer in layers]
    largest = max(sizes)
    return [round(_NARROWEST + (_WIDEST - _NARROWEST) * (size / largest) ** 2) for size in sizes]


def _box(axes: Axes, place: Place, layer: Mapping[str, Any], palette: Palette) -> None:
    """Draw the box of a layer, with its text and what it shows on hover."""
    from matplotlib.patches import FancyBboxPatch

    left, top = _EDGE + place.x - place.width / 2, _top(place)
    has_weights = bool(layer.get("parameters"))
    is_frozen = has_weights and not layer.get("trainable", True)
    style = "round,pad=0,rounding_size=7"
    common = {"boxstyle": style, "linewidth": 1.2, "mutation_aspect": 1.0}
    background = FancyBboxPatch(  # hides the arrows below the tinted box
        (left, top), place.width, BOX_HEIGHT, fc=palette.surface, ec="none", **common
    )
    box = FancyBboxPatch(
        (left, top),
        place.width,
        BOX_HEIGHT,
        linestyle=(0, (3, 2)) if is_frozen else "-",
        fc=(palette.accent, 0.10) if has_weights else (palette.muted, 0.05),
        ec=palette.accent if has_weights else palette.muted,
        **common,
    )
    axes.add_patch(background)
    axes.add_patch(box)
    _label(axes, layer, left, top, place.width, palette)
    words = [str(layer["name"]), str(layer["type"])]
    if shape := shape_text(layer.get("output_shapes") or []):
        words.append(shape)
    words.append(f"{int(layer.get('parameters') or 0):,} parameters")
    hover(axes, ", ".join(words), left, top, left + place.width, top + BOX_HEIGHT)


def _label(
    axes: Axes, layer: Mapping[str, Any], left: float, top: float, width: float, palette: Palette
) -> None:
    """Write name and shape in the first line, type and parameters in the second."""
    kind = str(layer["type"])
    if layer.get("activation") and layer["activation"] != "linear":
        kind += f" · {layer['activation']}"
    count = int(layer.get("parameters") or 0)
    weights = ""
    if count:
        weights = f"{count:,} param{'s' if count != 1 else ''}"
        if not layer.get("trainable", True):
            weights = f"frozen · {weights}"
    shape = shape_text(layer.get("output_shapes") or [])
    lines = (  # text on the left, text on the right, and y, color, weight and size of the former
        (str(layer["name"]), shape, top + 16, palette.ink, "bold", TEXT),
        (kind, weights, top + 32.5, palette.muted, "normal", TEXT - 1),
    )
    available = width - 2 * _PAD
    for text, remark, y, color, weight, size in lines:
        remark = fit_text(remark, 0.66 * available, TEXT - 1)
        taken = text_width(remark, TEXT - 1) + 10 if remark else 0.0
        text = fit_text(text, available - taken, size, weight)
        axes.text(
            left + _PAD, y, text, color=color, weight=weight, fontsize=size, va="center_baseline"
        )
        if remark:
            axes.text(
                left + width - _PAD,
                y,
                remark,
                color=palette.muted,
                fontsize=TEXT - 1,
                ha="right",
                va="center_baseline",
            )


def _top(place: Place) -> float:
    """The y of the upper edge of a place."""
    return _EDGE + place.row * (BOX_HEIGHT + ROW_GAP)


def _arrow(axes: Axes, chain: Sequence[Place], palette: Palette) -> None:
    """Draw an arrow through the places of a chain.

    It is curved in the gaps between rows and straight where it passes a row.
    """
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
