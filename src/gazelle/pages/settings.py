"""The section on settings, versions and times: what it takes to do the run again."""

from __future__ import annotations

from gazelle.pages.markup import Html, facts, paragraph, section, tag
from gazelle.pages.words import duration, heading, moment, value
from gazelle.runs import RunConfig

_NAMES = {"python": "Python", "jax": "JAX", "numpy": "NumPy", "gazelle": "Gazelle", "keras": "Keras"}


def settings_section(config: RunConfig) -> Html:
    """Everything that decides what comes out."""
    words = [
        paragraph(
            "With the same data, settings, seed and versions on the same machine, the run gives the same network."
        )
    ]
    groups = [
        ("Settings", [(heading(name), value(found)) for name, found in config.settings.items()]),
        ("Versions", [(_NAMES.get(name, name), found) for name, found in config.versions.items()]),
        ("Times", [(heading(name), duration(seconds)) for name, seconds in config.durations.items()]),
        ("Machine", [(n, v) for n, v in (("Device", config.device), ("Started", moment(config.started))) if v]),
    ]
    return section(
        "settings",
        "Settings",
        words,
        tag("div", [tag("div", tag("h3", name), facts(pairs)) for name, pairs in groups if pairs], class_="groups"),
    )
