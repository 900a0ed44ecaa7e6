"""Properties that a user's model may use as attributes of its own."""

from __future__ import annotations

from typing import Any


class settable(property):  # noqa: N801 (it is used like `property`)
    """A property that gives way to what was assigned to it.

    A subclass may keep anything as `self.loss` or `self.inputs`, as it may in Keras.
    """

    _name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is not None and self._name in vars(instance):
            return vars(instance)[self._name]
        return super().__get__(instance, owner)

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self._name] = value

    def __delete__(self, instance: Any) -> None:
        vars(instance).pop(self._name, None)
