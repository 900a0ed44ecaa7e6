"""The layout of a layered graph: a simple form of the method of Sugiyama et al. 1981.

1. Each box gets a row: the length of the longest path to it.
2. An arrow that passes rows gets a place in each of them, so that boxes leave room for it.
3. The places of each row are sorted by the mean position of their neighbors (barycenters), so that
   few arrows cross.
4. Each place gets an x. Places that a straight arrow connects form a stack, which shares one x;
   each stack moves towards its neighbors as far as the order of the rows allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 8  # over the rows, to reduce crossings
_MOVES = 30  # of all stacks, towards their neighbors


@dataclass(eq=False)  # hashable by identity
class Place:
    """A box, or a point where an arrow passes a row.

    Args:
        name: Name of the box; None for an arrow.
        row: Number of the row, from 0.
        width: Width in pixels.
        x: Horizontal center in pixels.
    """

    name: str | None
    row: int
    width: float
    x: float = 0.0


@dataclass
class Layout:
    """A laid out graph.

    Args:
        rows: The places of each row, from left to right.
        arrows: The places along each arrow, from its source to its target.
        width: Width of the drawing in pixels.
    """

    rows: list[list[Place]]
    arrows: list[list[Place]]
    width: float


@dataclass(eq=False)
class _Stack:
    """Places of different rows that share one x."""

    places: list[Place]


# The places that are connected to a place.
_Neighbors = dict[Place, list[Place]]
# The places next to a place in its row, and their least distance: on the left and on the right.
_Sides = dict[Place, tuple[list[tuple[Place, float]], list[tuple[Place, float]]]]


def lay_out(
    inbound: Mapping[str, Sequence[str]], widths: Mapping[str, float], gap: float, lane: float
) -> Layout:
    """Place the boxes of a graph without cycles.

    No boxes overlap, and every arrow leads down.

    Args:
        inbound: For each box, in order of computation, the boxes that are its inputs.
        widths: Width of each box in pixels.
        gap: Least distance between places of a row in pixels.
        lane: Width in pixels that is kept free where an arrow passes a row.

    Returns:
        The layout, with places from 0 to `Layout.width`.
    """
    row_of = _rows_of(inbound)
    rows: list[list[Place]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    boxes = {name: Place(name, row_of[name], widths[name]) for name in inbound}
    for box in boxes.values():
        rows[box.row].append(box)
    arrows: list[list[Place]] = []
    for name, sources in inbound.items():
        for source in dict.fromkeys(sources):
            passed = range(row_of[source] + 1, row_of[name])
            points = [Place(None, row, lane) for row in passed]
            for point in points:
                rows[point.row].append(point)
            arrows.append([boxes[source], *points, boxes[name]])
    _order(rows, arrows)
    _set_x(rows, arrows, gap)
    places = [place for row in rows for place in row]
    left = min((place.x - place.width / 2 for place in places), default=0.0)
    for place in places:
        place.x -= left
    width = max((place.x + place.width / 2 for place in places), default=0.0)
    return Layout(rows, arrows, width)


def _rows_of(inbound: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The row of each box: below all of its inputs.

    A box without inputs is in the row above the first box that takes its output.
    """
    row_of: dict[str, int] = {}
    for name, sources in inbound.items():
        row_of[name] = 1 + max((row_of[source] for source in sources), default=-1)
    for name in inbound:
        targets = [row_of[other] for other, sources in inbound.items() if name in sources]
        if not inbound[name] and targets:
            row_of[name] = min(targets) - 1
    return row_of


def _neighbors(arrows: list[list[Place]]) -> tuple[_Neighbors, _Neighbors]:
    """The neighbors of each place above it, and those below it."""
    above: _Neighbors = {}
    below: _Neighbors = {}
    for chain in arrows:
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


def _order(rows: list[list[Place]], arrows: list[list[Place]]) -> None:
    """Sort the places of each row so that few arrows cross.

    The rows are swept down and up in turn, each place moving to the mean position of its neighbors;
    the order with the fewest crossings is kept.
    """
    above, below = _neighbors(arrows)
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        goes_up = sweep % 2 == 1
        neighbors = below if goes_up else above
        for row in reversed(rows) if goes_up else rows:
            position = {place: index for other in rows for index, place in enumerate(other)}
            means = {place: _mean_position(place, neighbors, position) for place in row}
            row.sort(key=lambda place, means=means: means[place])
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, order in zip(rows, best, strict=True):
        row[:] = order


def _mean_position(place: Place, neighbors: _Neighbors, position: Mapping[Place, int]) -> float:
    """The mean position of a place's neighbors; without any, its own."""
    if place not in neighbors:
        return position[place]
    near = neighbors[place]
    return sum(position[other] for other in near) / len(near)


def _crossings(rows: list[list[Place]], below: _Neighbors) -> int:
    """The number of pairs of arrows that cross between two rows."""
    total = 0
    for upper, lower in pairwise(rows):
        position = {place: index for index, place in enumerate(lower)}
        # The positions where the arrows of each upper place end.
        ends = [sorted(position[other] for other in below.get(place, ())) for place in upper]
        for left in range(len(ends)):
            for right in range(left + 1, len(ends)):
                total += sum(a > b for a in ends[left] for b in ends[right])
    return total


def _set_x(rows: list[list[Place]], arrows: list[list[Place]], gap: float) -> None:
    """Give each place an x: first as far left as possible, then closer to its neighbors."""
    sides = _sides(rows, gap)
    stack_of = _stacks(rows, arrows, sides)
    stacks = list(dict.fromkeys(stack_of.values()))
    for stack in _from_left(stacks, stack_of, sides) or []:
        _move(stack, max(0.0, _lower_limit(stack, sides)))
    above, below = _neighbors(arrows)
    for sweep in range(_MOVES):
        for stack in stacks if sweep % 2 else reversed(stacks):
            neighbors = [
                other
                for place in stack.places
                for other in (*above.get(place, ()), *below.get(place, ()))
                if stack_of[other] is not stack
            ]
            if neighbors:
                mean = sum(other.x for other in neighbors) / len(neighbors)
                low, high = _lower_limit(stack, sides), _upper_limit(stack, sides)
                _move(stack, min(max(mean, low), high))


def _move(stack: _Stack, x: float) -> None:
    for place in stack.places:
        place.x = x


def _lower_limit(stack: _Stack, sides: _Sides) -> float:
    """The smallest x at which a stack keeps its distance from the places on its left."""
    limits = [left.x + room for place in stack.places for left, room in sides[place][0]]
    return max(limits, default=-math.inf)


def _upper_limit(stack: _Stack, sides: _Sides) -> float:
    """The largest x at which a stack keeps its distance from the places on its right."""
    limits = [right.x - room for place in stack.places for right, room in sides[place][1]]
    return min(limits, default=math.inf)


def _sides(rows: list[list[Place]], gap: float) -> _Sides:
    """The places next to each place in its row, and their least distance."""
    sides: _Sides = {place: ([], []) for row in rows for place in row}
    for row in rows:
        for left, right in pairwise(row):
            room = (left.width + right.width) / 2 + gap
            sides[right][0].append((left, room))
            sides[left][1].append((right, room))
    return sides


def _stacks(
    rows: list[list[Place]], arrows: list[list[Place]], sides: _Sides
) -> dict[Place, _Stack]:
    """The stack of each place.

    Two places are stacked if they are connected, each has no other place stacked on that side, and
    the order of all rows can still be kept.
    """
    stack_of = {place: _Stack([place]) for row in rows for place in row}
    joining = _joining(arrows)
    segments = [pair for chain in arrows for pair in pairwise(chain) if pair[1] not in joining]
    segments.sort(key=_priority)
    has_lower: set[Place] = set()
    has_upper: set[Place] = set()
    for upper, lower in segments:
        if upper in has_lower or lower in has_upper:
            continue
        apart = stack_of[upper], stack_of[lower]
        together = _Stack(apart[0].places + apart[1].places)
        stack_of.update(dict.fromkeys(together.places, together))
        stacks = list(dict.fromkeys(stack_of.values()))
        if _from_left(stacks, stack_of, sides) is None:  # no x would keep the order of all rows
            for stack in apart:
                stack_of.update(dict.fromkeys(stack.places, stack))
        else:
            has_lower.add(upper)
            has_upper.add(lower)
    return stack_of


def _priority(segment: tuple[Place, Place]) -> int:
    """The rank by which parts of arrows are made straight: long arrows first."""
    boxes = sum(place.name is not None for place in segment)
    if boxes == 0:
        return 0  # within a long arrow
    return 1 if boxes == 2 else 2  # from box to box; an end of a long arrow


def _joining(arrows: list[list[Place]]) -> set[Place]:
    """Boxes with several inputs that have no other targets.

    They are placed below the middle of their inputs, not straight below one of them.
    """
    above, below = _neighbors(arrows)
    return {
        lower
        for lower, uppers in above.items()
        if len(uppers) > 1
        and all(upper.name is not None and len(below[upper]) == 1 for upper in uppers)
    }


def _from_left(
    stacks: list[_Stack], stack_of: Mapping[Place, _Stack], sides: _Sides
) -> list[_Stack] | None:
    """Sort stacks so that each comes after all stacks on its left.

    Returns None if that is impossible, since stacks are left of each other in different rows.
    """
    waiting = {stack: sum(len(sides[place][0]) for place in stack.places) for stack in stacks}
    ready = [stack for stack in stacks if not waiting[stack]]
    for stack in ready:  # grows while it is read
        for place in stack.places:
            for right, _ in sides[place][1]:
                other = stack_of[right]
                waiting[other] -= 1
                if not waiting[other]:
                    ready.append(other)
    return ready if len(ready) == len(stacks) else None
