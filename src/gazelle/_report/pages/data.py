"""The section on the data: sizes, shares of the classes, some pictures."""

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
from gazelle._report.schema import RegressionMetrics, RunConfig, Samples

_BUDGET = 150_000  # bytes of the PNG of the sample pictures
_MOST_PICTURES = 100
_MOST_ROWS = 30  # classes whose shares are shown at once
_MOST_FOLDED = 500
_UNLIKE = 0.1  # share of rows that would have to change class


def data_section(run: Run) -> Html:
    """What the network learned from and is tested on."""
    config = run.config
    rows = sum(split.rows for split in config.splits)
    words = [
        paragraph(
            "The parts of the data, as they were recorded. A network learns from the training data"
            " only."
        )
    ]
    if text := _met(config):
        words.append(paragraph(text))
    pairs = [("Data set", config.data)]
    if config.input_shape:
        pairs.append(
            ("One example", f" {TIMES} ".join(str(n) for n in config.input_shape) + " numbers")
        )
    if config.task == "regression":
        several = run.metrics.targets if isinstance(run.metrics, RegressionMetrics) else 1
        pairs.append(("Answer", "a number" if several == 1 else f"{several} numbers"))
    else:
        noun = "Classes" if config.task == "classification" else "Labels"
        pairs.append((noun, f"{len(config.class_names):,}"))
    known = {split.name for split in config.splits}
    same = config.seen.train is not None and config.seen.train >= ALL_SEEN
    complete = "train" in known and not same
    shares = [split.rows / max(rows, 1) for split in config.splits]
    sizes: list[list] = [] if "train" in known else [["Train", "not recorded", MISSING, ""]]
    for split, share in zip(config.splits, shares, strict=True):
        name = heading(split.name)
        if split.name == "test" and config.seen.validation == 1.0 and "validation" not in known:
            name += " (also watched as validation)"
        if split.name == "test" and same:
            name += " (trained on)"
        sizes.append(
            [
                name,
                f"{split.rows:,}",
                percent(share) if complete else MISSING,
                bar(share) if complete else "",
            ]
        )
    content = [
        facts(pairs),
        table("Parts of the data", ["Part", "Examples", "Share", ""], sizes, class_="bars"),
    ]
    if any(split.class_counts for split in config.splits):
        content.append(_classes(config))
    content.extend(tag("p", text, class_="note") for text in unlike_parts(config))
    if run.samples is not None and len(run.samples.images):
        content.append(_pictures(run.samples, config.class_names))
    return section("data", "The data", words, content)


def _met(config: RunConfig) -> str:
    """Whether the measured rows were met in training, in words."""
    seen = config.seen
    if config.split("test") is None:
        return ""
    if seen.train is None:
        return "Whether the test rows were met in training is not recorded."
    if seen.train == 0:
        return (
            f"None of {seen.sampled:,} training rows that were looked for are among the test rows."
            " (A sample: rows that both parts share can have escaped it.)"
        )
    return (
        f"{percent(seen.train, 0)} of {seen.sampled:,} training rows that were looked for are among"
        " the test rows."
    )


def unlike_parts(config: RunConfig) -> list[str]:
    """A sentence for each part whose classes are mixed quite otherwise than those of the training data."""
    first = config.split("train")
    if config.task != "classification" or first is None or not sum(first.class_counts):
        return []
    train = np.array(first.class_counts) / sum(first.class_counts)
    found = []
    for split in config.splits:
        if split is first or not sum(split.class_counts):
            continue
        distance = float(
            np.abs(np.array(split.class_counts) / sum(split.class_counts) - train).sum() / 2
        )
        # What parts drawn by lot differ by on average: few rows of many classes are never mixed
        # alike.
        drawn = (1 / sum(split.class_counts) + 1 / sum(first.class_counts)) * 2 / np.pi
        by_lot = float(np.sqrt(drawn * train * (1 - train)).sum() / 2)
        if distance > max(_UNLIKE, 2 * by_lot):
            found.append(
                f"Mind: the {split.name} data has another mix of classes than the training data"
                f" ({percent(distance, 0)} of its examples would have to change class). Its figures"
                " may mislead; was the data in some order when it was split?"
            )
    return found


def _classes(config: RunConfig) -> Html:
    splits = [split for split in config.splits if sum(split.class_counts)]
    totals = [
        sum(s.class_counts) if config.task == "classification" else max(s.rows, 1) for s in splits
    ]
    most = max(n / total for s, total in zip(splits, totals, strict=True) for n in s.class_counts)
    rows = []
    for index, name in enumerate(config.class_names):
        shares = [s.class_counts[index] / total for s, total in zip(splits, totals, strict=True)]
        rows.append(
            [
                name,
                f"{splits[0].class_counts[index]:,}",
                *(percent(share) for share in shares),
                bar(shares[0] / most),
            ]
        )
    noun = "Class" if config.task == "classification" else "Label"
    head = [noun, "Examples", *(heading(split.name) for split in splits), ""]
    shares = table(f"Examples in {splits[0].name}, share of each part", head, rows, class_="bars")
    if len(rows) <= _MOST_ROWS:
        return shares
    if len(rows) > _MOST_FOLDED:
        return tag("p", f"The shares of {len(rows):,} classes are in config.json.")
    return details(f"Share of each of the {len(rows):,} classes", shares)


def _pictures(samples: Samples, names: list[str]) -> Html:
    order = np.argsort(samples.labels, kind="stable")
    classes = max(1, len(np.unique(samples.labels)))
    each = max(1, _MOST_PICTURES // classes)
    taken: dict[int, list[int]] = {}
    for place in order:
        group = taken.setdefault(int(samples.labels[place]), [])
        if len(group) < each and sum(map(len, taken.values())) < _MOST_PICTURES:
            group.append(int(place))
    taken = {label: places for label, places in taken.items() if places}
    sprite = Sprite(
        "samples", samples.images[[place for places in taken.values() for place in places]], _BUDGET
    )
    index = 0
    groups = []
    for label, places in taken.items():
        windows = [sprite.window(index + i, names[label]) for i in range(len(places))]
        index += len(places)
        groups.append(figure(tag("div", windows, class_="strip"), names[label]))
    return tag(
        "div",
        tag("h3", f"Some examples ({count(index, 'picture')} drawn by lot)"),
        sprite.definition(),
        tag("div", groups, class_="strips" if len(taken) <= _MOST_ROWS else "strips small"),
    )
