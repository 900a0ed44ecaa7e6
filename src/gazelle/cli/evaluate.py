"""gazelle evaluate: the figures of a trained network on images."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from gazelle._core.console import fitting, shown
from gazelle._core.errors import ArgumentError
from gazelle._core.packages import need
from gazelle._report import figures, schema
from gazelle._report.predictions import as_probabilities
from gazelle.cli.data import ReadOptions, load, load_for_evaluation
from gazelle.cli.run import ImageRun, open_image_run

_SCORES = ("precision", "recall", "f1")
_NAME = 24  # columns for the name of a class, at most
_MOST_NAMED = 12  # classes that a message names


def evaluate(
    given: Path, source: str | None = None, *, skip_bad: bool = False
) -> schema.ClassificationMetrics:
    """Evaluate the network of a run.

    Args:
        given: The run folder.
        source: Images to evaluate it on; None for the test images of the run's own data.
        skip_bad: Whether to leave out images that cannot be read. Those that were left out in
            training are left out in any case.

    Raises:
        GazelleError: There is no such run, or the data does not suit the network.
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
    """A table of the figures of each class that occurs, their means, and the accuracy."""
    present = [(fitting(scores.name), scores) for scores in metrics.classes if scores.support]
    width = min(max(len("weighted mean"), *(len(name) for name, _ in present)), _NAME)
    lines = [f"{'':{width}}  precision  recall      f1  images"]
    for name, scores in present:
        short = name if len(name) <= width else f"{name[: width - 3]}..."
        lines.append(f"{short:{width}}  {_figures(scores)}  {scores.support:6,}")
    sums = [sum(getattr(scores, key) for _, scores in present) for key in _SCORES]
    mean = schema.Average(*(total / len(present) for total in sums))
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
    """The test images of the data that the run was trained on, divided as in training."""
    settings = run.config.settings
    share, seed = settings.get("test share"), settings.get("seed", 0)
    skip_bad = skip_bad or settings.get("bad images") == "left out"
    try:
        images = load(
            source,
            ReadOptions(run.size, run.gray, skip_bad=skip_bad),
            test_share=float(share) if isinstance(share, int | float) else None,
            seed=int(seed) if isinstance(seed, int) else 0,
        )
    except ArgumentError as error:
        raise ArgumentError(
            f"The data that {shown(run.folder)} was trained on cannot be read.",
            expected=f"{shown(source)}, relative to the folder where gazelle train was called",
            received=str(error).splitlines()[0],
            fix=f"go there, or name the data: gazelle evaluate {shown(run.folder)} DATA",
        ) from None
    x, y = images.test
    recorded = run.config.split("test")
    same_classes = images.class_names == run.config.class_names
    if not same_classes or recorded is None or recorded.rows != len(y):
        warnings.warn(
            f"{shown(source)} has changed since the training: the network may have been trained on"
            " some of these test images.",
            stacklevel=2,
        )
    return x, _run_classes(run, y, images.class_names, source)


def _other_images(run: ImageRun, source: str, skip_bad: bool) -> tuple[np.ndarray, np.ndarray]:
    """Images of other data, scaled to the range of the run's pixels."""
    options = ReadOptions(run.size, run.gray, skip_bad=skip_bad)
    (x, y), names, largest = load_for_evaluation(source, options)
    shape = run.size if run.gray else (*run.size, 3)
    if x.shape[1:] not in (shape, (*shape, 1)):
        raise ArgumentError(
            f"The images of {shown(source)} do not have the input shape of the network.",
            expected=" x ".join(map(str, shape)),
            received=" x ".join(map(str, x.shape[1:])),
            fix="pass other images",
        )
    if largest != run.largest:
        x = x.astype(np.float32) * np.float32(run.largest / largest)
    return x, _run_classes(run, y, names, source)


def _run_classes(run: ImageRun, y: np.ndarray, names: list[str], source: str) -> np.ndarray:
    """Convert class numbers to those of the run.

    The data may lack some classes of the run, but must not have others.

    Args:
        run: The run.
        y: Class numbers, which index `names`.
        names: Names of the classes of the data.
        source: Name of the data, for messages.
    """
    known = {name: number for number, name in enumerate(run.config.class_names)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(
            f"{shown(source)} has classes that the network does not have.",
            expected=f"only {_some(run.config.class_names)}",
            received=_some(unknown),
            fix="pass data with the network's classes, or train on this data",
        )
    numbers = np.array([known[name] for name in names])
    return numbers[np.asarray(y, dtype=np.int64)]


def _some(names: list[str]) -> str:
    """Names in a message, at most twelve."""
    text = shown(", ".join(names[:_MOST_NAMED]))
    more = len(names) - _MOST_NAMED
    return f"{text} and {more} more" if more > 0 else text
