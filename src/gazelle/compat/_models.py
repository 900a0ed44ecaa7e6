"""The methods that models had in Keras 1, Keras 2 and tf.keras."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gazelle.compat._arguments import modern_arguments, modern_function
from gazelle.compat._callbacks import with_validation_data
from gazelle.compat._forms import CALLS
from gazelle.compat._outside import refuse_outside
from gazelle.compat._patches import Patches
from gazelle.compat._saving import (
    loads_weights_anywhere,
    saves_anywhere,
    saves_weights_anywhere,
)
from gazelle.compat._telling import tell
from gazelle.metrics import Metric
from gazelle.models import Functional, Model, Sequential
from gazelle.models._trainable import Trainable

_METHODS = [
    "compile", "fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "save",
    "save_weights", "load_weights", "summary",
]  # fmt: skip
_DATA = ("x", "y", "sample_weight")


def install_models(patches: Patches) -> None:
    """Give models their old methods, and let those that stayed take their old arguments."""
    for name in _METHODS:
        owner = next(cls for cls in Model.__mro__ if name in vars(cls))
        method = modern_function(f"Model.{name}", vars(owner)[name])
        patches.attribute(owner, name, _PREPARED.get(name, lambda method: method)(method))
    for function in (
        fit_generator, evaluate_generator, predict_generator, predict_classes, predict_proba,
        to_yaml, reset_states,
    ):  # fmt: skip
        patches.attribute(Trainable, function.__name__, function)
    for cls in (Model, Functional, Sequential):
        patches.attribute(cls, "__init__", _with_old_arguments(cls.__init__))
    patches.attribute(Sequential, "add", _add(Sequential.add))
    patches.attribute(Model, "__new__", staticmethod(_new_model(Model.__new__)))
    patches.attribute(Model, "state_updates", property(lambda model: []))
    patches.attribute(Model, "uses_learning_phase", True)
    patches.attribute(Metric, "reset_states", lambda metric: metric.reset_state())


# ---- Methods that stayed ----


def as_data(data: Any, parts: int = 1, *, targets: bool = False) -> Any:
    """Arrays for data that is lists of numbers, or lists of such lists; anything else as it is.

    Args:
        data: What `fit` was given.
        parts: The number of the model's inputs or outputs; of several, each is a list.
        targets: Whether these are targets, which may not be sparse.
    """
    if parts > 1 and isinstance(data, list | tuple):
        return [as_data(part, targets=targets) for part in data]
    if targets and hasattr(data, "toarray"):
        return data.toarray()
    if targets and isinstance(data, list) and any(hasattr(part, "toarray") for part in data):
        return [as_data(part, targets=True) for part in data]
    if isinstance(data, list | tuple) and len(data) > 0 and _is_numbers(data):
        return np.array(data)
    return data


def _parts(model: Any) -> list[int]:
    """The numbers of inputs, of outputs, and of arrays of sample weights."""
    if model.output_names is None:
        return [1, 1, 1]
    return [len(model.input_names), len(model.output_names), 1]


def _validation(data: Any, parts: list[int]) -> Any:
    """`(x, y)` whose parts may be lists."""
    if isinstance(data, tuple | list) and len(data) in (2, 3):
        pairs = zip(data, parts, strict=False)
        return tuple(as_data(part, n, targets=i == 1) for i, (part, n) in enumerate(pairs))
    return data


def _is_numbers(value: Any) -> bool:
    """Whether lists hold nothing but numbers; by the first of each list, as they may be long."""
    while isinstance(value, list | tuple) and len(value) > 0:
        value = value[0]
    return isinstance(value, numbers.Number)


def _with_lists(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose data may be lists of numbers."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        parts = _parts(self)
        pairs = zip(args, parts[:2], strict=False)
        given = [as_data(arg, n, targets=i == 1) for i, (arg, n) in enumerate(pairs)]
        args = (*given, *args[2:])
        for name, count in zip(_DATA, parts, strict=True):
            if name in kwargs:
                kwargs[name] = as_data(kwargs[name], count, targets=name == "y")
        if "validation_data" in kwargs:
            kwargs["validation_data"] = _validation(kwargs["validation_data"], parts)
        return method(self, *args, **kwargs)

    return call


def _with_single_metrics(method: Callable[..., Any]) -> Callable[..., Any]:
    """`compile` whose metrics may be one name, or one list for every output."""

    @functools.wraps(method)
    def call(self: Any, optimizer: Any = "rmsprop", loss: Any = None, *args: Any, **kwargs: Any):
        if args:  # Keras 2: compile(optimizer, loss, metrics); today loss_weights come third
            is_metrics = isinstance(args[0], str) or (
                isinstance(args[0], list)
                and any(not isinstance(item, numbers.Number) for item in args[0])
            )
            if is_metrics:
                kwargs["metrics"], args = args[0], args[1:]
        for name in ("metrics", "weighted_metrics"):
            metrics = kwargs.get(name)
            if isinstance(metrics, str) or callable(metrics):
                tell(f"compile({name}={metrics!r})", f"compile({name}=[{metrics!r}])")
                metrics = [metrics]
            kwargs[name] = _for_every_output(self, metrics) or None
        if isinstance(loss, dict):
            loss = dict.fromkeys(getattr(self, "output_names", None) or ()) | loss
        return method(self, optimizer, loss, *args, **kwargs)

    return call


def _for_every_output(model: Any, metrics: Any) -> Any:
    """A list of metrics without one entry per output, for each output of a functional model."""
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) < 2 or not isinstance(metrics, list) or len(metrics) in (0, len(outputs)):
        return metrics
    if not all(isinstance(item, str) or callable(item) for item in metrics):
        return metrics
    tell("compile(metrics=[...]) for several outputs", "one list per output")
    return [list(metrics) for _ in outputs]


def _with_show_accuracy(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method with `show_accuracy=True`: what Keras had before `compile` took metrics."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = [kwargs.pop(name, False) for name in ("show_accuracy", "accuracy")]
        if any(wanted):
            tell("show_accuracy=True", "compile(metrics=['accuracy'])")
            settings = self.get_compile_config()
            if settings is not None and not settings.get("metrics"):
                self.compile(optimizer=self.optimizer, loss=self.loss, metrics=["accuracy"])
        return method(self, *args, **kwargs)

    return call


def _data_method(method: Callable[..., Any]) -> Callable[..., Any]:
    return _with_show_accuracy(_with_lists(method))


_PREPARED: dict[str, Callable[..., Any]] = {
    "compile": _with_single_metrics,
    "fit": lambda fit: _data_method(with_validation_data(fit)),
    "evaluate": _data_method,
    "predict": _with_lists,
    "train_on_batch": _data_method,
    "test_on_batch": _data_method,
    "save": saves_anywhere,
    "save_weights": saves_weights_anywhere,
    "load_weights": loads_weights_anywhere,
}


# ---- Making a model ----


def _with_old_arguments(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        refuse_outside(args[0] if args else kwargs.get("layers"))  # of a Sequential
        init(self, *args, **modern_arguments("Model", CALLS["models.Model"], kwargs))

    return call


def _add(add: Callable[..., None]) -> Callable[..., None]:
    """`Sequential.add`, which says what is out of scope."""

    @functools.wraps(add)
    def call(self: Sequential, layer: Any, *args: Any, **kwargs: Any) -> None:
        refuse_outside(layer)
        add(self, layer, *args, **kwargs)

    return call


def _new_model(new: Callable[..., Any]) -> Callable[..., Any]:
    """`Model.__new__`, which tells a functional model by its arguments."""

    @functools.wraps(new)
    def call(cls: type, *args: Any, **kwargs: Any) -> Any:
        return new(cls, *args, **modern_arguments("Model", CALLS["models.Model"], kwargs))

    return call


# ---- Methods that are gone ----


def fit_generator(
    self: Any,
    generator: Any,
    steps_per_epoch: int | None = None,
    epochs: int = 1,
    verbose: Any = 1,
    callbacks: Any = None,
    validation_data: Any = None,
    validation_steps: int | None = None,
    validation_freq: Any = 1,
    class_weight: Any = None,
    shuffle: bool = True,
    initial_epoch: int = 0,
    **old: Any,
) -> Any:
    """`fit` on a generator of batches. Keras 1 counted samples: `samples_per_epoch`."""
    tell("fit_generator()", "fit()")
    samples = old.pop("samples_per_epoch", None)
    validation_samples = old.pop("nb_val_samples", None)
    old = modern_arguments("fit_generator", CALLS["Model.fit_generator"], old)
    if samples is not None:
        generator, steps_per_epoch = counted(generator, samples)
    if validation_samples is not None:
        validation_data, validation_steps = counted(validation_data, validation_samples)
    return self.fit(
        generator,
        steps_per_epoch=steps_per_epoch,
        epochs=old.pop("epochs", epochs),
        verbose=verbose,
        callbacks=callbacks,
        validation_data=validation_data,
        validation_steps=validation_steps,
        validation_freq=validation_freq,
        class_weight=class_weight,
        shuffle=shuffle,
        initial_epoch=initial_epoch,
        **old,
    )


def evaluate_generator(
    self: Any, generator: Any, steps: int | None = None, callbacks: Any = None, **old: Any
) -> Any:
    """`evaluate` on a generator of batches."""
    tell("evaluate_generator()", "evaluate()")
    generator, steps, old = _old_steps("evaluate_generator", generator, steps, old)
    return self.evaluate(generator, steps=steps, callbacks=callbacks, **old)


def predict_generator(
    self: Any, generator: Any, steps: int | None = None, callbacks: Any = None, **old: Any
) -> Any:
    """`predict` on a generator of batches."""
    tell("predict_generator()", "predict()")
    generator, steps, old = _old_steps("predict_generator", generator, steps, old)
    return self.predict(generator, steps=steps, callbacks=callbacks, **old)


def _old_steps(
    name: str, generator: Any, steps: int | None, old: dict[str, Any]
) -> tuple[Any, int | None, dict[str, Any]]:
    """The steps of a pass whose samples Keras 1 counted."""
    samples = old.pop("val_samples", None)
    old = modern_arguments(name, CALLS[f"Model.{name}"], old)
    if samples is not None:
        generator, steps = counted(generator, samples)
    return generator, steps, old


def counted(generator: Any, samples: int) -> tuple[Any, int]:
    """A generator and the number of its batches that hold `samples`, by the size of the first.

    The first batch is drawn for it and given out again.
    """
    size = getattr(generator, "batch_size", None)
    if size is None:
        iterator = iter(generator)
        first = next(iterator)
        size = _rows(first)
        generator = _after(first, iterator)
    return generator, max(1, -(-samples // size))


def _rows(batch: Any) -> int:
    while isinstance(batch, list | tuple | dict):
        batch = next(iter(batch.values())) if isinstance(batch, dict) else batch[0]
    return len(batch)


def _after(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def predict_classes(self: Any, x: Any, batch_size: int | None = None, verbose: Any = 0) -> Any:
    """The number of the most probable class of each row; with one output, whether it is above 0.5.

    Returns:
        `(samples,)` integers; `(samples, 1)` with one output.
    """
    tell("predict_classes()", "predict(x).argmax(axis=-1)")
    probabilities = self.predict(x, batch_size=batch_size, verbose=verbose)
    if probabilities.shape[-1] > 1:
        return probabilities.argmax(axis=-1)
    return (probabilities > 0.5).astype("int32")


def predict_proba(self: Any, x: Any, batch_size: int | None = None, verbose: Any = 0) -> Any:
    """The same as `predict`."""
    tell("predict_proba()", "predict()")
    return self.predict(x, batch_size=batch_size, verbose=verbose)


def to_yaml(self: Any, **kwargs: Any) -> str:
    """The config as YAML, of which JSON is a part."""
    tell("to_yaml()", "to_json()")
    return self.to_json(indent=2)


def reset_states(self: Any) -> None:
    """Nothing: the layers of a dense network have no state between batches."""
