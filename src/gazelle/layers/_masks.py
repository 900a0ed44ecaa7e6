"""Masks in the call of a layer: those that its inputs carry, and those that its outputs get."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gazelle._core.masks import carrying_mask, mask_of, masks_of, own_table, set_mask
from gazelle._core.names import unique_name
from gazelle._core.registry import builtin, deserialize, serialize
from gazelle._core.symbolic import Node, any_symbolic, infer, leaves, map_structure

if TYPE_CHECKING:
    from gazelle.layers._base import Layer


def filled_in(
    parameters: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The keyword arguments of a call, with the masks that its arguments carry.

    If the arguments hold one array (or one list or dict of arrays), its mask becomes `mask`;
    otherwise that of each becomes `<argument>_mask`. Only for parameters of `call` that are not
    given.

    Args:
        parameters: The parameters of the layer's `call`.
        args: The positional arguments of the call.
        kwargs: Its keyword arguments.
    """
    if not any(name == "mask" or name.endswith("_mask") for name in parameters):
        return kwargs
    names = list(parameters)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    arrays = {name: value for name, value in given.items() if _holds_arrays(value)}
    if len(arrays) == 1:
        sources = dict(zip(["mask"], arrays.values(), strict=True))
    else:
        sources = {f"{name}_mask": value for name, value in arrays.items()}
    is_free = {*names[len(args) :]}
    found = {
        name: masks_of(value)
        for name, value in sources.items()
        if name in is_free and given.get(name) is None
    }
    return {**kwargs, **found} if found else kwargs


def _holds_arrays(value: Any) -> bool:
    if hasattr(value, "shape"):
        return True
    is_structure = isinstance(value, list | tuple | dict)
    return is_structure and any(hasattr(leaf, "shape") for leaf in leaves(value))


def of_inputs(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The mask of a call's inputs: the one that it is given, or what its first argument carries."""
    if (mask := kwargs.get("mask")) is not None:
        return mask
    if not args:
        return None
    return mask_of(args[0]) if hasattr(args[0], "shape") else masks_of(args[0])


def with_masks(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> Any:
    """The outputs of a layer's `call` with the masks that `compute_mask` gives them.

    Outputs that carry a mask keep it.

    Args:
        layer: The layer.
        args: The positional arguments of the call.
        kwargs: Its keyword arguments, masks filled in.
        outputs: What `call` has returned.
    """
    before = of_inputs(args, kwargs)
    if not _may_mask(layer, before):
        return outputs
    if all(mask_of(leaf) is not None for leaf in leaves(outputs)):
        return outputs
    return _carrying(outputs, layer.compute_mask(args[0] if args else None, before), leaves(args))


def set_symbolic(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
    """Let symbolic outputs carry the masks that the layer's `compute_mask` gives them."""
    before = of_inputs(args, filled_in(layer._call_parameters, args, kwargs))
    if not _may_mask(layer, before):
        return
    _carrying(outputs, layer.compute_mask(args[0] if args else None, before), [])


@builtin("gazelle.layers")
class ComputeMask:
    """A layer's `compute_mask` as a step of a functional model.

    Args:
        layer: The layer.
        name: Name in the model; automatic when None.
    """

    def __init__(self, layer: Layer, name: str | None = None):
        self.layer = layer
        self.name = name or unique_name("compute_mask")
        self.inbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The mask for the arguments of `compute_mask`."""
        if not any_symbolic(args, kwargs):
            return self.layer.compute_mask(*args, **kwargs)
        with own_table():
            masks = infer(self.layer.compute_mask, args, kwargs)
        if masks is not None:
            Node(self, args, kwargs, masks)
        return masks

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"layer": serialize(self.layer), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ComputeMask:
        """A step from `get_config`."""
        return cls(deserialize(config["layer"]), name=config["name"])


def symbolic_too(compute_mask: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's `compute_mask`, which gives a symbolic tensor for symbolic tensors."""

    @functools.wraps(compute_mask)
    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> Any:
        # Where there is nothing but masks to compute with, the inputs may be anything.
        if any_symbolic(args if self._makes_masks else args[1:], kwargs):
            return ComputeMask(self)(*args, **kwargs)
        return compute_mask(self, *args, **kwargs)

    return wrapped


def _may_mask(layer: Layer, before: Any) -> bool:
    """Whether the outputs of a call may get masks. Warns of a layer that loses those of inputs."""
    has_masks = before is not None and any(mask is not None for mask in leaves(before))
    if has_masks and layer._loses_masks:
        warnings.warn(
            f"Layer {layer.name!r} (of type {type(layer).__name__}) was passed an input with a"
            " mask. This layer does not support masking and will therefore destroy the mask: the"
            " layers behind it will not see it.",
            UserWarning,
            stacklevel=2,
        )
    return layer.supports_masking and (has_masks or layer._makes_masks)


def _carrying(outputs: Any, masks: Any, inputs: list[Any]) -> Any:
    """The outputs, which get the masks where they have none; an input among them is copied."""
    rest = iter(leaves(masks))

    def carrying(leaf: Any) -> Any:
        mask = next(rest, None)
        if leaf is None or mask is None or mask_of(leaf) is not None:
            return leaf
        if any(leaf is other for other in inputs):
            return carrying_mask(leaf, mask)
        set_mask(leaf, mask)
        return leaf

    return outputs if masks is None else map_structure(carrying, outputs)
