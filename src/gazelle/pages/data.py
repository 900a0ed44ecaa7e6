"""The section on the data: sizes, shares of the classes, some pictures."""

from __future__ import annotations

import numpy as np

from gazelle.pages.images import Sprite
from gazelle.pages.markup import Html, bar, details, facts, figure, paragraph, section, table, tag
from gazelle.pages.words import TIMES, count, heading, percent
from gazelle.runs import Run, RunConfig, Samples

_BUDGET = 150_000  # bytes of the PNG of the sample pictures
_MOST_PICTURES = 100
_MOST_ROWS = 30  # classes whose shares are shown at once
_UNLIKE = 0.1  # share of rows that would have to change class


def data_section(run: Run) -> Html:
    """What the network learned from and is tested on."""
    config = run.config
    rows = sum(split.rows for split in config.splits)
    words = [
        paragraph(
            "The network learns from the training data only. The other parts are kept from it: they show how well it"
            " does on examples that it has not seen."
        )
    ]
    pairs = [("Data set", config.data), ("Examples", f"{rows:,}")]
    if config.input_shape:
        pairs.append(("One example", f" {TIMES} ".join(str(n) for n in config.input_shape) + " numbers"))
    pairs.append(("Classes", f"{len(config.class_names):,}") if config.class_names else ("Answer", "a number"))
    shares = [split.rows / max(rows, 1) for split in config.splits]
    sizes = [
        [heading(split.name), f"{split.rows:,}", percent(share), bar(share)]
        for split, share in zip(config.splits, shares, strict=True)
    ]
    content = [facts(pairs), table("Parts of the data", ["Part", "Examples", "Share", ""], sizes, class_="bars")]
    if any(split.class_counts for split in config.splits):
        content.append(_classes(config))
    content.extend(tag("p", text, class_="note") for text in unlike_parts(config))
    if run.samples is not None and len(run.samples.images):
        content.append(_pictures(run.samples, config.class_names))
    return section("data", "The data", words, content)


def unlike_parts(config: RunConfig) -> list[str]:
    """A sentence for each part whose classes are mixed quite otherwise than those of the training data."""
    first = config.splits[0] if config.splits else None
    if first is None or not sum(first.class_counts):
        return []
    train = np.array(first.class_counts) / sum(first.class_counts)
    found = []
    for split in config.splits[1:]:
        if not sum(split.class_counts):
            continue
        distance = float(np.abs(np.array(split.class_counts) / sum(split.class_counts) - train).sum() / 2)
        if distance > _UNLIKE:
            found.append(
                f"Mind: the {split.name} data has another mix of classes than the training data"
                f" ({percent(distance, 0)} of its examples would have to change class). Its figures may mislead;"
                " was the data in some order when it was split?"
            )
    return found


def _classes(config: RunConfig) -> Html:
    splits = [split for split in config.splits if sum(split.class_counts)]
    most = max(n / sum(split.class_counts) for split in splits for n in split.class_counts)
    rows = []
    for index, name in enumerate(config.class_names):
        shares = [split.class_counts[index] / sum(split.class_counts) for split in splits]
        rows.append(
            [name, f"{splits[0].class_counts[index]:,}", *(percent(share) for share in shares), bar(shares[0] / most)]
        )
    head = ["Class", "Examples", *(heading(split.name) for split in splits), ""]
    shares = table(f"Classes: examples in {splits[0].name}, share of each part", head, rows, class_="bars")
    if len(rows) <= _MOST_ROWS:
        return shares
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
    sprite = Sprite("samples", samples.images[[place for places in taken.values() for place in places]], _BUDGET)
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
