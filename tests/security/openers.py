"""How Gazelle and Keras open each kind of file of `bad_cases.py`."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bad_data
import numpy as np
from bad_cases import Case, Kit

_TESTS = Path(__file__).parents[1]


def import_everything(side: str) -> None:
    """Import what opening files needs, and compute nothing: JAX must not start its threads."""
    for name in ("h5py", "jax", "jax.numpy", "PIL.Image", "safetensors"):
        importlib.import_module(name)
    if side == "keras":
        for name in ("keras", "keras.src.datasets.cifar"):
            importlib.import_module(name)
        return
    from gazelle._core.doors import load_rooms

    load_rooms()
    sys.path.append(str(_TESTS / "_report" / "runs"))
    for name in (
        "damage",
        "gazelle.models",
        "gazelle.runtime",
        "gazelle.cli.inspecting",
        "gazelle.cli.run",
        "gazelle._report.saved_model",
        "gazelle._data.images.folder",
        "gazelle._files.archives",
    ):
        importlib.import_module(name)


def warm_up(side: str, kit: Kit, kinds: set[str]) -> None:
    """Open a good and a bad file of some kinds, so that nothing is imported later."""
    folder = kit.root / "warm"
    folder.mkdir(exist_ok=True)
    for name in ("good", "graph", "bad"):
        path = folder / f"{name}.keras"
        path.write_bytes(b"" if name == "bad" else kit.archive(graph=name == "graph"))
        try:
            _MODEL[side](str(path))
        except ValueError:
            continue
    if side != "gazelle":
        return
    if kinds & {"image", "images"}:
        path = folder / "1.png"
        path.write_bytes(bad_data.png(2, 2))
        _image(str(path), kit)()
    if "run" in kinds:
        _run(str(kit.good / "run"), kit)()


def prepared(
    side: str, case: Case, path: str, options: dict[str, Any], kit: Kit
) -> Callable[[], Any]:
    """A function that opens a file; all that can be done before is done."""
    if case.kind == "model":
        return lambda: _MODEL[side](path, **options)
    if side == "inspect":
        return lambda: _inspected(path)
    prepare = (_KERAS if side == "keras" else _GAZELLE)[case.kind]
    return prepare(path, kit, **options)


def summary(loaded: Any) -> Any:
    """What was loaded, in a few words."""
    if hasattr(loaded, "get_weights"):
        weights = loaded.get_weights()
        return weights[-1].tolist() if weights else "no weights"
    if isinstance(loaded, np.ndarray):
        return f"{loaded.shape} {loaded.dtype} {loaded.reshape(-1)[:1]}"
    if hasattr(loaded, "mode"):
        return f"{loaded.mode} {loaded.size} {loaded.getpixel((0, 0))}"
    if isinstance(loaded, str) and os.path.isdir(loaded):
        return sorted(path.name for path in Path(loaded).rglob("*") if path.is_file())
    return loaded


# ---- Gazelle ----


def _load_model(path: str, **options: Any) -> Any:
    from gazelle.models import load_model

    return load_model(path, **options)


def _load_for_runtime(path: str, **options: Any) -> Any:
    import gazelle

    return type(gazelle.runtime.load(path)).__name__


def _inspected(path: str, **options: Any) -> Any:
    """What `gazelle inspect` prints."""
    from gazelle._core.console import say
    from gazelle.cli.inspecting import description

    printed = io.StringIO()
    say(description(Path(path)), printed)
    if not printed.getvalue().replace("\n", "").isprintable():
        raise RuntimeError("control characters on the screen")
    return printed.getvalue()


def _weights(path: str, kit: Kit) -> Callable[[], Any]:
    import gazelle

    model = kit.model(gazelle)
    before = [value.copy() for value in model.get_weights()]

    def load() -> Any:
        try:
            model.load_weights(path)
        except ValueError:
            for old, new in zip(before, model.get_weights(), strict=True):
                if not np.array_equal(old, new):
                    raise RuntimeError("half loaded") from None
            raise
        return model

    return load


def _run(path: str, kit: Kit) -> Callable[[], Any]:
    import damage

    return lambda: damage.read_all(Path(path), with_page=False)


def _cifar(path: str, kit: Kit) -> Callable[[], Any]:
    from gazelle.datasets import cifar10

    rows = 4
    folder = Path(path)
    hashes = {
        name: hashlib.md5((folder / name).read_bytes()).hexdigest()
        for name in cifar10.Source().python_md5
    }
    source = cifar10.Source(rows=rows, python_md5=hashes)
    return lambda: cifar10.load_from(folder, source)[0][0]


def _unpacked(path: str, kit: Kit) -> Callable[[], Any]:
    from gazelle.utils import get_file

    arguments = {"origin": Path(path).as_uri(), "cache_dir": Path(path).parent / "cache"}
    get_file(**arguments)
    return lambda: get_file(**arguments, extract=True)


def _downloaded(origin: str, kit: Kit, **options: Any) -> Callable[[], Any]:
    from gazelle.utils import get_file

    cache = kit.root / "target" / "cache"
    (cache / "datasets").mkdir(parents=True, exist_ok=True)
    return lambda: get_file(origin=origin, cache_dir=cache, **options)


def _image(path: str, kit: Kit) -> Callable[[], Any]:
    from gazelle.utils import load_img

    return lambda: load_img(path)


def _images(path: str, kit: Kit, **options: Any) -> Callable[[], Any]:
    from gazelle.utils import image_dataset_from_directory

    def load() -> Any:
        size = (4, 4)
        found = image_dataset_from_directory(
            path, image_size=size, verbose=False, seed=1, **options
        )
        return np.asarray(found.x)

    return load


_GAZELLE: dict[str, Callable[..., Callable[[], Any]]] = {
    "weights": _weights,
    "tensors": _weights,
    "run": _run,
    "cifar": _cifar,
    "archive": _unpacked,
    "download": _downloaded,
    "image": _image,
    "images": _images,
}


# ---- Keras ----


def _keras_model(path: str, **options: Any) -> Any:
    import keras

    return keras.models.load_model(path, **options)


def _keras_weights(path: str, kit: Kit) -> Callable[[], Any]:
    import keras

    model = kit.model(keras)

    def load() -> Any:
        model.load_weights(path)
        return model

    return load


def _keras_cifar(path: str, kit: Kit) -> Callable[[], Any]:
    from keras.src.datasets.cifar import load_batch

    return lambda: load_batch(os.path.join(path, "data_batch_1"))[0]


def _keras_archive(path: str, kit: Kit) -> Callable[[], Any]:
    import keras

    arguments = {"origin": Path(path).as_uri(), "cache_dir": str(Path(path).parent / "cache")}
    keras.utils.get_file(os.path.basename(path), **arguments)
    return lambda: keras.utils.get_file(os.path.basename(path), **arguments, extract=True)


def _keras_download(origin: str, kit: Kit, **options: Any) -> Callable[[], Any]:
    import keras

    cache = kit.root / "target" / "cache"
    (cache / "datasets").mkdir(parents=True, exist_ok=True)
    return lambda: keras.utils.get_file(origin=origin, cache_dir=str(cache), **options)


def _keras_image(path: str, kit: Kit) -> Callable[[], Any]:
    import keras

    return lambda: keras.utils.load_img(path)


_KERAS: dict[str, Callable[..., Callable[[], Any]]] = {
    "weights": _keras_weights,
    "cifar": _keras_cifar,
    "archive": _keras_archive,
    "download": _keras_download,
    "image": _keras_image,
}

_MODEL = {
    "gazelle": _load_model,
    "keras": _keras_model,
    "runtime": _load_for_runtime,
    "inspect": _inspected,
}
