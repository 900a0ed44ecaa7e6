"""gazelle evaluate: a trained network measured on images."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from gazelle._core.console import fitting, shown
from gazelle._core.errors import ArgumentError
from gazelle._core.packages import need
from gazelle._report import figures, schema
from gazelle._report.predictions import as_probabilities
from gazelle.cli.data import Reading, load, load_others
from gazelle.cli.run import ImageRun, open_image_run

_SCORES = ("precision", "recall", "f1")
_NAME = 24  # columns for the name of a class, at most


def evaluate(
    given: Path, source: str | None = None, *, skip_bad: bool = False
) -> schema.ClassificationMetrics:
    """Measure a run's network.

    Args:
        given: The run folder.
        source: Images to measure it on; the test images of the run's own data when None.
        skip_bad: Whether images that cannot be read are left out; those that the training left out
            are so in any case.

    Raises:
        GazelleError: No run folder, or data that does not fit the network.
    """
    need("gazelle evaluate", "sklearn")
    run = open_image_run(given)
    own = str(run.config.settings.get("source", ""))
    if source is None or _same(source, own):
        x, y = _own_test_images(run, own, skip_bad)
    else:
        x, y = _other_images(run, source, skip_bad)
    x = x.reshape(len(x), *run.config.input_shape)
    loss = run.model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    probabilities = as_probabilities(run.model, run.model.predict(x, verbose=0))
    return figures.classification_metrics(y, probabilities, run.config.class_names, loss)


def table(metrics: schema.ClassificationMetrics) -> str:
    """Figures of each class that occurs, the means of these, and the accuracy."""
    found = [(fitting(scores.name), scores) for scores in metrics.classes if scores.support]
    width = min(max(len("weighted mean"), *(len(name) for name, _ in found)), _NAME)
    lines = [f"{'':{width}}  precision  recall      f1  images"]
    for name, scores in found:
        short = name if len(name) <= width else f"{name[: width - 3]}..."
        lines.append(f"{short:{width}}  {_figures(scores)}  {scores.support:6,}")
    mean = schema.Average(
        *(sum(getattr(scores, key) for _, scores in found) / len(found) for key in _SCORES)
    )
    lines.append(f"{'mean':{width}}  {_figures(mean)}")
    lines.append(f"{'weighted mean':{width}}  {_figures(metrics.weighted)}")
    loss = "" if metrics.loss is None else f", loss {metrics.loss:.4f}"
    lines.append(f"Accuracy {metrics.accuracy:.4f}{loss} on {metrics.rows:,} images")
    return "\n".join(lines)


def _figures(scores: schema.ClassScores | schema.Average) -> str:
    return f"{scores.precision:9.4f}  {scores.recall:6.4f}  {scores.f1:6.4f}"


def _same(source: str, own: str) -> bool:
    return source == own or Path(source).expanduser().resolve() == Path(own).expanduser().resolve()


def _own_test_images(run: ImageRun, source: str, skip_bad: bool) -> tuple[np.ndarray, np.ndarray]:
    """The test images of the data that the run was trained on, divided as they were then."""
    settings = run.config.settings
    share, seed = settings.get("test share"), settings.get("seed", 0)
    try:
        images = load(
            source,
            Reading(
                run.size, run.grey, skip_bad=skip_bad or settings.get("bad images") == "left out"
            ),
            test_share=float(share) if isinstance(share, int | float) else None,
            seed=int(seed) if isinstance(seed, int) else 0,
        )
    except ArgumentError as error:
        raise ArgumentError(
            f"The data that {shown(run.folder)} was trained on cannot be read.",
            expected=f"{shown(source)}, seen from the folder in which gazelle train was called",
            received=str(error).splitlines()[0],
            fix=f"go there, or name the data: gazelle evaluate {shown(run.folder)} DATA",
        ) from None
    then = run.config.split("test")
    if (
        images.class_names != run.config.class_names
        or then is None
        or then.rows != len(images.test[1])
    ):
        warnings.warn(
            f"{shown(source)} has changed since the training: the network may have learned some of"
            " these test images.",
            stacklevel=2,
        )
    return _numbered_as(run, images.test[0], images.test[1], images.class_names, source)


def _other_images(run: ImageRun, source: str, skip_bad: bool) -> tuple[np.ndarray, np.ndarray]:
    (x, y), names, largest = load_others(source, Reading(run.size, run.grey, skip_bad=skip_bad))
    shape = (*run.size, *(() if run.grey else (3,)))
    if x.shape[1:] not in (shape, (*shape, 1)):
        raise ArgumentError(
            f"The images of {shown(source)} do not fit the network.",
            expected=" x ".join(map(str, shape)),
            received=" x ".join(map(str, x.shape[1:])),
            fix="name other images",
        )
    if largest != run.largest:
        x = x.astype(np.float32) * np.float32(run.largest / largest)
    return _numbered_as(run, x, y, names, source)


def _numbered_as(
    run: ImageRun, x: np.ndarray, y: np.ndarray, names: list[str], source: str
) -> tuple[np.ndarray, np.ndarray]:
    """Images with the run's class numbers; the data may lack some of its classes and have no others."""
    known = {name: number for number, name in enumerate(run.config.class_names)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(
            f"{shown(source)} has classes that the network does not know.",
            expected=f"only {_some(run.config.class_names)}",
            received=_some(unknown),
            fix="name data with the network's classes, or train on this data",
        )
    return x, np.array([known[name] for name in names])[np.asarray(y, dtype=np.int64)]


def _some(names: list[str], most: int = 12) -> str:
    return shown(", ".join(names[:most])) + (
        f" and {len(names) - most} more" if len(names) > most else ""
    )
