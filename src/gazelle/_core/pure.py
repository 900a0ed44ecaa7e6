"""From stateful objects to pure programs: variables are borrowed for a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax

from gazelle._core.lending import borrowed_here
from gazelle._core.variable import Variable, values_of


@contextmanager
def borrowed(variables: Sequence[Variable], values: Sequence[Any]) -> Iterator[None]:
    """Within the block `variables` hold `values` (arrays or tracers), for this thread alone."""
    here = borrowed_here.values
    kept = {variable: here[variable] for variable in variables if variable in here}
    here.update(zip(variables, values, strict=True))
    try:
        yield
    finally:
        for variable in variables:
            here.pop(variable, None)
        here.update(kept)


def settled(result: Any) -> Any:
    """`result` with every variable in it replaced by the value that it holds now.

    Whatever leaves a block of `borrowed` goes through this within the block: read later, a variable
    would give its own value and not the one that was computed.
    """
    # To JAX a variable is a node whose only leaf is its value.
    return jax.tree.map(lambda leaf: leaf, result)


def pure(
    function: Callable[..., Any], variables: Sequence[Variable]
) -> Callable[..., tuple[Any, list[Any]]]:
    """A pure function from a function that reads and assigns `variables`.

    Args:
        function: Any function; it may read and assign `variables` and no other variable.
        variables: The state that `function` touches.

    Returns:
        `pure_function(values, *args, **kwargs) -> (result, new_values)`, safe under every JAX
        transformation; the variables themselves are left as they were.
    """
    variables = list(variables)

    def pure_function(values: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        with borrowed(variables, values):
            result = settled(function(*args, **kwargs))
            return result, values_of(variables)

    return pure_function
