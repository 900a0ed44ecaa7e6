"""Pictures, drawn by matplotlib from plain data: curves, networks, confusion, calibration, regressions."""

from gazelle.plots.calibration import calibration
from gazelle.plots.confusion import confusion
from gazelle.plots.curves import best_epoch, curves, label_of, panel_names, thin
from gazelle.plots.network import network, network_figure, shape_text
from gazelle.plots.regression import predicted_against_true, residuals
from gazelle.plots.style import LIGHT, PAGE, Palette, inline, to_png, to_svg

__all__ = [
    "LIGHT",
    "PAGE",
    "Palette",
    "best_epoch",
    "calibration",
    "confusion",
    "curves",
    "inline",
    "label_of",
    "network",
    "network_figure",
    "panel_names",
    "predicted_against_true",
    "residuals",
    "shape_text",
    "thin",
    "to_png",
    "to_svg",
]
