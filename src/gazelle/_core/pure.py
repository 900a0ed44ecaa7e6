"""The hinge between stateful objects and pure programs: borrow variables for a call, take their new values back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gazelle._core.variable import Variable


@contextmanager
def borrowed(variables: Sequence[Variable], values: Sequence[Any]) -> Iterator[None]:
    """Within the block `variables` hold `values` (arrays or tracers); afterwards what they held before."""
    kept = [(variable._value, variable._lent) for variable in variables]
    for variable, value in zip(variables, values, strict=True):
        variable._value = value
    try:
        yield
    finally:
        for variable, (value, lent) in zip(variables, kept, strict=True):
            variable._value, variable._lent = value, lent


def pure(function: Callable[..., Any], variables: Sequence[Variable]) -> Callable[..., tuple[Any, list[Any]]]:
    """A pure function from a function that reads and assigns `variables`.

    Args:
        function: Any function; it may read and assign `variables` and no other variable.
        variables: The state that `function` touches.

    Returns:
        `pure_function(values, *args, **kwargs) -> (result, new_values)`, safe under every JAX transformation;
        the variables themselves are left as they were.
    """
    variables = list(variables)

    def pure_function(values: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        with borrowed(variables, values):
            result = function(*args, **kwargs)
            return result, [variable._value for variable in variables]

    return pure_function
