"""Policies for the types of layers, like `keras.dtype_policies`."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from gazelle._core.dtypes import DTypePolicy, get_policy
from gazelle._core.dtypes import dtype_policy as _default_policy
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._core.registry import builtin
from gazelle._core.registry import deserialize as _deserialize
from gazelle._core.registry import serialize as _serialize

FloatDTypePolicy = DTypePolicy

__all__ = [
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "deserialize",
    "get",
    "serialize",
]


@builtin("keras.dtype_policies")
class DTypePolicyMap(DTypePolicy, MutableMapping):  # type: ignore[type-arg]
    """Policies of layers by their paths; a key with `.*` or so is a pattern for whole paths.

    Args:
        default_policy: The policy of a path that no key fits; the default policy when None.
        policy_map: Paths or patterns, and policies.

    Raises:
        ArgumentTypeError: `policy_map` is not a dict.
    """

    def __init__(
        self, default_policy: Any = None, policy_map: dict[str, DTypePolicy] | None = None
    ):
        if isinstance(default_policy, DTypePolicyMap):
            raise ArgumentError("`default_policy` cannot be a DTypePolicyMap.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise ArgumentTypeError(
                "If specified, `policy_map` must be a dict.", received=repr(policy_map)[:80]
            )
        self._default_policy_arg = default_policy
        self._default_policy = get_policy(default_policy)
        self._policy_map = dict(policy_map or {})

    @property
    def name(self) -> str:
        """A name that holds that of the default policy."""
        return f"map_{self.default_policy.name}"

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of a path that no key fits."""
        return self._default_policy

    @property
    def compute_dtype(self) -> str:
        """That of the default policy."""
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """That of the default policy."""
        return self.default_policy.variable_dtype

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policy_map:
            return self._policy_map[key]
        fitting = [pattern for pattern in self._policy_map if re.fullmatch(pattern, key)]
        if len(fitting) > 1:
            raise ArgumentError(
                f"Path '{key}' matches multiple dtype policy specifications.", received=fitting
            )
        return self._policy_map[fitting[0]] if fitting else self.default_policy

    def __setitem__(self, key: str, policy: DTypePolicy) -> None:
        if key in self._policy_map:
            raise ArgumentError(f"{key} already exist in the DTypePolicyMap.", received=repr(key))
        if isinstance(policy, str):
            policy = get_policy(policy)
        if not hasattr(policy, "compute_dtype"):  # a policy of the user's own is one too
            raise ArgumentError(
                "Cannot interpret the assigned value.",
                expected="a policy or its name",
                received=repr(policy)[:80],
            )
        self._policy_map[key] = policy

    def __delitem__(self, key: str) -> None:
        del self._policy_map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._policy_map

    def __len__(self) -> int:
        return len(self._policy_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy_map)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "default_policy": self._default_policy_arg,
            "policy_map": {key: _serialize(policy) for key, policy in self.items()},
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> DTypePolicyMap:
        """A map from `get_config`; `custom_objects` are accepted for compatibility with Keras."""
        policies = {key: get(policy) for key, policy in (config["policy_map"] or {}).items()}
        return cls(config["default_policy"], policies)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        pairs = [(key, policy.name) for key, policy in self.items()]
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={pairs}>"


def get(identifier: Any) -> DTypePolicy:
    """A policy from None (the default one), a name, a policy or its config.

    Raises:
        ArgumentError: There is no such policy.
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if identifier is None:
        return _default_policy()
    if not isinstance(identifier, str | DTypePolicy):
        raise ArgumentError(
            "Cannot interpret `dtype` argument.",
            expected="a policy, its name or its config",
            received=repr(identifier)[:80],
        )
    return get_policy(identifier)


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """The config of a policy."""
    return _serialize(dtype_policy)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The policy that a config describes."""
    return _deserialize(config, custom_objects)
