"""Methods of Keras's protocol that Gazelle does not call: a class that defines one is refused."""

from __future__ import annotations

from typing import Any

from gazelle._core.errors import StateError
from gazelle._core.registry import is_own_class
from gazelle._engine.own_steps import PARTS, STEPS
from gazelle.layers._parts import flatten_layers

# Methods that Keras calls in fit, evaluate and predict, and Gazelle never.
_NOT_CALLED = {
    "make_train_function": "define train_step, or loop over train_on_batch",
    "make_test_function": "define test_step, or loop over test_on_batch",
    "make_predict_function": "define predict_step, or loop over predict_on_batch",
    "stateless_compute_loss": "define compute_loss",
    "losses": "call add_loss in call",
    "jax_state_sync": None,
    "symbolic_call": "define call and compute_output_shape",
}


def check_protocol(model: Any) -> None:
    """Refuse a model whose class, or whose layers, define what Gazelle would not call.

    Raises:
        StateError: The first such method, and what to use in its place.
    """
    for part in dict.fromkeys([model, *flatten_layers(model)]):
        for name, instead in _NOT_CALLED.items():
            owner = _owner(part, name)
            if owner is not None:
                where = "" if part is model else f" (layer {part.name!r})"
                raise StateError(
                    f"{owner} defines {name}(), which Gazelle does not call: it would train as if"
                    " it were not there.",
                    expected="a model that Gazelle can train as it is written",
                    received=f"{name} in {owner}{where}",
                    fix=instead or f"remove {name}, or train this model with Keras",
                )


def own_steps(model: Any) -> frozenset[str]:
    """The steps, and parts of them, that a model defines itself."""
    return frozenset(name for name in (*STEPS, *PARTS) if _owner(model, name) is not None)


def _owner(part: Any, name: str) -> str | None:
    """The user's class (or the object itself) that defines a method; None where there is none."""
    if name in vars(part):
        return repr(part)
    for kind in type(part).__mro__:
        if name in kind.__dict__:
            return None if is_own_class(kind) else kind.__name__
    return None
