"""A folder of images: found, shuffled, split and labelled as in Keras; decoded as by Pillow."""

import io
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazelle._core.errors import ArgumentError, DataError
from gazelle._data.images import folder as module
from gazelle.utils import (
    ImageDataset,
    PyDataset,
    image_dataset_from_directory,
    img_to_array,
    load_img,
)

SHARED = Path(__file__).parents[4] / "shared" / "data" / "cifar10-images.tar.xz"
PLAIN = {"image_size": None, "shuffle": False, "verbose": False}


def picture(value, size=(6, 4)):
    return Image.new("RGB", size, (value, value + 1, value + 2))


@pytest.fixture
def folder(tmp_path):
    """cat: 3 images, dog: 5 (two of them in a subfolder); the red value tells them apart."""
    root = tmp_path / "images"
    for i, name in enumerate(
        ["cat/a.png", "cat/b.PNG", "cat/c.bmp", "dog/1.png", "dog/2.png", "dog/3.gif"]
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture(10 * i).save(root / name)
    (root / "dog" / "more").mkdir()
    picture(60).save(root / "dog" / "more" / "4.webp", lossless=True)
    picture(70).save(root / "dog" / "more" / "5.png")
    for ignored in (
        "cat/notes.txt",
        "cat/.hidden.png",
        "dog/.cache/x.png",
        ".git/x.png",
        "loose.txt",
    ):
        (root / ignored).parent.mkdir(exist_ok=True)
        (root / ignored).write_bytes(b"x")
    return root


def reds(dataset):
    return dataset.x[:, 0, 0, 0].tolist()


def test_files_come_sorted_by_class_with_their_bytes(folder):
    dataset = image_dataset_from_directory(folder, **PLAIN)
    assert isinstance(dataset, PyDataset)
    assert (dataset.x.shape, dataset.x.dtype) == ((8, 4, 6, 3), np.uint8)
    assert reds(dataset) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert (dataset.y.tolist(), dataset.y.dtype) == ([0, 0, 0, 1, 1, 1, 1, 1], np.int32)
    assert dataset.class_names == ["cat", "dog"]
    assert [Path(file).name for file in dataset.file_paths][-3:] == ["3.gif", "4.webp", "5.png"]


def test_batches_are_those_of_keras(folder):
    dataset = image_dataset_from_directory(folder, batch_size=3, **PLAIN)
    assert len(dataset) == dataset.num_batches == 3
    batches = list(dataset)
    assert [len(x) for x, _ in batches] == [3, 3, 2]
    assert batches[0][0].dtype == np.float32
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), dataset.x)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), dataset.y)
    np.testing.assert_array_equal(dataset[-1][0], batches[2][0])
    with pytest.raises(IndexError):
        dataset[3]
    single = image_dataset_from_directory(folder, batch_size=None, **PLAIN)
    assert (len(single), single[0][0].shape) == (8, (4, 6, 3))


def test_what_was_found_is_printed_as_in_keras_without_a_bar_outside_a_terminal(folder, capsys):
    image_dataset_from_directory(
        folder, image_size=None, seed=1, validation_split=0.5, subset="both"
    )
    out = capsys.readouterr().out
    assert (
        out
        == "Found 8 files belonging to 2 classes.\nUsing 4 files for training.\nUsing 4 files for"
        " validation.\n"
    )
    image_dataset_from_directory(folder, **PLAIN)
    assert capsys.readouterr().out == ""


def test_shuffling_keeps_image_label_and_file_together_and_follows_the_seed(folder):
    arguments = {**PLAIN, "shuffle": True}
    dataset = image_dataset_from_directory(folder, seed=3, **arguments)
    assert sorted(reds(dataset)) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert reds(dataset) != sorted(reds(dataset))
    assert [int(red > 20) for red in reds(dataset)] == dataset.y.tolist()
    assert [img_to_array(load_img(file))[0, 0, 0] for file in dataset.file_paths] == reds(dataset)
    assert reds(image_dataset_from_directory(folder, seed=3, **arguments)) == reds(dataset)
    assert reds(image_dataset_from_directory(folder, seed=4, **arguments)) != reds(dataset)


@pytest.mark.parametrize("label_mode", ["categorical", "binary", None])
def test_labels_come_in_the_shapes_of_keras(label_mode, folder):
    dataset = image_dataset_from_directory(folder, label_mode=label_mode, **PLAIN)
    if label_mode is None:
        assert dataset.y is None
        assert dataset[0].shape == (8, 4, 6, 3)
    else:
        classes = np.array([0, 0, 0, 1, 1, 1, 1, 1])
        expected = (
            classes[:, None] if label_mode == "binary" else np.stack([1 - classes, classes], axis=1)
        )
        assert dataset.y.dtype == np.float32
        np.testing.assert_array_equal(dataset.y, expected)


def test_labels_and_class_names_may_be_given(folder):
    assert (
        image_dataset_from_directory(folder, class_names=["dog", "cat"], **PLAIN).y.tolist()
        == [0] * 5 + [1] * 3
    )
    given = image_dataset_from_directory(folder, labels=[5, 7, 5, 5, 7, 7, 7, 9], **PLAIN)
    assert (given.y.tolist(), given.class_names) == ([0, 1, 0, 0, 1, 1, 1, 2], ["5", "7", "9"])
    none = image_dataset_from_directory(folder, labels=None, label_mode=None, **PLAIN)
    assert (len(none.x), none.y, none.class_names) == (8, None, None)


def test_a_split_has_two_parts_that_share_nothing(folder):
    arguments = {**PLAIN, "shuffle": True, "seed": 7, "validation_split": 0.4}
    both = image_dataset_from_directory(folder, subset="both", **arguments)
    parts = [
        image_dataset_from_directory(folder, subset=name, **arguments)
        for name in ("training", "validation")
    ]
    assert [len(part.x) for part in both] == [5, 3]  # int(0.4 * 8) = 3 are held out
    assert sorted(reds(both[0]) + reds(both[1])) == [0, 10, 20, 30, 40, 50, 60, 70]
    for one, two in zip(both, parts, strict=True):
        assert (reds(one), one.y.tolist(), one.file_paths) == (
            reds(two),
            two.y.tolist(),
            two.file_paths,
        )


def test_a_split_that_loses_a_class_warns(folder):
    with pytest.warns(UserWarning, match="one part without images of 'cat'"):
        image_dataset_from_directory(folder, validation_split=0.3, subset="both", **PLAIN)


@pytest.mark.parametrize(
    ("color_mode", "channels", "mode"),
    [("rgb", 3, "RGB"), ("rgba", 4, "RGBA"), ("grayscale", 1, "L")],
)
def test_colors_are_those_of_pillow(color_mode, channels, mode, folder):
    dataset = image_dataset_from_directory(folder, color_mode=color_mode, **PLAIN)
    assert dataset.x.shape == (8, 4, 6, channels)
    expected = np.asarray(picture(10).convert(mode)).reshape(4, 6, channels)
    np.testing.assert_array_equal(dataset.x[1], expected)
    first = image_dataset_from_directory(
        folder, color_mode=color_mode, data_format="channels_first", **PLAIN
    )
    np.testing.assert_array_equal(first.x, dataset.x.transpose(0, 3, 1, 2))


def test_images_of_one_size_keep_it_and_others_are_refused_with_both_names(folder):
    picture(1, (9, 7)).save(folder / "dog" / "9.png")
    with pytest.raises(
        DataError,
        match=r"4 x 6 pixels[\s\S]*a\.png[\s\S]*7 x 9 pixels in .*9\.png[\s\S]*image_size=\(4, 6\)",
    ):
        image_dataset_from_directory(folder, **PLAIN)
    dataset = image_dataset_from_directory(folder, image_size=(5, 5), shuffle=False, verbose=False)
    assert dataset.x.shape == (9, 5, 5, 3)


def test_resizing_stretches_crops_or_pads(tmp_path):
    halves = np.zeros((4, 8, 3), np.uint8)
    halves[:, 2:6] = 200
    (tmp_path / "a").mkdir()
    Image.fromarray(halves).save(tmp_path / "a" / "x.png")
    arguments = {"image_size": (4, 4), "interpolation": "nearest", "verbose": False}
    rows = {
        name: image_dataset_from_directory(tmp_path, **options, **arguments).x[0, :, :, 0]
        for name, options in (
            ("stretch", {}),
            ("crop", {"crop_to_aspect_ratio": True}),
            ("pad", {"pad_to_aspect_ratio": True}),
        )
    }
    np.testing.assert_array_equal(rows["stretch"], [[0, 200, 200, 0]] * 4)
    np.testing.assert_array_equal(rows["crop"], np.full((4, 4), 200))
    np.testing.assert_array_equal(rows["pad"][:, 1], [0, 200, 200, 0])


def cut(file):
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


@pytest.fixture
def damaged(folder):
    """103 images of cats, 30 of which cannot be read, and 5 of dogs, one of which cannot."""
    for i in range(100):
        picture(i).save(folder / "cat" / f"n{i:03}.png")
    files = [
        folder / "cat" / "a.png",
        *(folder / "cat" / f"n{i:03}.png" for i in range(29)),
        folder / "dog" / "2.png",
    ]
    for file in files:
        cut(file)
    return folder, files


def test_all_images_that_cannot_be_read_are_named_at_once_up_to_twenty(damaged):
    folder, files = damaged
    with pytest.raises(DataError) as info:
        image_dataset_from_directory(folder, **PLAIN)
    text = str(info.value)
    assert text.startswith("31 of 108 images cannot be read.")
    assert [str(file) in text for file in files] == [True] * 20 + [False] * 11
    assert "and 11 more" in text
    assert "skip_bad=True" in text


def test_an_unreadable_image_alone_is_named(folder):
    cut(folder / "dog" / "2.png")
    with pytest.raises(DataError, match=r"2\.png[\s\S]*fix: remove or replace"):
        image_dataset_from_directory(folder, **PLAIN)


def test_bad_images_are_left_out_on_request_with_their_labels_and_names(damaged):
    folder, files = damaged
    for options in ({}, {"shuffle": True, "seed": 1}):
        with pytest.warns(
            UserWarning, match="31 of 108 images cannot be read and are left out: .* and 11 more"
        ):
            dataset = image_dataset_from_directory(folder, **{**PLAIN, **options}, skip_bad=True)
        assert len(dataset.x) == len(dataset.y) == len(dataset.file_paths) == 77
        assert not set(map(str, files)) & set(dataset.file_paths)
        assert [img_to_array(load_img(file))[0, 0, 0] for file in dataset.file_paths] == reds(
            dataset
        )
        assert [int("dog" in file) for file in dataset.file_paths] == dataset.y.tolist()


def test_bad_images_are_left_out_of_both_parts(damaged):
    folder, _ = damaged
    options = {**PLAIN, "shuffle": True, "seed": 4, "validation_split": 0.5, "subset": "both"}
    with pytest.warns(UserWarning, match="left out"):
        train, validation = image_dataset_from_directory(folder, **options, skip_bad=True)
    assert len(train.x) + len(validation.x) == 77
    assert not set(train.file_paths) & set(validation.file_paths)
    for part in (train, validation):
        assert [img_to_array(load_img(file))[0, 0, 0] for file in part.file_paths] == reds(part)


def test_a_class_without_an_image_that_can_be_read_is_refused_though_bad_ones_are_left_out(folder):
    for file in (folder / "cat").glob("*.*"):
        file.write_bytes(b"x")
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(DataError, match="No image of the class 'cat' can be read"),
    ):
        image_dataset_from_directory(folder, **PLAIN, skip_bad=True)


def test_transparent_images_get_a_background_and_are_counted(folder):
    for name in ("cat/a.png", "dog/1.png"):
        Image.new("RGBA", (6, 4)).save(folder / name)
    with pytest.warns(UserWarning, match="2 of 8 images are transparent: the background") as caught:
        dataset = image_dataset_from_directory(folder, **PLAIN)
    assert len(caught) == 1
    assert reds(dataset) == [255, 10, 20, 255, 40, 50, 60, 70]
    assert image_dataset_from_directory(folder, color_mode="rgba", **PLAIN).x[0, 0, 0].tolist() == [
        0,
        0,
        0,
        0,
    ]


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", "__MACOSX", ".git", "@eaDir", "dog/.ipynb_checkpoints"]
)
def test_hidden_and_system_folders_are_not_part_of_the_data(name, folder):
    (folder / name).mkdir(exist_ok=True)
    picture(99).save(folder / name / "copy.png")
    dataset = image_dataset_from_directory(folder, **PLAIN)
    assert (dataset.class_names, 99 in reds(dataset)) == (["cat", "dog"], False)
    assert 99 not in reds(
        image_dataset_from_directory(folder, labels=None, label_mode=None, **PLAIN)
    )


@pytest.mark.parametrize("deep", ["", "images", "a/b"])
def test_a_folder_in_a_folder_is_refused_and_the_right_one_is_named(deep, folder, tmp_path):
    home = tmp_path / "seg_train" / deep / "seg_train"
    home.parent.mkdir(parents=True)
    (tmp_path / "seg_train" / "notes.txt").write_text("x")
    folder.rename(home)
    outer = tmp_path / "seg_train"
    with pytest.raises(DataError) as info:
        image_dataset_from_directory(outer, **PLAIN)
    assert "has no images of its own, only folders: it is not a class" in str(info.value)
    assert f"fix: pass {home} if" in str(info.value)
    assert image_dataset_from_directory(home, **PLAIN).class_names == ["cat", "dog"]


def test_a_folder_without_permission_is_refused_by_name_wherever_it_is(folder, monkeypatch):
    scandir = os.scandir
    for closed in (folder, folder / "dog", folder / "dog" / "more"):

        def refuse(path, closed=closed):
            if Path(path) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        with pytest.raises(DataError, match=f"The folder {closed} cannot be read"):
            image_dataset_from_directory(folder, **PLAIN)


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names are text there")
def test_a_class_whose_name_is_not_text_is_refused_and_shown_safely(folder):
    (folder / "dog").rename(os.fsdecode(os.fsencode(folder) + b"/d\xf6g\x1b[31m"))
    with pytest.raises(DataError) as info:
        image_dataset_from_directory(folder, **PLAIN)
    assert "class 'd\\xf6g\\x1b[31m' is" in str(info.value)
    assert str(info.value).isascii()
    assert "\x1b" not in str(info.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_pipe_among_the_images_is_a_bad_image(folder):
    os.mkfifo(folder / "cat" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png[\s\S]*received: a pipe"):
        image_dataset_from_directory(folder, **PLAIN)


def test_images_of_unsupported_formats_are_reported(folder):
    for name in ("a.png", "b.PNG"):
        (folder / "cat" / name).rename((folder / "cat" / name).with_suffix(".TIFF"))
    with pytest.warns(UserWarning, match=r"Left out: 2 files of unsupported formats \(\.tiff\)"):
        assert len(image_dataset_from_directory(folder, **PLAIN).x) == 6
    (folder / "cat" / "c.bmp").rename(folder / "cat" / "c.heic")
    with pytest.raises(
        DataError, match=r"class 'cat' has no images[\s\S]*received: 3 files .*\(\.heic, \.tiff\)"
    ):
        image_dataset_from_directory(folder, **PLAIN)


def test_an_unsuitable_folder_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="There is no folder"):
        image_dataset_from_directory(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no subfolders"):
        image_dataset_from_directory(tmp_path / "empty")
    with pytest.raises(DataError, match="No images in"):
        image_dataset_from_directory(tmp_path / "empty", labels=None, label_mode=None)
    with pytest.raises(DataError, match=r"images without folders[\s\S]*labels=None"):
        image_dataset_from_directory(folder / "cat")
    (folder / "fish").mkdir()
    with pytest.raises(DataError, match="class 'fish' has no images"):
        image_dataset_from_directory(folder)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_folder_that_is_a_link_is_read_only_on_request(folder, tmp_path):
    (tmp_path / "outside" / "deep").mkdir(parents=True)
    picture(90).save(tmp_path / "outside" / "o.png")
    (tmp_path / "outside" / "deep" / "back").symlink_to(tmp_path / "outside")
    (folder / "eel").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match=r"eel is a link[\s\S]*follow_links=True"):
        image_dataset_from_directory(folder, **PLAIN)
    dataset = image_dataset_from_directory(folder, follow_links=True, **PLAIN)
    assert (dataset.class_names, reds(dataset)[-1], len(dataset.x)) == (
        ["cat", "dog", "eel"],
        90,
        9,
    )
    (folder / "eel").unlink()
    (folder / "dog" / "within").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="within is a link"):
        image_dataset_from_directory(folder, **PLAIN)


def test_more_images_than_memory_holds_are_refused_before_decoding(folder):
    with pytest.raises(DataError, match=r"do not fit into memory[\s\S]*smaller image_size"):
        image_dataset_from_directory(folder, image_size=(10**6, 10**6), verbose=False)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"label_mode": "one_hot"}, "label_mode"),
        ({"color_mode": "bgr"}, "color_mode"),
        ({"interpolation": "cubic"}, "interpolation"),
        ({"batch_size": 0}, "batch_size"),
        ({"image_size": (32,)}, "image_size"),
        ({"validation_split": 0.2}, "used together"),
        ({"subset": "training"}, "used together"),
        ({"validation_split": 2.0, "subset": "both"}, "must be a share"),
        ({"validation_split": 0.2, "subset": "test"}, "subset"),
        ({"validation_split": 0.2, "subset": "training"}, "seed is needed"),
        ({"validation_split": 0.01, "subset": "both"}, "without images"),
        ({"labels": [1, 2]}, "8 labels"),
        ({"labels": None}, "do not match"),
        ({"labels": "folders"}, "do not match"),
        ({"class_names": ["cat"]}, "each once"),
        ({"class_names": ["cat"], "labels": [0] * 8}, "class_names needs"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one"),
        ({"labels": [0, 1, 2, 0, 1, 2, 0, 1], "label_mode": "binary"}, "two classes"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(arguments, text, folder):
    with pytest.raises(ArgumentError, match=text):
        image_dataset_from_directory(folder, verbose=False, **arguments)


def test_a_progress_bar_is_drawn_on_a_terminal(folder, monkeypatch, capsys):
    monkeypatch.setattr(module.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    image_dataset_from_directory(folder, image_size=None)
    assert "Reading images" in capsys.readouterr().out


def test_the_shared_cifar_images_are_read_as_pillow_reads_them(tmp_path):
    if not SHARED.exists():
        pytest.skip("no ../shared/data/cifar10-images.tar.xz beside the checkout")
    expected = []
    (tmp_path / "airplane").mkdir()
    with tarfile.open(SHARED) as tar:
        for member in tar:
            if member.isreg():
                data = tar.extractfile(member).read()
                (tmp_path / "airplane" / Path(member.name).name).write_bytes(data)
                expected.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
            if len(expected) == 70:
                break
    dataset = image_dataset_from_directory(tmp_path, **PLAIN)
    np.testing.assert_array_equal(dataset.x, expected)
    assert dataset.x.shape[1:] == (32, 32, 3)


def test_a_dataset_can_be_made_of_arrays():
    dataset = ImageDataset(np.zeros((5, 2, 2, 1), np.uint8), None, None, ["a"] * 5, batch_size=2)
    assert [x.shape[0] for x in dataset] == [2, 2, 1]
    assert "5 images" in repr(dataset)
