"""Switches of `keras.config`. Those that Gazelle does not need are only remembered."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from gazelle._core.errors import ArgumentError


@dataclass
class _Switches:
    interactive_logging: bool = True


_switches = _Switches()


def backend() -> str:
    """The name of the backend, always `"jax"`."""
    return "jax"


def set_backend(backend: str) -> None:
    """Accept `"jax"`, the only backend.

    Raises:
        ArgumentError: Another backend.
    """
    if backend != "jax":
        raise ArgumentError("Gazelle has one backend.", expected="'jax'", received=repr(backend))


def is_nnx_enabled() -> bool:
    """Whether variables are those of Flax NNX: never."""
    return False


def enable_unsafe_deserialization() -> None:
    """Do nothing: Gazelle never runs code from a file, whatever is asked for."""


def image_data_format() -> str:
    """The order of an image's axes, always `"channels_last"`."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accept `"channels_last"`, the only order that Gazelle supports.

    Raises:
        ArgumentError: Another order.
    """
    if data_format != "channels_last":
        raise ArgumentError(
            "Gazelle supports only images with their channels last.",
            expected="'channels_last'",
            received=repr(data_format),
            fix="move the channels to the end: np.moveaxis(images, 1, -1)",
        )


def enable_interactive_logging() -> None:
    """Remember that progress is wanted; it is shown anyway, unless `verbose=0` is passed."""
    _switches.interactive_logging = True


def disable_interactive_logging() -> None:
    """Remember that no progress is wanted; to turn it off, pass `verbose=0` or `verbose=2`."""
    _switches.interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """Whether interactive logging was enabled, as it is by default, or disabled."""
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
