"""The section on settings, versions and times: what it takes to do the run again."""

from __future__ import annotations

from gazelle._report.pages.markup import Html, facts, paragraph, section, tag
from gazelle._report.pages.words import duration, heading, moment, value
from gazelle._report.schema import RunConfig

_NAMES = {
    "python": "Python",
    "jax": "JAX",
    "numpy": "NumPy",
    "gazelle": "Gazelle",
    "keras": "Keras",
}


def settings_section(config: RunConfig) -> Html:
    """Everything that was recorded of what decides what comes out."""
    groups = [
        ("Settings", [(heading(name), value(found)) for name, found in config.settings.items()]),
        ("Versions", [(_NAMES.get(name, name), found) for name, found in config.versions.items()]),
        (
            "Times",
            [(heading(name), duration(seconds)) for name, seconds in config.durations.items()],
        ),
        (
            "Machine",
            [
                (n, v)
                for n, v in (("Device", config.device), ("Started", moment(config.started)))
                if v
            ],
        ),
    ]
    return section(
        "settings",
        "Settings",
        [paragraph(repeatable(config))],
        tag(
            "div",
            [tag("div", tag("h3", name), facts(pairs)) for name, pairs in groups if pairs],
            class_="groups",
        ),
    )


def repeatable(config: RunConfig) -> str:
    """Whether the run can be done again, as far as what was recorded tells."""
    seed = config.settings.get("seed")
    if config.weights_changed:
        return (
            "The weights were set after the training, so these settings alone do not give this"
            " network."
        )
    if any(fit.continued is False for fit in config.fits):
        return (
            "The weights were set between two calls of fit, so these settings alone do not give"
            " this network."
        )
    if not isinstance(seed, int) or isinstance(seed, bool):
        return (
            "No seed was recorded, so the same settings give another network of the same kind each"
            " time."
        )
    return (
        f"The random numbers began with the seed {seed}. The same program on the same data, with"
        " the same versions and machine, gives the same network."
    )
