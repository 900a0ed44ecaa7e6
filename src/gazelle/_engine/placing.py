"""Which loss measures which outputs: compile's `loss` and `loss_weights` laid over the outputs.

The rules are Keras's. A single loss measures each output. Losses in the structure of the outputs
measure one each. A loss where a part of the structure is measures that part as a whole. A list of
losses where the outputs are no list gives them all to the same outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gazelle._core.errors import ArgumentError, ArgumentTypeError, MissingKeyError
from gazelle._core.symbolic import leaves, map_structure
from gazelle._core.types import Structure
from gazelle._engine.outputs import Outputs, is_nested

Path = tuple[Any, ...]


class Placed(NamedTuple):
    """A loss and what it measures.

    Attributes:
        places: The number of an output, or a structure of them that is measured as a whole.
        loss: What the user wrote: a name, a function, a `Loss` or its config.
        weight: Its factor in the sum; None for 1.
        name: Its log name without `_loss`; None for the loss's own name.
    """

    places: Structure
    loss: Any
    weight: float | None
    name: str | None


def place_losses(loss: Any, loss_weights: Any, outputs: Outputs) -> list[Placed]:
    """What `compile` was given, loss by loss; tells `outputs` which of them have targets.

    Raises:
        ArgumentError: Losses or weights that do not match the outputs.
        ArgumentTypeError: A weight that is not a number.
        MissingKeyError: A key of `loss` that the outputs do not have.
    """
    if not is_nested(loss):
        weights = outputs.spread(loss_weights, "loss_weights", repeat=True, partial=True)
        loss = map_structure(lambda _: loss, outputs.places)
        weights = map_structure(lambda number: weights[number], outputs.places)
    else:
        if isinstance(loss, dict) and not isinstance(outputs.places, dict):
            loss = _in_structure(outputs, loss, "loss")
            if isinstance(loss_weights, dict):
                loss_weights = _in_structure(outputs, loss_weights, "loss_weights")
        weights = _weights_like(loss, loss_weights)
    placed = list(_placed(outputs.places, loss, weights, (), outputs.names))
    outputs.targeted = sorted({number for part in placed for number in leaves(part.places)})
    return placed


def _in_structure(outputs: Outputs, by_name: dict[str, Any], what: str) -> Any:
    """What was given by the outputs' names, in the structure of the outputs."""
    entries = outputs.spread(by_name, what, partial=what == "loss_weights")
    return map_structure(lambda number: entries[number], outputs.places)


def _placed(
    places: Any, loss: Any, weights: Any, path: Path, names: list[str] | None
) -> Iterator[Placed]:
    """The losses of a part of the outputs.

    Args:
        places: The numbers of its outputs in their structure.
        loss: Its losses.
        weights: Their weights in the same structure.
        path: The keys that lead to this part.
        names: The names of all outputs.
    """
    if loss is None:
        return
    if not is_nested(loss):
        yield Placed(places, loss, _checked(weights), _name(places, path, names))
        return
    if isinstance(loss, list | tuple):
        numbers = leaves(places)
        if len(loss) == len(numbers) and not any(map(is_nested, loss)):
            by_number = dict(zip(numbers, zip(loss, weights, strict=True), strict=True))
            loss = map_structure(lambda number: by_number[number][0], places)
            weights = map_structure(lambda number: by_number[number][1], places)
        elif not isinstance(places, type(loss)):
            for one, weight in zip(loss, weights, strict=True):
                yield from _placed(places, one, weight, path, names)
            return
    if not is_nested(loss):
        yield from _placed(places, loss, weights, path, names)
        return
    for key in loss if isinstance(loss, dict) else range(len(loss)):
        if isinstance(loss, dict) is not isinstance(places, dict) or not _has(places, key):
            raise MissingKeyError(
                f"The path {(*path, key)} of `loss` is not in the model's outputs.",
                expected=str(map_structure(lambda _: "X", places)),
                received=repr(loss),
                fix="give the losses the structure of the outputs",
            )
        yield from _placed(places[key], loss[key], weights[key], (*path, key), names)


def _has(places: Any, key: Any) -> bool:
    if isinstance(places, dict):
        return key in places
    return isinstance(places, list | tuple) and key < len(places)


def _name(places: Any, path: Path, names: list[str] | None) -> str | None:
    """The log name of a loss: the path to its outputs, an output's own name in place of a number.

    None for an output without a name.
    """
    if not is_nested(places):
        own = None if names is None else names[places]
        if not path or isinstance(path[-1], int):
            return None if own is None else "/".join([*map(str, path[:-1]), own])
    if path:
        return "/".join(map(str, path))
    keys = list(places) if isinstance(places, dict) else names
    return None if keys is None else "_".join(map(str, keys))


def _weights_like(loss: Any, weights: Any) -> Any:
    """Weights in the structure of the losses, which they have or whose order they follow."""
    if _match(loss, weights):
        return _filled(loss, weights)
    flat, count = _flat(weights), len(_flat(loss))
    if isinstance(weights, dict) or len(flat) != count:
        raise ArgumentError(
            f"`loss_weights` must match the number of losses: {count} losses and {len(flat)}"
            " weights.",
            expected="a list or dict of numbers like `loss`",
            received=repr(weights),
        )
    return _packed(loss, iter(flat))


def _match(loss: Any, weights: Any) -> bool:
    """Whether weights have the structure of the losses; None and keys left out stand for 1."""
    if weights is None or not is_nested(loss):
        return not is_nested(weights)
    if isinstance(loss, dict):
        return (
            isinstance(weights, dict)
            and set(weights) <= set(loss)
            and all(_match(loss[key], weight) for key, weight in weights.items())
        )
    is_list = isinstance(weights, list | tuple) and len(weights) == len(loss)
    return is_list and all(map(_match, loss, weights))


def _filled(loss: Any, weights: Any) -> Any:
    """Weights of a matching structure, with None where they are left out."""
    if not is_nested(loss):
        return weights
    if isinstance(loss, dict):
        return {key: _filled(one, (weights or {}).get(key)) for key, one in loss.items()}
    return [_filled(one, weights and weights[index]) for index, one in enumerate(loss)]


def _packed(loss: Any, flat: Iterator[Any]) -> Any:
    """Weights from a list in the structure of the losses."""
    if not is_nested(loss):
        return next(flat)
    if isinstance(loss, dict):
        return {key: _packed(one, flat) for key, one in loss.items()}
    return [_packed(one, flat) for one in loss]


def _flat(structure: Any) -> list[Any]:
    """The entries of a structure in the order in which they are written."""
    if not is_nested(structure):
        return [structure]
    values = structure.values() if isinstance(structure, dict) else structure
    return [entry for value in values for entry in _flat(value)]


def _checked(weight: Any) -> float | None:
    if weight is not None and not isinstance(weight, int | float):
        raise ArgumentTypeError("`loss_weights` must be numbers.", received=repr(weight))
    return weight
