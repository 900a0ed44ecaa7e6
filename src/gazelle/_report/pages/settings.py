"""The section on settings, versions and times, which are needed to repeat the run."""

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
    """All recorded settings, versions and times."""
    settings = [(heading(name), value(found)) for name, found in config.settings.items()]
    versions = [(_NAMES.get(name, name), text) for name, text in config.versions.items()]
    times = [(heading(name), duration(seconds)) for name, seconds in config.durations.items()]
    machine = [("Device", config.device), ("Started", moment(config.started))]
    groups = {
        "Settings": settings,
        "Versions": versions,
        "Times": times,
        "Machine": [(name, text) for name, text in machine if text],
    }
    lists = [tag("div", tag("h3", name), facts(pairs)) for name, pairs in groups.items() if pairs]
    words = [paragraph(repeatable(config))]
    return section("settings", "Settings", words, tag("div", lists, class_="groups"))


def repeatable(config: RunConfig) -> str:
    """Whether the run can be repeated, according to what was recorded, in a sentence or two."""
    seed = config.settings.get("seed")
    if config.weights_changed:
        return (
            "The weights were set after the training, so these settings alone do not reproduce this"
            " network."
        )
    if any(fit.continued is False for fit in config.fits):
        return (
            "The weights were set between two calls of fit, so these settings alone do not"
            " reproduce this network."
        )
    if not isinstance(seed, int) or isinstance(seed, bool):
        return "No seed was recorded, so the same settings give a different network each time."
    return (
        f"The random seed was {seed}. The same program on the same data, with the same versions and"
        " machine, gives the same network."
    )
