"""The section on the data: sizes, shares of the classes, sample images."""

from __future__ import annotations

import numpy as np

from gazelle._report.pages.images import Sprite
from gazelle._report.pages.markup import (
    Html,
    bar,
    details,
    facts,
    figure,
    paragraph,
    section,
    table,
    tag,
)
from gazelle._report.pages.overview import ALL_SEEN
from gazelle._report.pages.words import MISSING, TIMES, count, heading, percent
from gazelle._report.runs import Run
from gazelle._report.schema import RegressionMetrics, RunConfig, Samples, Split

_PICTURES_BYTES = 150_000  # of the PNG of the sample images, at most
_MOST_PICTURES = 100
_MOST_ROWS = 30  # classes whose shares are shown at once
_MOST_FOLDED = 500  # classes whose shares can be unfolded
_DIFFERENT = 0.1  # share of the rows that would have to change class


def data_section(run: Run) -> Html:
    """The data that the network was trained and tested on."""
    config = run.config
    words = [
        paragraph(
            "The parts of the data, as they were recorded. A network learns only from the training"
            " data."
        )
    ]
    if text := _seen_in_training(config):
        words.append(paragraph(text))
    pairs = [("Data set", config.data)]
    if config.input_shape:
        pairs.append(("One example", f" {TIMES} ".join(map(str, config.input_shape)) + " numbers"))
    if config.task == "regression":
        targets = run.metrics.targets if isinstance(run.metrics, RegressionMetrics) else 1
        pairs.append(("Prediction", "a number" if targets == 1 else f"{targets} numbers"))
    else:
        noun = "Classes" if config.task == "classification" else "Labels"
        pairs.append((noun, f"{len(config.class_names):,}"))
    content = [facts(pairs), _sizes(config)]
    if any(split.class_counts for split in config.splits):
        content.append(_classes(config))
    content.extend(tag("p", text, class_="note") for text in different_parts(config))
    if run.samples is not None and len(run.samples.images):
        content.append(_pictures(run.samples, config.class_names))
    return section("data", "The data", words, content)


def _sizes(config: RunConfig) -> Html:
    """The table of the parts: their sizes and, if they are known and disjoint, their shares."""
    names = {split.name for split in config.splits}
    total = sum(split.rows for split in config.splits)
    trained_on = config.seen.train is not None and config.seen.train >= ALL_SEEN
    has_shares = "train" in names and not trained_on
    rows: list[list[str]] = [] if "train" in names else [["Train", "not recorded", MISSING, ""]]
    for split in config.splits:
        name = heading(split.name)
        if split.name == "test":
            if config.seen.validation == 1.0 and "validation" not in names:
                name += " (also used for validation)"
            if trained_on:
                name += " (trained on)"
        share = split.rows / max(total, 1)
        cells = [percent(share), bar(share)] if has_shares else [MISSING, ""]
        rows.append([name, f"{split.rows:,}", *cells])
    return table("Parts of the data", ["Part", "Examples", "Share", ""], rows, class_="bars")


def _seen_in_training(config: RunConfig) -> str:
    """Whether the test rows were seen in training, in words; empty without test rows."""
    seen = config.seen
    if config.split("test") is None:
        return ""
    if seen.train is None:
        return "Whether the test rows were seen in training is not recorded."
    if seen.train == 0:
        return (
            f"None of a sample of {seen.sampled:,} training rows are among the test rows. (Rows"
            " outside the sample may still be in both parts.)"
        )
    return (
        f"{percent(seen.train, 0)} of a sample of {seen.sampled:,} training rows are among the test"
        " rows."
    )


def different_parts(config: RunConfig) -> list[str]:
    """A sentence for each part whose class shares differ a lot from those of the training data."""
    first = config.split("train")
    if config.task != "classification" or first is None or not sum(first.class_counts):
        return []
    rows = sum(first.class_counts)
    train = np.array(first.class_counts) / rows
    found = []
    for split in config.splits:
        other_rows = sum(split.class_counts)
        if split is first or not other_rows:
            continue
        other = np.array(split.class_counts) / other_rows
        distance = float(np.abs(other - train).sum() / 2)
        # The mean distance of parts that are drawn at random. With few rows of many classes it is
        # large.
        variance = (1 / other_rows + 1 / rows) * train * (1 - train)
        random_distance = float(np.sqrt(variance * 2 / np.pi).sum() / 2)
        if distance > max(_DIFFERENT, 2 * random_distance):
            found.append(
                f"Caution: the {split.name} data has other class shares than the training data"
                f" ({percent(distance, 0)} of its examples would have to change class). Its figures"
                " may be misleading; was the data sorted when it was split?"
            )
    return found


def _classes(config: RunConfig) -> Html:
    """The share of each class in each part; folded or left out for many classes."""
    splits = [split for split in config.splits if sum(split.class_counts)]
    columns = [_class_shares(split, config.task) for split in splits]
    largest = max(max(column) for column in columns)
    rows = []
    for index, name in enumerate(config.class_names):
        shares = [column[index] for column in columns]
        cells = [percent(share) for share in shares]
        examples = f"{splits[0].class_counts[index]:,}"
        rows.append([name, examples, *cells, bar(shares[0] / largest)])
    noun = "Class" if config.task == "classification" else "Label"
    head = [noun, "Examples", *(heading(split.name) for split in splits), ""]
    caption = f"Examples in {splits[0].name}, and share of each part"
    content = table(caption, head, rows, class_="bars")
    if len(rows) <= _MOST_ROWS:
        return content
    if len(rows) > _MOST_FOLDED:
        return tag("p", f"The shares of {len(rows):,} classes are in config.json.")
    return details(f"Share of each of the {len(rows):,} classes", content)


def _class_shares(split: Split, task: str) -> list[float]:
    total = sum(split.class_counts) if task == "classification" else max(split.rows, 1)
    return [rows / total for rows in split.class_counts]


def _pictures(samples: Samples, names: list[str]) -> Html:
    """The sample images of each class, at most 100 in all."""
    classes = max(1, len(np.unique(samples.labels)))
    per_class = max(1, _MOST_PICTURES // classes)
    groups: dict[int, list[int]] = {}
    chosen = 0
    for place in np.argsort(samples.labels, kind="stable"):
        label = int(samples.labels[place])
        if chosen < _MOST_PICTURES and len(groups.get(label, ())) < per_class:
            groups.setdefault(label, []).append(int(place))
            chosen += 1
    places = [place for group in groups.values() for place in group]
    sprite = Sprite("samples", samples.images[places], _PICTURES_BYTES)
    numbers = iter(range(chosen))
    strips = []
    for label, group in groups.items():
        pictures = [sprite.picture(next(numbers), names[label]) for _ in group]
        strips.append(figure(tag("div", pictures, class_="strip"), names[label]))
    return tag(
        "div",
        tag("h3", f"Some examples ({count(chosen, 'image')}, chosen at random)"),
        sprite.definition(),
        tag("div", strips, class_="strips" if len(groups) <= _MOST_ROWS else "strips small"),
    )
