"""The kernel: a second engine, in C++, for small networks on a CPU. XLA is its oracle.

While a training program is traced, `plan_for` tells whether the kernel can replace XLA's loop over
the steps. The rest of the program stays the same, and so do the numbers, to float32 rounding.
`predicted` does the same in programs that predict. `status` tells whether there is a kernel and, if
not, why.
"""

from typing import NamedTuple

from gazelle._engine.kernel import library
from gazelle._engine.kernel.description import StepDescription
from gazelle._engine.kernel.plan import Plan, plan_for
from gazelle._engine.kernel.prediction import predicted
from gazelle._engine.kernel.span import Span

__all__ = [
    "Plan",
    "Span",
    "Status",
    "StepDescription",
    "available",
    "plan_for",
    "predicted",
    "settings",
    "status",
]


class Status(NamedTuple):
    """Which engine runs.

    Args:
        text: `"XLA, and the kernel (AVX-512) for small networks"`, or `"XLA alone; no kernel: ..."`
            with the reason.
        kernel: Whether the kernel trains the networks that it knows.
        fix: What to do where there is no kernel and something can be done; else empty.
        broken: Whether the kernel is damaged or does not fit the other packages, rather than
            absent.
    """

    text: str
    kernel: bool
    fix: str = ""
    broken: bool = False


def available() -> bool:
    """Whether the kernel was built, is whole, runs on this processor and is not switched off."""
    return library.switched_on() and library.loaded().name is not None


def status() -> Status:
    """Which engine runs in this process and, where it is XLA alone, why. JAX chooses its device."""
    obstacle = library.obstacle()
    if obstacle is not None:
        return Status(f"XLA alone; no kernel: {obstacle}", False)
    found = library.loaded()
    if found.name is None:
        return Status(f"XLA alone; no kernel: {found.why}", False, found.fix, found.broken)
    return Status(f"XLA, and the kernel ({found.units}) for small networks", True)


def settings() -> tuple[bool, int]:
    """What the choice of the engine depends on besides the model, as it is here and now."""
    return library.switched_on(), library.cores()
