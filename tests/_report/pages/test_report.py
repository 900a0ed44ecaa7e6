"""The report page: complete and self-contained, with the right numbers."""

import base64
import io
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import classification_report

from gazelle._core.errors import DataError
from gazelle._report import figures, pages, runs, schema

pytestmark = pytest.mark.slow

VOID = {"meta", "link", "br", "wbr"}


class Reader(HTMLParser):
    """Checks that tags are closed in order; collects ids, attributes and the text."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.attributes, self.pieces = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)
        self.ids.extend(value for key, value in attrs if key == "id")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.pieces.append(data)


def checked(page):
    """The text of a page, and a reader that has checked it."""
    text = page.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert not reader.open
    return text, reader


@pytest.fixture
def read(page_of):
    return lambda folder: checked(page_of(folder))


def test_the_page_is_valid_small_and_self_contained(read, any_run):
    text, reader = read(any_run)
    assert len(text.encode()) < 500_000
    assert len(reader.ids) == len(set(reader.ids))
    assert not {"script", "iframe", "object", "embed", "form", "base", "audio", "video"} & set(
        reader.tags
    )
    assert "@import" not in text
    for key, value in reader.attributes:
        assert not key.startswith("on")
        if key in ("href", "src", "xlink:href", "srcset"):
            assert value.startswith(("#", "data:image/png;base64,", "data:,"))
        assert not re.search(r"url\((?!#)", value or "")
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)


def test_every_link_within_the_page_leads_somewhere(read, any_run):
    _, reader = read(any_run)
    targets = [
        value[1:] for key, value in reader.attributes if key == "href" and value.startswith("#")
    ]
    assert set(targets) <= set(reader.ids)


def test_the_page_is_the_same_each_time(page_of, digits_run):
    first = page_of(digits_run).read_bytes()
    assert pages.write_report(digits_run).read_bytes() == first


def test_scores_are_those_of_scikit_learn(read, digits_run):
    text, _ = read(digits_run)
    found = runs.read_predictions(digits_run)
    names = runs.read_config(digits_run).class_names
    report = classification_report(
        found.labels,
        found.outputs.argmax(axis=1),
        target_names=names,
        output_dict=True,
        zero_division=0,
    )
    rows = {
        re.sub("<[^>]*>", "", row[0]): [
            re.sub("<small>.*?</small>|<[^>]*>", "", cell) for cell in row[1:]
        ]
        for row in (
            re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)
            for line in re.findall(r"<tr>(.*?)</tr>", text)
        )
        if len(row) == 6
    }
    expected = {**{name: report[name] for name in names}, "Macro mean": report["macro avg"]}
    for name, scores in expected.items():
        figures = [f"{scores[key]:.3f}" for key in ("precision", "recall", "f1-score")]
        assert rows[name][:3] == figures
        assert rows[name][4] == f"{int(scores['support']):,}"


def test_what_users_write_is_shown_and_never_run(read, binary_run):
    text, reader = read(binary_run)
    assert "<b>Sonar</b> & rocks" in "".join(reader.pieces)
    assert "<script>" not in text
    assert "<b>Sonar" not in text


def test_the_pictures_of_the_page_are_the_samples(read, digits_run):
    text, _ = read(digits_run)
    samples = runs.read_samples(digits_run)
    data = re.search(r'<image id="samples"[^>]*base64,([^"]+)"', text)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data.group(1)))))
    np.testing.assert_array_equal(
        sheet[:8, :8], samples.images[np.argsort(samples.labels, kind="stable")[0]]
    )
    labels = re.findall(r'aria-label="(\w+), predicted as (\w+) with ([\d.]+)% confidence"', text)
    names = runs.read_config(digits_run).class_names
    assert labels == [
        (names[true], names[predicted], f"{100 * confidence:.1f}")
        for true, predicted, confidence in zip(
            samples.wrong_labels, samples.wrong_predictions, samples.wrong_confidences, strict=True
        )
    ]


def test_sections_without_files_are_left_out(read, bare_run, regression_run, digits_run):
    def sections(folder):
        return re.findall(r'<section id="(\w+)"', read(folder)[0])

    assert sections(bare_run) == ["data", "settings"]
    assert sections(regression_run) == ["data", "network", "training", "scores", "settings"]
    assert sections(digits_run) == [
        "data", "network", "training", "scores", "confusion", "calibration", "mistakes", "settings",
    ]  # fmt: skip


def test_a_table_of_a_thousand_epochs_is_thinned_and_keeps_the_best_one(read, cifar_run):
    text, _ = read(cifar_run)
    caption = re.search(r"Figures of (\d+) of 1,000 epochs", text)
    assert caption
    assert int(caption.group(1)) <= 61
    best = re.search(r"lowest after epoch (\d+)", text).group(1)
    assert f'<th scope="row">{best}</th>' in text


def test_a_validation_split_with_other_class_shares_is_pointed_out(read, cifar_run, digits_run):
    assert "the validation data has other class shares" in read(cifar_run)[0]
    assert "other class shares" not in read(digits_run)[0]


def test_the_reason_for_stopping_and_the_settings_are_shown(read, cifar_run):
    text = "".join(read(cifar_run)[1].pieces)
    for words in (
        "Stopped early: the validation loss had not improved",
        "Learning rate",
        "0.001",
        "Seed",
        "cpu (2 cores)",
    ):
        assert words in text


def test_a_training_that_diverged_has_a_page_that_says_so(read, tmp_path):
    runs.write_config(
        tmp_path, schema.RunConfig("t", "regression", "d", [schema.Split("train", 5)])
    )
    runs.write_history(tmp_path, {"loss": [np.nan, np.nan]})
    assert "the training diverged" in read(tmp_path)[0]


def test_a_hundred_classes_fit_on_a_page(read, tmp_path):
    rng = np.random.default_rng(0)
    names = [f"class {i}" for i in range(100)]
    labels = rng.integers(0, 100, 3000)
    probabilities = rng.dirichlet(np.full(100, 0.1), 3000)
    split = schema.Split("test", 3000, np.bincount(labels, minlength=100).tolist())
    runs.write_config(
        tmp_path, schema.RunConfig("t", "classification", "d", [split], class_names=names)
    )
    runs.write_metrics(tmp_path, figures.classification_metrics(labels, probabilities, names))
    images = rng.integers(0, 256, (3000, 48, 48, 3), dtype=np.uint8)
    runs.write_samples(tmp_path, figures.choose_samples(images, labels, probabilities))
    text, _ = read(tmp_path)
    assert len(text.encode()) < 500_000
    assert text.count('class="tile"') == 100 + 18


def test_a_damaged_file_is_named_and_the_old_page_stays(digits_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(digits_run, folder)
    pages.write_report(folder)
    (folder / "metrics.json").write_text("{")
    before = (folder / "report.html").read_bytes()
    with pytest.raises(DataError, match=r"metrics\.json"):
        pages.write_report(folder)
    assert (folder / "report.html").read_bytes() == before


def test_neither_scikit_learn_nor_pyplot_is_imported_to_make_a_page(digits_run):
    script = (
        "import sys; from gazelle._report import pages; pages.write_report(sys.argv[1]);"
        " print(sorted(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, digits_run], capture_output=True, text=True, check=True
    ).stdout
    assert "'gazelle._report.pages.report'" in found
    for module in ("'sklearn'", "'matplotlib.pyplot'"):
        assert module not in found


def test_numbers_can_be_read_on_hover_without_a_script(read, digits_run, regression_run):
    text, _ = read(digits_run)
    history = runs.read_history(digits_run)[1]
    assert f"<title>validation, epoch 40: {history['val_loss'][-1]:.4g}</title>" in text
    assert re.search(r"<title>zero, right: \d+ \([\d.]+% of the class\)</title>", text)
    assert "<title>dense, Dense, 32, 2,080 parameters</title>" in text
    assert re.search(r"<title>true [\d,.]+, predicted [\d,.]+</title>", read(regression_run)[0])


def test_what_users_name_is_escaped_on_hover_too(read, binary_run):
    text, _ = read(binary_run)
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;, right" in text


def test_two_classes_have_curves_thresholds_and_intervals(read, binary_run):
    text, reader = read(binary_run)
    assert '<section id="thresholds"' in text
    metrics = runs.read_metrics(binary_run)
    assert f"ROC curve (AUC {metrics.two_classes.auc:.3f})" in "".join(reader.pieces)
    low, high = figures.wilson(metrics.accuracy, metrics.rows)
    assert f"{100 * low:.0f}\N{EN DASH}{100 * high:.0f}% with 95% confidence" in text


def test_no_calibration_point_is_drawn_from_a_few_rows():
    from gazelle._plots import calibration

    def points(count):
        bins = [
            {
                "low": 0.4,
                "high": 0.6,
                "count": count,
                "confidence": 0.5,
                "accuracy": 0.4,
                "interval": (0.1, 0.8),
            }
        ]
        return [
            line for line in calibration(bins).axes[0].lines if line.get_label() == "this model"
        ]

    assert not points(19)
    assert points(20)


def test_many_classes_are_sorted_by_f1_and_folded(read, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(1200) % 30
    probabilities = rng.dirichlet(np.full(30, 0.1), 1200) + np.eye(30)[labels] * rng.random(
        (1200, 1)
    )
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = [f"class {i}" for i in range(30)]
    config = schema.RunConfig(
        "t", "classification", "d", [schema.Split("test", 1200)], class_names=names
    )
    runs.write_config(tmp_path, config)
    runs.write_metrics(tmp_path, figures.classification_metrics(labels, probabilities, names))
    text, _ = read(tmp_path)
    shown, folded = re.search(r'id="scores".*?</section>', text, re.S).group().split("<details>")
    found = [float(f1) for f1 in re.findall(r"<td>(\d\.\d{3})</td>", shown)][:20]
    assert found == sorted(found)
    assert shown.count("class ") - shown.count("class ") % 20 == 20
    assert folded.count('<th scope="row">class ') == 30


def test_parts_drawn_at_random_from_many_classes_get_no_caution(read, tmp_path):
    rng = np.random.default_rng(0)
    splits = [
        schema.Split(name, rows, np.bincount(rng.integers(0, 100, rows), minlength=100).tolist())
        for name, rows in (("train", 4500), ("test", 500))
    ]
    names = [str(i) for i in range(100)]
    runs.write_config(
        tmp_path, schema.RunConfig("t", "classification", "d", splits, class_names=names)
    )
    assert "other class shares" not in read(tmp_path)[0]


def test_a_validation_of_every_fifth_epoch_is_not_called_a_divergence(read, tmp_path):
    runs.write_config(
        tmp_path, schema.RunConfig("t", "regression", "d", [schema.Split("train", 5)])
    )
    values = [np.nan, 2.0, np.nan, 1.0, np.nan]
    runs.write_history(tmp_path, {"loss": [5.0, 4.0, 3.0, 2.0, 1.0], "val_loss": values})
    text, _ = read(tmp_path)
    assert "lowest after epoch 4" in text
    assert "diverged" not in text


def test_the_learning_rate_has_a_curve_if_it_changed(read, tmp_path):
    fits = [schema.Fit(done=3, epochs=3, learning_rates=[0.1, 0.05, 0.025])]
    runs.write_config(
        tmp_path, schema.RunConfig("t", "regression", "d", [schema.Split("train", 5)], fits=fits)
    )
    runs.write_history(tmp_path, {"loss": [3.0, 2.0, 1.0]})
    assert "<h3>Learning rate</h3>" in read(tmp_path)[0]
    assert "0.1 to 0.025" in read(tmp_path)[0]


def test_a_network_of_thousands_of_layers_is_not_drawn(read, tmp_path):
    chain = [
        schema.LayerInfo(f"d{i}", "Dense", [[None, 2]], 6, inbound=[f"d{i - 1}"] if i else [])
        for i in range(3000)
    ]
    runs.write_config(tmp_path, schema.RunConfig("t", "regression", "d", []))
    runs.write_network(tmp_path, schema.NetworkInfo("m", chain, 18_000, 18_000))
    assert "3,000 layers are too many for a drawing" in read(tmp_path)[0]
