"""Models as estimators of scikit-learn, which is loaded when a name is first used."""

from typing import TYPE_CHECKING, Any

from gazelle._core import doors as _doors
from gazelle._core.packages import need

if TYPE_CHECKING:
    from gazelle.wrappers._estimators import SKLearnClassifier as SKLearnClassifier
    from gazelle.wrappers._estimators import SKLearnRegressor as SKLearnRegressor
    from gazelle.wrappers._estimators import SKLearnTransformer as SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]

_lazy, __dir__ = _doors.lazy(__name__, dict.fromkeys(__all__, "gazelle.wrappers._estimators"))


if not TYPE_CHECKING:  # with __getattr__, a type checker would accept every name

    def __getattr__(name: str) -> Any:
        if name in __all__:
            need(f"wrappers.{name}", "sklearn")
        return _lazy(name)
