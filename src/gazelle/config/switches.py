"""Switches that scripts written for Keras turn; Gazelle needs few of them and remembers the others."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from gazelle._core.errors import ArgumentError


@dataclass
class _Switches:
    interactive_logging: bool = True


_switches = _Switches()


def backend() -> str:
    """The engine: always `"jax"`."""
    return "jax"


def image_data_format() -> str:
    """The order of axes of images: always `"channels_last"`."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accepts `"channels_last"`, the only order that Gazelle uses.

    Raises:
        ArgumentError: Another order.
    """
    if data_format != "channels_last":
        raise ArgumentError(
            "Gazelle keeps images with their channels last.",
            expected="'channels_last'",
            received=repr(data_format),
            fix="put the channels last: np.moveaxis(images, 1, -1)",
        )


def enable_interactive_logging() -> None:
    """Remember that progress is to be shown, as it is anyway unless `verbose=0`."""
    _switches.interactive_logging = True


def disable_interactive_logging() -> None:
    """Remember that no live progress is wanted; pass `verbose=0` or `verbose=2` to choose."""
    _switches.interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """What the two functions before have set."""
    return _switches.interactive_logging


def enable_traceback_filtering() -> None:
    """Leave JAX's own frames out of tracebacks."""
    jax.config.update("jax_traceback_filtering", "auto")


def disable_traceback_filtering() -> None:
    """Show JAX's own frames in tracebacks."""
    jax.config.update("jax_traceback_filtering", "off")


def is_traceback_filtering_enabled() -> bool:
    """Whether JAX's own frames are left out of tracebacks."""
    return jax.config.values["jax_traceback_filtering"] != "off"
