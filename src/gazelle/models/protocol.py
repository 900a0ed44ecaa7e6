"""Methods of Keras's protocol that Gazelle does not call: a class that defines one is refused."""

from __future__ import annotations

from typing import Any

from gazelle._core.errors import StateError
from gazelle._core.registry import is_own_class
from gazelle.layers.parts import flatten_layers

# Methods of a model that Keras calls in fit, evaluate and predict. Gazelle compiles whole epochs
# and never calls them.
_NOT_CALLED = {
    "train_step": (
        "define compute_loss(self, x, y, y_pred, sample_weight, training), or call add_loss in call"
    ),
    "test_step": "define compute_loss, or give compile your metrics",
    "predict_step": (
        "do in call(self, inputs, training) what it does, or work on what predict returns"
    ),
    "make_train_function": "define compute_loss, or loop over train_on_batch",
    "make_test_function": "define compute_loss, or loop over test_on_batch",
    "make_predict_function": "loop over predict_on_batch",
    "compute_metrics": (
        "give compile your metrics; those that a layer holds as attributes are measured too"
    ),
    "get_metrics_result": "give compile a Metric whose result() returns a dict",
    "stateless_compute_loss": "define compute_loss",
    "compute_loss_and_updates": "define compute_loss",
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


def _owner(part: Any, name: str) -> str | None:
    """The user's class (or the object itself) that defines a method; None where there is none."""
    if name in vars(part):
        return repr(part)
    for kind in type(part).__mro__:
        if name in kind.__dict__:
            return None if is_own_class(kind) else kind.__name__
    return None
