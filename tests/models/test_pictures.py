"""The summary's table and the drawing of a network."""

import numpy as np
import pytest

import gazelle
from gazelle import Input, Model, Sequential, layers
from gazelle.layers import Dense
from gazelle.models import describe, plot_model


def summary(model, **arguments):
    texts = []
    assert model.summary(print_fn=texts.append, **arguments) is None
    assert not any("\n" in text for text in texts)
    assert texts[0] == f'Model: "{model.name}"'
    return "\n".join(texts)


def chain():
    return Sequential(
        [Input((4,)), Dense(3, name="first"), layers.BatchNormalization(name="norm"), Dense(1)],
        name="m",
    )


def branched():
    x = Input((4,), name="x")
    h = Dense(3, name="h")(x)
    return Model(x, [layers.Add(name="sum")([h, h * 2.0]), Dense(1, name="out")(h)], name="b")


class Mine(Model):
    def __init__(self):
        super().__init__(name="mine")
        self.first, self.second = Dense(3, name="one"), [Dense(2, name="two")]

    def call(self, inputs):
        return self.second[0](self.first(inputs))


def test_the_table_has_rows_totals_and_sizes():
    lines = summary(chain()).splitlines()
    assert lines[0] == 'Model: "m"'
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")
    ]
    assert rows[:2] == [
        ["first (Dense)", "(None, 3)", "15"],
        ["norm (BatchNormalization)", "(None, 3)", "12"],
    ]
    assert lines[-3:] == [
        " Total params: 31 (124.00 B)",
        " Trainable params: 25 (100.00 B)",
        " Non-trainable params: 6 (24.00 B)",
    ]


def test_sizes_have_units_and_include_the_optimizer():
    model = Sequential([Input((1000,)), Dense(1000)])
    assert " Total params: 1,001,000 (3.82 MB)" in summary(model)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    assert " Optimizer params: 2,002,002 (7.64 MB)" in summary(model)
    assert " Total params: 3,003,002 (11.46 MB)" in summary(model)


def test_the_summary_of_an_unbuilt_model_says_so():
    text = summary(Sequential([Dense(3)]))
    assert "0 (unbuilt)" in text
    assert "?" in text
    assert "0 (unbuilt)" in summary(Mine())
    assert " Total params: 0 (0.00 B)" in summary(Sequential())


def test_the_shapes_of_a_subclassed_model_are_known_once_it_was_called():
    model = Mine()
    model(np.ones((5, 4), "float32"))
    assert "(None, 3)" in summary(model)
    assert [entry["output_shapes"] for entry in describe(model)["layers"]] == [
        [[None, 3]],
        [[None, 2]],
    ]


@pytest.mark.parametrize("width", [1, 20, 45, 60, 88, 300])
def test_every_width_gives_whole_words_and_lines_of_equal_length(width):
    long = Sequential([Input((4,)), Dense(3, name="a_" * 40), Dense(2)])
    for model in (chain(), branched(), long):
        text = summary(model, line_length=width, show_trainable=True)
        lengths = {len(line) for line in text.splitlines()[1:] if line[0] in "┏┃┡│├└"}
        assert len(lengths) == 1
        assert lengths.pop() == max(width, 10 * (4 + (model.name == "b")) + 1)
        if width >= 88:
            assert "Layer (type)" in text
            assert "Param #" in text


def test_the_width_is_that_of_the_terminal_at_most_88(monkeypatch):
    for columns, width in ((200, 88), (70, 66), (20, 40)):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert max(map(len, summary(chain()).splitlines())) == width


def test_positions_set_the_columns():
    text = summary(chain(), line_length=100, positions=[0.7, 0.9, 1.0])
    assert abs(text.splitlines()[1].index("┳") - 70) <= 2


def test_trainable_rows_and_nested_rows():
    inner = Sequential([Dense(2, name="in")], name="inner")
    model = Sequential(
        [Input((4,)), Dense(3, name="first"), layers.Dropout(0.1, name="drop"), inner]
    )
    model.layers[0].trainable = False
    text = summary(model, show_trainable=True, expand_nested=True, line_length=100)
    cells = {
        line.split("│")[1].strip(): line.split("│")[4].strip()
        for line in text.splitlines()
        if line[0] == "│"
    }
    assert cells == {
        "first (Dense)": "N",
        "drop (Dropout)": "-",
        "inner (Sequential)": "Y",
        "└ in (Dense)": "Y",
    }
    assert "└ in" not in summary(model)


def test_a_range_of_layers():
    text = summary(chain(), layer_range=["norm", ".*dense.*|dense.*"])
    assert "first" not in text
    assert "norm" in text
    for wrong in (["norm"], ["none", "norm"]):
        with pytest.raises(ValueError, match="layer_range"):
            summary(chain(), layer_range=wrong)


def test_without_a_print_function_it_is_printed(capsys):
    chain().summary()
    assert capsys.readouterr().out.startswith('Model: "m"\n┏')


# ---- The drawing ----


def test_a_description_lists_the_inbound_layers():
    entries = {entry["name"]: entry for entry in describe(branched())["layers"]}
    assert entries["x"]["type"] == "Input"
    assert entries["h"]["inbound"] == ["x"]
    assert entries["h"]["units"] == 3
    assert entries["h"]["parameters"] == 15
    product = next(name for name in entries if name.startswith("multiply"))
    assert entries["sum"]["inbound"] == ["h", product]
    assert entries["out"]["output_shapes"] == [[None, 1]]


def test_a_layer_that_is_called_twice_is_listed_twice():
    x = Input((4,))
    dense = Dense(4, name="d", activation="tanh")
    entries = describe(Model(x, dense(dense(x))))["layers"]
    assert [entry["name"] for entry in entries[1:]] == ["d", "d (call 2)"]
    assert entries[2]["inbound"] == ["d"]
    assert entries[1]["activation"] == "tanh"


@pytest.mark.parametrize("make", [chain, branched], ids=["chain", "branched"])
def test_a_drawing_is_written_as_svg_or_png(make, tmp_path):
    svg = plot_model(make(), tmp_path / "m.svg")
    png = plot_model(make(), to_file=str(tmp_path / "m.png"), dpi=72)
    assert "<svg" in svg.read_text(encoding="utf-8")
    for layer in make().layers:
        if "dense" not in layer.name:
            assert layer.name in svg.read_text(encoding="utf-8")
    assert png.read_bytes().startswith(b"\x89PNG")
    plot_model(make(), tmp_path / "again.svg", show_shapes=True, rankdir="LR")


def test_models_that_cannot_be_drawn_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not built"):
        plot_model(Sequential([Dense(3)]), tmp_path / "m.svg")
    with pytest.raises(ValueError, match="not built"):
        describe(Mine())
    with pytest.raises(ValueError, match=r"\.svg or \.png"):
        plot_model(chain(), tmp_path / "m.dot")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_was_trained_can_be_drawn(tmp_path):
    model = Mine()
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    assert plot_model(model, tmp_path / "m.svg").exists()
    assert gazelle.models.describe(model)["parameters"] == 23


def test_the_summary_is_one_text_in_a_notebook_too(monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert "Output Shape" in summary(chain())


def test_models_in_a_notebook_are_small_escaped_tables():
    odd = Sequential([Dense(3, name="<b>&"), Dense(2)], name="<script>")  # not built
    for model in (chain(), odd):
        page = model._repr_html_()
        assert len(page) < 50_000
        assert "http" not in page
        assert "<script" not in page
        assert "<b>&" not in page
    assert "&lt;script&gt;" in odd._repr_html_()
