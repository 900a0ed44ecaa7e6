"""A second engine for small networks on a CPU: a kernel in C++ that trains whole chunks of steps; XLA is its oracle.

`plan_for` says, while a training program is traced, whether the kernel can take the place of XLA's loop. Everything
about the program but the steps themselves stays as it is, and so do the numbers, to float32 rounding. `predicted` does
the same in programs that predict.
"""

from gazelle.native import library
from gazelle.native.plan import Plan, plan_for
from gazelle.native.prediction import predicted

__all__ = ["Plan", "available", "plan_for", "predicted", "settings"]


def available() -> bool:
    """Whether the kernel was built, runs on this processor and is not switched off."""
    return library.switched_on() and library.loaded() is not None


def settings() -> tuple:
    """What the choice of the engine depends on besides the model, as it is here and now."""
    return library.switched_on(), library.cores()
