"""TensorFlow 1 as Keras scripts used it: sessions, graphs, switches. Values are there at once."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from gazelle._core.errors import StateError
from gazelle._core.symbolic import map_structure
from gazelle._core.variable import Variable
from gazelle.compat._tensorflow._host import HostTensor
from gazelle.compat._tensorflow._table import ANSWERS, answers, enter, out_of_scope

# ---- Sessions and graphs ----


class Graph:
    """A graph, which holds nothing: values are computed at once."""

    seed = None

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Graph]:
        """A block that changes nothing."""
        yield self

    def finalize(self) -> None:
        """Has no effect."""

    def as_graph_def(self, *_: Any, **__: Any) -> Any:
        """Refused.

        Raises:
            StateError: Always: there are no graphs of TensorFlow's.
        """
        raise StateError("There are no graphs of TensorFlow's here.", fix="use model.save(...)")

    def get_operations(self) -> list[Any]:
        """Nothing."""
        return []


class Session:
    """A session: `run` gives the values of tensors, which are there already.

    Args:
        target: Has no effect.
        graph: Has no effect.
        config: Has no effect.
    """

    def __init__(self, target: Any = "", graph: Any = None, config: Any = None):
        self.graph = _default if graph is None else graph
        self.config = config

    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """The values of tensors and variables as NumPy arrays.

        Raises:
            StateError: Values are given for placeholders.
        """
        if feed_dict:
            raise StateError(
                "A session has no placeholders to feed: values are computed at once.",
                fix="call the function or the model on the data",
            )
        return map_structure(_value, fetches)

    def close(self) -> None:
        """Has no effect."""

    def list_devices(self) -> list[Any]:
        """The devices."""
        return ANSWERS["config.list_logical_devices"]()

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Session]:
        """A block that changes nothing."""
        yield self

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _value(fetched: Any) -> Any:
    if isinstance(fetched, Variable | HostTensor):
        return fetched.numpy()
    if isinstance(fetched, jax.Array):
        array = np.asarray(fetched)
        return array if array.ndim else array[()]
    return fetched


_default = Graph()
for _name in ("Session", "InteractiveSession", "train.MonitoredSession"):
    enter(_name, Session)
enter("Graph", Graph)


class _Options:
    """Settings: attributes that may be set and have no effect."""

    def __init__(self, **options: Any):
        vars(self).update(options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        options = _Options()
        setattr(self, name, options)
        return options


for _name in ("ConfigProto", "GPUOptions", "GraphOptions", "OptimizerOptions", "RunOptions"):
    enter(_name, _Options)
enter("RunMetadata", _Options)
enter("OptimizerOptions.ON_1", 1)


@answers("get_default_graph")
def _get_default_graph() -> Graph:
    return _default


@answers("get_default_session")
def _get_default_session() -> Session:
    return Session()


def _nothing(*_: Any, **__: Any) -> None:
    """A switch that has no effect."""


for _name in (
    *("reset_default_graph", "disable_eager_execution", "enable_eager_execution"),
    *("disable_v2_behavior", "enable_v2_behavior", "disable_v2_tensorshape"),
    *("enable_v2_tensorshape", "disable_resource_variables", "enable_resource_variables"),
    *("global_variables_initializer", "local_variables_initializer", "tables_initializer"),
    *("initialize_all_variables", "variables_initializer", "initialize_all_tables"),
    *("disable_tensor_equality", "enable_tensor_equality", "disable_control_flow_v2"),
    *("enable_control_flow_v2", "experimental.output_all_intermediates", "add_to_collection"),
    *("keras.backend.set_session", "experimental.numpy.experimental_enable_numpy_behavior"),
    *("summary.merge_all", "summary.initialize"),
):
    enter(_name, _nothing)


enter("contrib.eager.enable_eager_execution", _nothing)


@answers("executing_eagerly_outside_functions")
def _executing_eagerly() -> bool:
    return True


@answers("get_collection", "global_variables", "trainable_variables", "all_variables")
def _get_collection(*_: Any, **__: Any) -> list[Any]:
    return []


@answers("placeholder", "placeholder_with_default")
def _placeholder(*_: Any, **__: Any) -> Any:
    raise StateError(
        "tf.placeholder is of TensorFlow 1's graphs, which Gazelle does not have.",
        fix="use keras.Input for a model, or compute from values",
    )


# ---- app, flags, logging ----


@answers("app.run")
def _run_app(main: Any = None, argv: Any = None) -> None:
    """Read the flags of the command line, call `main`, and end."""
    rest = FLAGS.read(sys.argv if argv is None else argv)
    main = main or getattr(sys.modules["__main__"], "main", None)
    if main is None:
        raise StateError("tf.app.run needs a function `main`.")
    sys.exit(main(rest))


class _Flags:
    """The flags of the command line, read when the first one is asked for."""

    def __init__(self) -> None:
        vars(self)["parser"] = argparse.ArgumentParser(allow_abbrev=False)
        vars(self)["found"] = None

    def read(self, argv: list[str]) -> list[str]:
        """Read the flags; returns what is left."""
        found, rest = self.parser.parse_known_args(argv[1:])
        vars(self)["found"] = found
        return [argv[0], *rest]

    def __call__(self, argv: list[str] | None = None) -> list[str]:
        return self.read(sys.argv if argv is None else argv)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.found is None or not hasattr(self.found, name):
            self.read(sys.argv)
        return getattr(self.found, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if self.found is None:
            self.read(sys.argv)
        setattr(self.found, name, value)


FLAGS = _Flags()
for _name in ("flags.FLAGS", "app.flags.FLAGS"):
    enter(_name, FLAGS)


def _as_bool(text: str) -> bool:
    return text.lower() in ("1", "true", "t", "yes", "y")


def _enter_flag(kind: str, read: Any) -> None:
    def define(name: str, default: Any, help: str = "", **_: Any) -> None:
        FLAGS.parser.add_argument(
            f"--{name}", default=default, type=read, nargs="?", const=True, help=help
        )
        vars(FLAGS)["found"] = None

    for place in ("flags", "app.flags"):
        enter(f"{place}.DEFINE_{kind}", define)


for _kind, _read in (("integer", int), ("float", float), ("string", str)):
    _enter_flag(_kind, _read)
for _kind in ("boolean", "bool"):
    _enter_flag(_kind, _as_bool)

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "FATAL": 50}
_logger = logging.getLogger("tensorflow")


@answers("get_logger")
def _get_logger() -> logging.Logger:
    return _logger


@answers("logging.set_verbosity")
def _set_verbosity(v: Any) -> None:
    _logger.setLevel(_LEVELS[v] if isinstance(v, str) else int(v))


@answers("logging.get_verbosity")
def _get_verbosity() -> int:
    return _logger.level


for _name, _level in _LEVELS.items():
    enter(f"logging.{_name}", _level)
for _name in ("debug", "info", "warning", "error", "fatal", "log"):
    enter(f"logging.{_name}", getattr(_logger, _name))
enter("logging.warn", _logger.warning)
enter("autograph.experimental.Feature", SimpleNamespace(ALL="ALL"))

# ---- Out of scope ----

for _name in (
    *("SparseTensor", "IndexedSlices", "import_graph_def", "io.parse_example"),
    *("io.parse_single_example", "io.TFRecordWriter", "data.TFRecordDataset"),
    *("train.Example", "train.Feature", "train.Features", "train.BytesList"),
    *("train.FloatList", "train.Int64List"),
):
    enter(_name, out_of_scope(f"tf.{_name}"))
for _name in ("GradientDescent", "Adam", "Momentum", "RMSProp", "Adagrad", "Adadelta", "Ftrl"):
    enter(f"train.{_name}Optimizer", out_of_scope(f"tf.train.{_name}Optimizer, of graphs,"))
