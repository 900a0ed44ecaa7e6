"""The charts: complete, small, deterministic, and drawn for odd data too."""

import io
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from gazelle import _plots as plots
from gazelle._core.errors import ArgumentError, DataError

pytestmark = pytest.mark.slow

LAYERS = [
    {"name": "input", "type": "InputLayer", "output_shapes": [[None, 32, 32, 3]]},
    {"name": "flatten", "type": "Flatten", "output_shapes": [[None, 3072]], "inbound": ["input"]},
    {
        "name": "a<b>&c",
        "type": "Dense",
        "output_shapes": [[None, 200]],
        "parameters": 614_600,
        "units": 200,
        "activation": "relu",
        "inbound": ["flatten"],
    },
    {
        "name": "out",
        "type": "Dense",
        "output_shapes": [[None, 10]],
        "parameters": 2010,
        "units": 10,
        "trainable": False,
        "inbound": ["a<b>&c"],
    },
]
HISTORY = {
    "loss": [2.0, 1.0, 0.5, 0.4],
    "val_loss": [2.1, 1.2, 0.9, 1.1],
    "accuracy": [0.2, 0.5, 0.7, 0.8],
}


def texts(svg):
    return [
        "".join(node.itertext()) for node in ET.fromstring(svg).iter() if node.tag.endswith("text")
    ]


def test_a_network_is_written_as_svg_with_real_text(tmp_path):
    path = plots.network({"layers": LAYERS}, tmp_path / "net.svg")
    found = texts(path.read_text())
    for text in (
        "input",
        "a<b>&c",
        "3,072",
        "614,600 params",
        "frozen \N{MIDDLE DOT} 2,010 params",
    ):
        assert text in found
    assert "Dense \N{MIDDLE DOT} relu" in found


def test_a_network_is_written_as_png(tmp_path):
    path = plots.network({"layers": LAYERS}, tmp_path / "net.PNG", dpi=72)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > 300
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_other_endings_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ArgumentError, match=r"\.svg or \.png"):
        plots.network({"layers": LAYERS}, tmp_path / "net.pdf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layers", [[], [LAYERS[1]], [LAYERS[0], LAYERS[0]]])
def test_networks_that_cannot_be_drawn_are_refused(tmp_path, layers):
    with pytest.raises(DataError):
        plots.network({"layers": layers}, tmp_path / "net.svg")


def test_wider_layers_get_wider_boxes():
    from gazelle._plots.network import _widths

    widths = _widths(LAYERS)
    assert widths[0] == widths[1] > widths[2] > widths[3]


def test_pictures_are_deterministic_and_self_contained():
    first, second = (plots.to_svg(plots.curves(HISTORY)) for _ in range(2))
    assert first == second
    addresses = first.replace("http://www.w3.org/", "")
    assert "http" not in addresses
    assert "<metadata" not in first


def test_the_users_matplotlib_settings_neither_matter_nor_change():
    import matplotlib

    plain = plots.to_svg(plots.curves(HISTORY))
    with matplotlib.rc_context({"svg.fonttype": "path", "axes.facecolor": "red", "font.size": 30}):
        assert plots.to_svg(plots.curves(HISTORY)) == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_text_with_dollars_is_not_parsed_as_mathematics():
    svg = plots.to_svg(plots.confusion([[1, 0], [0, 1]], ["$a$", "\N{CJK UNIFIED IDEOGRAPH-5B57}"]))
    assert "$a$" in texts(svg)


def test_inline_pictures_use_the_colors_of_the_page_and_their_own_ids():
    svg = plots.inline(plots.curves(HISTORY, palette=plots.PAGE), 'a "label"', "pre")
    root = ET.fromstring(svg)
    assert root.get("aria-label") == 'a "label"'
    assert "var(--accent)" in svg
    assert "var(--sans)" in svg
    for color in vars(plots.PAGE).values():
        assert color not in svg
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert ids
    assert all(found.startswith("pre-") for found in ids)
    used = [
        value[1:]
        for node in root.iter()
        for key, value in node.attrib.items()
        if key.endswith("href")
    ]
    assert set(used) <= set(ids)


def test_the_best_epoch_is_that_of_the_lowest_validation_loss():
    assert plots.best_epoch(HISTORY, [1, 2, 3, 4]) == 3
    assert plots.best_epoch({"loss": [3.0, math.nan, 2.0]}, [5, 6, 7]) == 7
    assert plots.best_epoch({"loss": [math.nan]}, [1]) is None
    assert plots.best_epoch({"accuracy": [0.5]}, [1]) is None


def test_curves_have_a_panel_for_each_figure_with_both_lines():
    figure = plots.curves(HISTORY)
    loss, accuracy = figure.axes
    lines = {line.get_label(): line for line in loss.lines}
    np.testing.assert_array_equal(lines["training"].get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(lines["validation"].get_ydata(), HISTORY["val_loss"])
    assert lines["best epoch: 3"].get_xydata().tolist() == [[3, 0.9]]
    assert "validation" not in [line.get_label() for line in accuracy.lines]


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [1.0]},
        {"loss": [math.nan, math.nan]},
        {"loss": [1.0, math.inf, 0.5], "val_loss": [math.nan, 1.0, 2.0]},
        {"loss": [1e6, 1.0, 1e-6]},
        {"loss": [0.0, 0.0]},
        {"val_loss": [1.0, 2.0]},
    ],
)
def test_odd_histories_can_be_drawn(history):
    ET.fromstring(plots.to_svg(plots.curves(history)))


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"loss": [1.0, 2.0], "val_loss": [1.0]}])
def test_histories_that_cannot_be_drawn_are_refused(history):
    with pytest.raises(DataError):
        plots.curves(history)


def test_thinning_keeps_ends_peaks_and_few_points():
    y = np.sin(np.arange(5000) / 700)
    y[1234], y[4321] = 9.0, -9.0
    x, thinned = plots.thin(np.arange(5000), y, 200)
    assert len(x) <= 200
    assert (x[0], x[-1]) == (0, 4999)
    assert {1234, 4321} <= set(x.astype(int))
    np.testing.assert_array_equal(thinned, y[x.astype(int)])


def test_a_thousand_epochs_make_a_small_picture():
    history = {
        "loss": list(np.random.default_rng(0).random(1000)),
        "val_loss": list(np.random.default_rng(1).random(1000)),
    }
    assert len(plots.to_svg(plots.curves(history))) < 40_000


@pytest.mark.parametrize("classes", [2, 12, 22, 120])
def test_confusion_matrices_of_any_size_stay_small(classes):
    matrix = np.random.default_rng(0).integers(0, 50, (classes, classes))
    svg = plots.to_svg(plots.confusion(matrix, [f"class {i}" for i in range(classes)]))
    ET.fromstring(svg)
    assert len(svg) < 250_000
    numbers = [text for text in texts(svg) if text.replace(",", "").isdigit()]
    assert len(numbers) == (np.count_nonzero(matrix) if classes <= 20 else 0)


def test_a_confusion_matrix_of_another_shape_is_refused():
    with pytest.raises(DataError, match="class names"):
        plots.confusion([[1, 2]], ["a", "b"])


def test_calibration_without_predictions_can_be_drawn():
    empty = [{"low": 0.0, "high": 1.0, "count": 0, "confidence": None, "accuracy": None}]
    ET.fromstring(plots.to_svg(plots.calibration(empty)))


def test_regression_pictures_show_dots_in_svg_and_png_and_stay_small():
    true = np.random.default_rng(0).normal(size=20_000)
    for draw in (plots.predicted_against_true, plots.residuals):
        figure = draw(true, true + 0.1)
        assert len(plots.to_svg(figure)) < 100_000
        pixels = np.asarray(Image.open(io.BytesIO(plots.to_png(figure))).convert("RGB")).astype(int)
        teal = (pixels[..., 1] - pixels[..., 0] > 40).sum()
        assert teal > 500


def test_regression_pictures_need_a_finite_value():
    ET.fromstring(plots.to_svg(plots.residuals([2.0, 2.0], [2.0, 2.0])))
    with pytest.raises(DataError, match="nothing to draw"):
        plots.residuals([1.0], [math.nan])
    with pytest.raises(DataError, match="shape"):
        plots.predicted_against_true([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (0.25, "0.25"),
        (-0.1 - 0.2, "\N{MINUS SIGN}0.3"),
        (1e6, "1,000,000"),
        (1.5e10, "1.5e10"),
        (-2e-7, "\N{MINUS SIGN}2e\N{MINUS SIGN}7"),
    ],
)
def test_numbers_beside_axes_are_short(value, expected):
    from gazelle._plots.style import plain

    assert plain(value) == expected
