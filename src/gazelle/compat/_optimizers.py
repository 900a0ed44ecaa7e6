"""Optimizers as Keras 1 and 2 had them: `lr=`, `decay=`, also by its place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from gazelle import optimizers
from gazelle._core.variable import Variable
from gazelle._formats.old_names import ANY_OPTIMIZER
from gazelle.compat._arguments import modern_arguments
from gazelle.compat._forms import CALLS
from gazelle.compat._patches import Patches
from gazelle.compat._telling import tell
from gazelle.optimizers import Optimizer

CLASSES = [
    "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Nadam",
    "RMSprop", "SGD",
]  # fmt: skip
# Where Keras 1 and 2 had `decay` among the arguments, before a flag that is in its place today.
_DECAY_AT = {"Adam": 4, "SGD": 2}


def install_optimizers(patches: Patches) -> None:
    """Let the optimizers take their old arguments."""
    for name in CLASSES:
        cls = getattr(optimizers, name)
        patches.attribute(cls, "__init__", _with_old_arguments(name, cls.__init__))


def _with_old_arguments(name: str, init: Callable[..., None]) -> Callable[..., None]:
    renamed = CALLS.get(f"optimizers.{name}", ANY_OPTIMIZER)

    @functools.wraps(init)
    def call(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        kwargs = modern_arguments(name, renamed, kwargs)
        decay = kwargs.pop("decay", None)
        place = _DECAY_AT.get(name)
        if place is not None and len(args) > place and not isinstance(args[place], bool):
            decay, args = args[place], (*args[:place], *args[place + 1 :])
        if kwargs.get("epsilon", 0) is None:  # the default of Keras 2
            del kwargs["epsilon"]
        init(self, *args, **kwargs)
        if decay:
            tell(f"{name}(decay=)", f"{name}(learning_rate=schedules.InverseTimeDecay(...))")
            self.__class__ = _decayed(type(self), float(decay))

    return call


@functools.cache
def _decayed(cls: type[Optimizer], decay: float) -> type[Optimizer]:
    """A class of optimizers whose rate is `rate / (1 + decay * iterations)`, as Keras 2 had it.

    `learning_rate` stays the rate without decay, which can be set.
    """

    def apply(self: Any, grads: Any, trainable_variables: Any = None) -> None:
        rate = self.learning_rate
        if not isinstance(rate, Variable):  # a schedule, which Keras 2 did not decay either
            return cls.apply(self, grads, trainable_variables)
        given = rate.value
        rate.assign(given / (1.0 + decay * self.iterations))
        try:
            return cls.apply(self, grads, trainable_variables)
        finally:
            rate.assign(given)

    def get_config(self: Any) -> dict[str, Any]:
        config = cls.get_config(self)
        if isinstance(config["learning_rate"], float):
            schedule = optimizers.schedules.InverseTimeDecay(
                config["learning_rate"], decay_steps=1, decay_rate=decay
            )
            config["learning_rate"] = optimizers.schedules.serialize(schedule)
        return config

    return type(
        cls.__name__,
        (cls,),
        {
            "apply": apply,
            "get_config": get_config,
            "decay": decay,
            "__module__": cls.__module__,
            "__doc__": cls.__doc__,
        },
    )
