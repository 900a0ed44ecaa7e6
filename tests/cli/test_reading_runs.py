"""The commands that read runs: evaluate, predict, report, summary, list and compare."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score

import gazelle as package
from gazelle import layers, models
from gazelle._report import runs
from gazelle.datasets import digits

from .conftest import folder_of, paint

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path, digits_run, shades_run):
    """The runs in the folder where the command searches for them."""
    for run in (digits_run, shades_run):
        shutil.copytree(run, tmp_path / "runs" / run.name)
    return tmp_path


def test_evaluate_gives_the_recorded_figures_again(gazelle, home):
    result = gazelle("evaluate", "runs/digits")
    metrics = runs.read_metrics(Path("runs/digits"))
    lines = result.out.splitlines()
    assert (result.status, result.err) == (0, "")
    assert lines[-1] == f"Accuracy {metrics.accuracy:.4f}, loss {metrics.loss:.4f} on 359 images"
    assert lines[1].split() == [
        "0",
        *(f"{metrics.classes[0].__dict__[k]:.4f}" for k in ("precision", "recall", "f1")),
        "36",
    ]
    assert [line.split()[0] for line in lines[1:11]] == [str(number) for number in range(10)]


def test_a_run_is_found_by_its_name_in_runs(gazelle, home):
    assert gazelle("summary", "digits") == gazelle("summary", "runs/digits")


def test_evaluate_takes_other_images_with_only_some_of_the_classes(gazelle, home):
    folder_of("new", classes=("dark",), count=7)
    result = gazelle("evaluate", "shades", "new")
    assert result.status == 0
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["dark", "mean", "weighted", "Accuracy"]
    assert lines[-1].startswith("Accuracy 1.0000")
    assert lines[-1].endswith("on 7 images")


def test_evaluate_scales_other_images_to_the_range_of_the_network(gazelle, home):
    """Digits as PNG files, 0 to 255, are recognized as well as the digits themselves, 0 to 16."""
    x, y = digits.load_data()[1]
    for i in range(60):
        path = Path("scans") / str(y[i]) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((x[i] / 16 * 255).round().astype(np.uint8)).save(path)
    result = gazelle("evaluate", "digits", "scans")
    model = models.model_from_json(Path("runs/digits/model.json").read_text(encoding="utf-8"))
    model.load_weights("runs/digits/model.weights.h5")
    expected = accuracy_score(y[:60], model.predict(x[:60]).argmax(axis=1))
    assert expected > 0.7
    assert float(result.out.splitlines()[-1].split()[1].rstrip(",")) == pytest.approx(
        expected, abs=0.02
    )


def test_evaluate_refuses_classes_that_the_network_does_not_have(gazelle, home):
    folder_of("new", classes=("dark", "weird"))
    result = gazelle("evaluate", "shades", "new")
    assert (result.status, result.out) == (1, "")
    assert "received: weird" in result.err


def test_evaluate_refuses_images_of_another_shape(gazelle, home):
    result = gazelle("evaluate", "shades", "digits")
    assert (result.status, result.out) == (1, "")
    assert "expected: 6 x 6" in result.err
    assert "received: 8 x 8" in result.err


@pytest.mark.filterwarnings("default")
def test_evaluate_warns_if_the_data_has_changed_since(gazelle):
    folder_of("data")
    gazelle("train", "data", "--epochs", "1", "--hidden", "", "-q")
    folder_of("data", count=20)
    result = gazelle("evaluate", "data")
    assert result.status == 0
    assert result.err.startswith("gazelle: warning: data has changed since the training")


def test_evaluate_asks_for_the_data_if_it_is_gone(gazelle):
    folder_of("data")
    gazelle("train", "data", "--epochs", "1", "--hidden", "", "-q")
    shutil.rmtree("data")
    result = gazelle("evaluate", "data")
    assert result.status == 1
    assert "gazelle evaluate runs/data DATA" in result.err


def in_mode(mode, value):
    """A picture of one shade of gray, 11 x 9 pixels."""
    if mode == "I;16":
        return Image.fromarray(np.full((9, 11), value * 256, np.uint16))
    if mode == "1":
        return Image.new("1", (11, 9), value > 127)
    return Image.new("L", (11, 9), value).convert(mode)


def test_predict_takes_images_of_any_size_and_mode(gazelle, home):
    shades = {"dark": 40, "light": 220}
    modes = ("L", "RGB", "RGBA", "P", "1", "LA", "I;16")
    expected = []
    for number, mode in enumerate(modes):
        for shade, value in shades.items():
            in_mode(mode, value).save(f"{shade}{number}.png")
            expected.append([f"{shade}{number}.png", shade])
    result = gazelle("predict", "shades", *(file for file, _ in expected), "--top", "1")
    assert (result.status, result.err) == (0, "")
    assert [line.split()[:2] for line in result.out.splitlines()] == expected


def test_predict_gives_the_probabilities_of_the_model(gazelle, home):
    x = digits.load_data()[1][0][0]
    Image.fromarray((x / 16 * 255).round().astype(np.uint8)).save("one.png")
    Image.fromarray((255 - x / 16 * 255).round().astype(np.uint8)).save("paper.png")
    model = models.model_from_json(Path("runs/digits/model.json").read_text(encoding="utf-8"))
    model.load_weights("runs/digits/model.weights.h5")
    probabilities = model.predict(x[None])[0]
    words = gazelle("predict", "digits", "one.png", "--top", "2").out.split()
    assert words[1::2] == [str(place) for place in np.argsort(-probabilities)[:2]]
    shares = [float(word.rstrip("%")) / 100 for word in words[2::2]]
    assert shares == pytest.approx(np.sort(probabilities)[::-1][:2].tolist(), abs=2e-3)
    assert (
        gazelle("predict", "digits", "paper.png", "--invert", "--top", "2").out.split()[1:]
        == words[1:]
    )


def test_predict_names_a_file_that_is_not_an_image(gazelle, home):
    Path("notes.png").write_text("hello", encoding="utf-8")
    paint(Path("fine.png"))
    result = gazelle("predict", "shades", "fine.png", "notes.png")
    assert (result.status, result.out) == (1, "")
    assert "notes.png" in result.err


def test_predict_names_all_files_that_it_cannot_read_with_fitting_advice(gazelle, home):
    paint(Path("fine.png"))
    result = gazelle("predict", "shades", "gone.png")
    assert result.err.splitlines()[0] == "gazelle: There is no image gone.png."
    assert "fix: check the path" in result.err
    Path("text.png").write_text("x")
    result = gazelle("predict", "shades", "gone.png", "fine.png", "text.png", "gone2.png")
    assert (result.status, result.out) == (1, "")
    assert all(
        name in result.err
        for name in ("3 of 4 images", " gone.png: nothing at", " text.png: ", "gone2.png")
    )


def test_list_shows_the_runs_and_their_figures(gazelle, home):
    Path("runs/.tmp-1-2-3-draft").mkdir()
    shutil.copytree("runs/digits", "runs/broken")
    Path("runs/broken/config.json").write_text("{")
    result = gazelle("list")
    lines = result.out.splitlines()
    accuracy = runs.read_metrics(Path("runs/digits")).accuracy
    assert (result.status, result.err, len(lines)) == (0, "", 4)
    assert next(line for line in lines if line.startswith("digits ")).split()[1] == "digits"
    assert f"accuracy {accuracy:.4f}" in result.out
    assert "damaged" in next(line for line in lines if line.startswith("broken "))
    assert gazelle("list", "nowhere").err.endswith("fix: make one: gazelle train digits\n")


def test_compare_shows_what_differs_and_the_figures_side_by_side(gazelle, home):
    gazelle("train", "digits", "--epochs", "1", "--hidden", "8", "-q", "--name", "small")
    result = gazelle("compare", "digits", "small")
    rows = {
        line[:20].strip(): line.split()[-2:] for line in result.out.splitlines() if line.strip()
    }
    assert result.status == 0
    assert rows["hidden units"] == ["16", "8"]
    assert rows["epochs run"] == ["2", "1"]
    assert rows["test accuracy"] == [
        f"{runs.read_metrics(Path('runs') / name).accuracy:.4f}" for name in ("digits", "small")
    ]
    assert "batch_size" not in rows
    assert "are not comparable" in gazelle("compare", "digits", "shades").out


def test_top_may_exceed_the_number_of_classes(gazelle, home):
    paint(Path("fine.png"))
    assert len(gazelle("predict", "shades", "fine.png", "--top", "99").out.split()) == 1 + 2 * 2


def test_a_report_is_made_again_byte_for_byte(gazelle, home):
    page = Path("runs/digits/report.html")
    before = page.read_bytes()
    page.unlink()
    assert gazelle("report", "digits") == (0, "Report: runs/digits/report.html\n", "")
    assert page.read_bytes() == before


def test_summary_fits_a_narrow_terminal(gazelle, home, monkeypatch):
    for columns in (50, 80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        result = gazelle("summary", "digits")
        assert "Total params: 1,210" in result.out
        assert "\x1b" not in result.out
        assert max(map(len, result.out.splitlines())) <= columns


@pytest.mark.parametrize("command", ["evaluate", "predict", "report", "summary"])
def test_a_missing_run_is_refused_and_a_similar_one_named(gazelle, home, command):
    image = ["x.png"] if command == "predict" else []
    result = gazelle(command, "runs/digitz", *image)
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines() == [
        "gazelle: runs/digitz is not a run folder.",
        "  expected: a folder with config.json, made by gazelle train",
        "  received: nothing at this path",
        "  fix: choose one of: runs/digits",
    ]


def test_without_any_run_it_says_how_to_make_one(gazelle):
    assert gazelle("report", "digits").err.endswith("  fix: make one: gazelle train digits\n")


def test_a_run_made_in_python_can_be_summarized_and_reported_but_takes_no_images(gazelle):
    model = models.Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 4), np.float32)
    model.fit(x, x[:, 0], verbose=0)
    package.report(model, x, x[:, 0])
    assert gazelle("summary", "data").status == gazelle("report", "data").status == 0
    result = gazelle("predict", "data", "x.png")
    assert result.status == 1
    assert "not made by gazelle train" in result.err


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("model.weights.h5", "model.weights.h5"),
        ("model.json", "no model.json"),
        ("config.json", "not a run folder"),
    ],
)
def test_a_file_that_is_missing_is_named(gazelle, home, file, words):
    (Path("runs/digits") / file).unlink()
    result = gazelle("evaluate", "runs/digits")
    assert (result.status, result.out) == (1, "")
    assert words in result.err


def test_a_damaged_model_file_is_named(gazelle, home):
    Path("runs/digits/model.json").write_text("{", encoding="utf-8")
    result = gazelle("summary", "digits")
    assert (result.status, result.out) == (1, "")
    assert "model.json" in result.err


def test_compare_writes_a_page_or_refuses_its_path(gazelle, home):
    result = gazelle("compare", "digits", "shades", "--html", "both.html")
    assert (result.status, result.err, result.out) == (0, "", "Comparison: both.html\n")
    page = Path("both.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("digits", "shades", "side by side"))
    refused = gazelle("compare", "digits", "shades", "--html", "no/such/folder.html")
    assert refused.status == 1
    assert "cannot be written" in refused.err
