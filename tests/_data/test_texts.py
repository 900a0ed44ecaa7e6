import numpy as np
import pytest

import gazelle
from gazelle import layers
from gazelle.utils import text_dataset_from_directory


@pytest.fixture
def folder(tmp_path):
    """Two classes of eight texts each, named after their numbers."""
    for name, word in (("bad", "awful"), ("good", "lovely")):
        (tmp_path / name).mkdir()
        for number in range(8):
            (tmp_path / name / f"{number}.txt").write_text(f"{word} film {number} ü", "utf-8")
        (tmp_path / name / "notes.md").write_text("not a text")
    return tmp_path


def read(folder, **options):
    return text_dataset_from_directory(folder, **{"verbose": False, "shuffle": False, **options})


def test_texts_and_labels_are_those_of_the_folder(folder, capsys):
    data = text_dataset_from_directory(folder, shuffle=False)
    assert capsys.readouterr().out == "Found 16 files belonging to 2 classes.\n"
    assert data.class_names == ["bad", "good"]
    assert data.x.tolist()[:2] == ["awful film 0 ü", "awful film 1 ü"]
    assert data.y.tolist() == [0] * 8 + [1] * 8
    assert data.y.dtype == "int32"
    [(x, y)] = list(data)
    assert (x.shape, y.shape) == ((16,), (16,))


@pytest.mark.parametrize(
    ("mode", "shape", "last"), [("binary", (16, 1), [1.0]), ("categorical", (16, 2), [0.0, 1.0])]
)
def test_labels_have_the_form_of_the_mode(folder, mode, shape, last):
    y = read(folder, label_mode=mode).y
    assert (y.shape, y.dtype, y[-1].tolist()) == (shape, "float32", last)


def test_labels_may_be_given_or_left_out(folder):
    assert read(folder, labels=list(range(16))).y.tolist() == list(range(16))
    for none in ({"labels": None}, {"label_mode": None}):
        batches = list(read(folder, batch_size=10, **none))
        assert [len(batch) for batch in batches] == [10, 6]
    assert read(folder, class_names=["good", "bad"]).y.tolist() == [0] * 8 + [1] * 8


def test_texts_are_cut_and_single(folder):
    data = read(folder, max_length=5, batch_size=None)
    assert data[8] == ("lovel", 1)


def test_a_split_has_every_text_once(folder):
    options = {"validation_split": 0.25, "shuffle": True, "seed": 3}
    both = read(folder, subset="both", **options)
    parts = [read(folder, subset=name, **options) for name in ("training", "validation")]
    assert [len(part.x) for part in both] == [12, 4]
    for one, other in zip(both, parts, strict=True):
        assert one.x.tolist() == other.x.tolist()
        assert one.y.tolist() == other.y.tolist()
    texts = [*both[0].x, *both[1].x]
    assert sorted(texts) == sorted(read(folder).x)
    assert texts != read(folder).x.tolist()


def test_a_model_with_a_text_input_trains_on_it(folder):
    data, validation = text_dataset_from_directory(
        folder, seed=1, validation_split=0.25, subset="both", verbose=False, batch_size=4
    )
    vectors = layers.TextVectorization(output_mode="multi_hot")
    vectors.adapt(data.x)
    model = gazelle.Sequential(
        [gazelle.Input((1,), dtype="string"), vectors, layers.Dense(1, "sigmoid")]
    )
    model.compile(gazelle.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(data, epochs=20, validation_data=validation, verbose=0)
    assert history.history["val_accuracy"][-1] == 1.0
    assert int(model.optimizer.iterations) == 60
    assert model.predict(validation).shape == (4, 1)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"label_mode": "some"}, "label_mode"),
        ({"class_names": ["good"]}, "class_names"),
        ({"labels": [1, 2]}, "one label per file"),
        ({"max_length": 0}, "max_length"),
        ({"validation_split": 0.5}, "used together"),
        ({"validation_split": 2.0, "subset": "both"}, "share of the texts"),
        ({"validation_split": 0.01, "subset": "both"}, "a part without texts"),
    ],
)
def test_wrong_arguments_are_refused(folder, options, problem):
    with pytest.raises(ValueError, match=problem):
        read(folder, **options)


def test_wrong_folders_are_refused(folder):
    with pytest.raises(ValueError, match="There is no folder"):
        read(folder / "none")
    with pytest.raises(ValueError, match="No classes"):
        read(folder / "bad")
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="No texts"):
        read(folder)
    (folder / "empty" / "a.txt").write_bytes("ü".encode("latin-1"))
    with pytest.raises(ValueError, match=r"cannot be read(.|\n)*UTF-8"):
        read(folder)
    with pytest.raises(ValueError, match="needs two classes"):
        read(folder, label_mode="binary")
    assert np.issubdtype(read(folder / "bad", labels=None).x.dtype, object)
