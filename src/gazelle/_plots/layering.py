"""Where the boxes of a graph stand: rows from the longest path, order by barycentres (Sugiyama et al. 1981)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 8
_MOVES = 30


@dataclass
class Place:
    """A box, or a point through which a long arrow passes (`name` is then None): its row, middle and width."""

    name: str | None
    row: int
    width: float
    x: float = 0.0


@dataclass
class Layout:
    """Rows of places from left to right, and the places that each arrow touches in turn."""

    rows: list[list[Place]]
    arrows: list[list[Place]]
    width: float


def lay_out(
    inbound: Mapping[str, Sequence[str]], widths: Mapping[str, float], gap: float, lane: float
) -> Layout:
    """Place the boxes of a graph without cycles so that none overlaps and every arrow leads down.

    Args:
        inbound: For each box, in the order of computation, the boxes from which arrows come.
        widths: Width of each box, pixels.
        gap: Least distance between boxes of a row.
        lane: Width kept free where an arrow passes a row.

    Returns:
        Places with `x` from 0 to `Layout.width`.
    """
    rank: dict[str, int] = {}
    for name, sources in inbound.items():
        rank[name] = 1 + max((rank[source] for source in sources), default=-1)
    for name in inbound:  # a source stands just above the first box that takes it
        takers = [rank[other] for other, sources in inbound.items() if name in sources]
        if not inbound[name] and takers:
            rank[name] = min(takers) - 1
    rows: list[list[Place]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    places = {name: Place(name, rank[name], widths[name]) for name in inbound}
    for place in places.values():
        rows[place.row].append(place)
    arrows: list[list[Place]] = []
    for name, sources in inbound.items():
        for source in dict.fromkeys(sources):
            chain = [places[source]]
            for row in range(rank[source] + 1, rank[name]):
                chain.append(Place(None, row, lane))
                rows[row].append(chain[-1])
            arrows.append([*chain, places[name]])
    _order(rows, arrows)
    _spread(rows, arrows, gap)
    left = min((place.x - place.width / 2 for row in rows for place in row), default=0.0)
    for row in rows:
        for place in row:
            place.x -= left
    return Layout(
        rows, arrows, max((place.x + place.width / 2 for row in rows for place in row), default=0.0)
    )


def _neighbours(arrows: list[list[Place]]) -> tuple[dict[int, list[Place]], dict[int, list[Place]]]:
    above: dict[int, list[Place]] = {}
    below: dict[int, list[Place]] = {}
    for chain in arrows:
        for upper, lower in pairwise(chain):
            above.setdefault(id(lower), []).append(upper)
            below.setdefault(id(upper), []).append(lower)
    return above, below


def _order(rows: list[list[Place]], arrows: list[list[Place]]) -> None:
    """Sort each row by the mean position of its neighbours, down and up in turn; the fewest crossings win."""
    above, below = _neighbours(arrows)
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        near = below if sweep % 2 else above
        for row in reversed(rows) if sweep % 2 else rows:
            where = {id(place): index for other in rows for index, place in enumerate(other)}
            keys = {
                id(place): (
                    sum(where[id(n)] for n in near[id(place)]) / len(near[id(place)])
                    if id(place) in near
                    else where[id(place)]
                )
                for place in row
            }
            row.sort(key=lambda place, keys=keys: keys[id(place)])
        if (crossings := _crossings(rows, below)) < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, order in zip(rows, best, strict=True):
        row[:] = order


def _crossings(rows: list[list[Place]], below: dict[int, list[Place]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        where = {id(place): index for index, place in enumerate(lower)}
        ends = [
            sorted(where[id(n)] for n in below.get(id(place), ())) for place in upper
        ]  # for each upper place, where its arrows end
        for left in range(len(ends)):
            for right in range(left + 1, len(ends)):
                total += sum(a > b for a in ends[left] for b in ends[right])
    return total


def _spread(rows: list[list[Place]], arrows: list[list[Place]], gap: float) -> None:
    """Give each place an x: straight arrows first, then each stack of places near those that it is joined to."""
    sides = _sides(rows, gap)
    stacks = _stacks(rows, arrows, sides)
    for stack in (
        _from_left(list({id(stack): stack for stack in stacks.values()}.values()), stacks, sides)
        or []
    ):
        x = max(
            (left.x + room for place in stack for left, room in sides[id(place)][0]), default=0.0
        )
        for place in stack:
            place.x = x
    above, below = _neighbours(arrows)
    every = list({id(stack): stack for stack in stacks.values()}.values())
    for sweep in range(_MOVES):
        for stack in every if sweep % 2 else reversed(every):
            members = {id(place) for place in stack}
            near = [
                n for place in stack for n in (*above.get(id(place), ()), *below.get(id(place), ()))
            ]
            wishes = [n.x for n in near if id(n) not in members]
            if not wishes:
                continue
            low = max(
                (left.x + room for place in stack for left, room in sides[id(place)][0]),
                default=-math.inf,
            )
            high = min(
                (right.x - room for place in stack for right, room in sides[id(place)][1]),
                default=math.inf,
            )
            x = min(max(sum(wishes) / len(wishes), low), high)
            for place in stack:
                place.x = x


def _sides(rows: list[list[Place]], gap: float) -> dict[int, tuple[list, list]]:
    """For each place what stands next to it on the left and on the right, and how far off that must be."""
    sides: dict[int, tuple[list, list]] = {id(place): ([], []) for row in rows for place in row}
    for row in rows:
        for left, right in pairwise(row):
            room = (left.width + right.width) / 2 + gap
            sides[id(right)][0].append((left, room))
            sides[id(left)][1].append((right, room))
    return sides


def _stacks(
    rows: list[list[Place]], arrows: list[list[Place]], sides: dict
) -> dict[int, list[Place]]:
    """Places that share one x, by the id of each: ends of arrows that are drawn straight, long arrows first."""
    stacks = {id(place): [place] for row in rows for place in row}
    joined = _joined(arrows)
    segments = [(a, b) for chain in arrows for a, b in pairwise(chain) if id(b) not in joined]
    segments.sort(
        key=lambda pair: (pair[0].name is not None) != (pair[1].name is not None)
    )  # mixed ones last
    segments.sort(key=lambda pair: pair[0].name is not None or pair[1].name is not None)
    taken_down: set[int] = set()
    taken_up: set[int] = set()
    for upper, lower in segments:
        if id(upper) in taken_down or id(lower) in taken_up:
            continue
        apart = stacks[id(upper)], stacks[id(lower)]
        together = apart[0] + apart[1]
        stacks.update({id(place): together for place in together})
        every = list({id(stack): stack for stack in stacks.values()}.values())
        if _from_left(every, stacks, sides) is None:  # no x would keep the order of all rows
            stacks.update({id(place): part for part in apart for place in part})
        else:
            taken_down.add(id(upper))
            taken_up.add(id(lower))
    return stacks


def _joined(arrows: list[list[Place]]) -> set[int]:
    """Boxes that join several boxes which lead nowhere else: they stand below the middle of these, not below one."""
    above, below = _neighbours(arrows)
    return {
        lower
        for lower, uppers in above.items()
        if len(uppers) > 1
        and all(upper.name is not None and len(below[id(upper)]) == 1 for upper in uppers)
    }


def _from_left(
    every: list[list[Place]], stacks: dict[int, list[Place]], sides: dict
) -> list[list[Place]] | None:
    """The stacks, each after all that stand to its left; None where that leads in a circle."""
    waiting = {id(stack): sum(len(sides[id(place)][0]) for place in stack) for stack in every}
    ready = [stack for stack in every if not waiting[id(stack)]]
    for stack in ready:
        for place in stack:
            for right, _ in sides[id(place)][1]:
                other = stacks[id(right)]
                waiting[id(other)] -= 1
                if not waiting[id(other)]:
                    ready.append(other)
    return ready if len(ready) == len(every) else None
