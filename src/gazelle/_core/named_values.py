"""Named values of a run: a dict whose keys are attributes too, and which can be frozen."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from gazelle._core.errors import ArgumentError, nearest


class Config(MutableMapping[str, Any]):
    """Values by name, such as the hyperparameters of a run, as keys and as attributes.

    Iterating over it gives the names sorted.

    Args:
        **kwargs: The first values.

    Example:
        >>> config = Config(learning_rate=0.25)
        >>> config.units = 8
        >>> config["units"], config.to_json()
        (8, '{"learning_rate": 0.25, "units": 8}')
    """

    _values: dict[str, Any]
    _frozen: bool

    def __init__(self, **kwargs: Any):
        object.__setattr__(self, "_values", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether it can be changed no more."""
        return self._frozen

    def freeze(self) -> None:
        """Refuse changes from now on."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Allow changes again."""
        object.__setattr__(self, "_frozen", False)

    def as_dict(self) -> dict[str, Any]:
        """The values as a new dict."""
        return dict(self._values)

    def to_json(self) -> str:
        """The values as JSON."""
        return json.dumps(self._values)

    def get(self, keyname: str, value: Any = None) -> Any:
        """The value of a name, or another one where there is none."""
        return self._values.get(keyname, value)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, item: Any) -> None:
        self._check_thawed()
        self._values[key] = item

    def __delitem__(self, key: str) -> None:
        self._check_thawed()
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        values: dict[str, Any] = vars(self).get("_values", {})
        if name in values:
            return values[name]
        near = nearest(name, values)
        advice = f" Did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"Unknown attribute: {name!r}.{advice}")

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(f"{name!r} is a method of Config; use config[{name!r}] = ...")
        self[name] = value

    def __repr__(self) -> str:
        return f"<Config {self._values}>"

    def _check_thawed(self) -> None:
        if self._frozen:
            raise ArgumentError(
                "Cannot mutate attribute(s) because the config is frozen.",
                fix="call unfreeze() first",
            )
