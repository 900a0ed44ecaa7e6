"""Charts, drawn with matplotlib from plain data: curves, networks, confusions, calibration, ..."""

from gazelle._plots.calibration import FEWEST, calibration
from gazelle._plots.compared import compared
from gazelle._plots.confusion import confusion
from gazelle._plots.curves import best_epoch, curves, label_of, panel_names, thin
from gazelle._plots.network import can_be_drawn, network, network_figure, shape_text
from gazelle._plots.regression import predicted_against_true, residuals
from gazelle._plots.style import LIGHT, PAGE, Palette, inline, to_png, to_svg
from gazelle._plots.thresholds import precision_recall_curve, roc_curve

__all__ = [
    "FEWEST",
    "LIGHT",
    "PAGE",
    "Palette",
    "best_epoch",
    "calibration",
    "can_be_drawn",
    "compared",
    "confusion",
    "curves",
    "inline",
    "label_of",
    "network",
    "network_figure",
    "panel_names",
    "precision_recall_curve",
    "predicted_against_true",
    "residuals",
    "roc_curve",
    "shape_text",
    "thin",
    "to_png",
    "to_svg",
]
