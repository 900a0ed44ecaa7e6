"""TensorBoard: writes the course of a training as event files of TensorBoard."""

from __future__ import annotations

import itertools
import json
import os
import time
import warnings
from importlib import import_module
from typing import Any

import numpy as np

from gazelle._core.checks import positive_int
from gazelle._core.errors import ArgumentError, CheckWarning
from gazelle._core.packages import need
from gazelle._core.registry import serialize
from gazelle.callbacks._base import Callback, Logs
from gazelle.callbacks._learning_rate_scheduler import current_learning_rate, named_optimizers

_FILES = itertools.count(1)  # so that files of the same second have different names


class TensorBoard(Callback):
    """Writes event files for TensorBoard: `tensorboard --logdir logs` shows them.

    `log_dir/train` gets the scalars `epoch_<name>` of every epoch and `epoch_learning_rate`,
    `log_dir/validation` those of the validation and `evaluation_<name>_vs_iterations`. Event files
    are written by the package tensorboardX: `pip install 'gazelle[tensorboard]'`.

    Args:
        log_dir: The folder.
        histogram_freq: Write histograms of the weights every so many epochs; 0 for never.
        write_graph: Write the model's graph and, as text, its summary.
        write_images: With `histogram_freq`, write the weights as gray images too, black for the
            lowest value and white for the highest.
        write_steps_per_second: Write the steps per second, of epochs and of the batches that
            `update_freq` names.
        update_freq: `"epoch"`, or after how many batches the scalars `batch_<name>` are written;
            `"batch"` is 1. Anything but `"epoch"` makes training run step by step, which is slower.
        profile_batch: 0; profile with `jax.profiler.trace(log_dir)`.
        embeddings_freq: 0; embeddings are not written.
        embeddings_metadata: None.

    Raises:
        PackageError: tensorboardX is not installed, or pillow, which images need.
        ArgumentError: An argument has a wrong value, or one that is not supported.
    """

    _keeps_learning_rate = True
    _runs_no_user_code = True

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ):
        need("TensorBoard", "tensorboardX", *(["PIL"] if write_images else []))
        _refuse_unsupported(profile_batch, embeddings_freq, embeddings_metadata)
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = int(histogram_freq)
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq = 0
        self.embeddings_metadata = None
        self._writers: dict[str, Any] = {}
        self._is_fitting = False
        self._batches = 0  # of training, in this fit
        self._batch_began = self._epoch_began = 0.0
        self._steps_before = 0
        if self.update_freq != "epoch":
            positive_int("update_freq", self.update_freq, "TensorBoard")
            # Hooks of batches make training slower, so they are there only where they are needed.
            self.on_train_batch_begin = self._begin_batch
            self.on_train_batch_end = self._end_batch

    def get_state(self) -> dict[str, Any]:
        """The number of batches of training so far."""
        return {"batches": self._batches}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on counting batches."""
        self._batches = state["batches"]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Write the graph."""
        self._is_fitting, self._batches = True, 0
        if self.write_graph:
            self._write_graph()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start the clock."""
        if self.write_steps_per_second:
            self._epoch_began = time.perf_counter()
            self._steps_before = int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's logs, and the weights if it is their turn."""
        train = {n: value for n, value in (logs or {}).items() if not n.startswith("val_")}
        for optimizer, suffix in named_optimizers(self.model):
            if hasattr(optimizer, "learning_rate"):
                train[f"learning_rate{suffix}"] = current_learning_rate(optimizer)
        if self.write_steps_per_second:
            steps = int(self.model.optimizer.iterations) - self._steps_before
            train["steps_per_second"] = steps / (time.perf_counter() - self._epoch_began)
        validation = {n[4:]: value for n, value in (logs or {}).items() if n.startswith("val_")}
        self._write_scalars("train", "epoch_{}", train, epoch)
        self._write_scalars("validation", "epoch_{}", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        self._is_fitting = False
        self._close()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Write the results of an evaluation by the number of training steps before it."""
        optimizer = self.model.optimizer
        if optimizer is not None:
            step = int(optimizer.iterations)
            self._write_scalars("validation", "evaluation_{}_vs_iterations", logs or {}, step)
        if not self._is_fitting:
            self._close()

    def _begin_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batch_began = time.perf_counter()

    def _end_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches % int(self.update_freq) != 0:
            return
        scalars = dict(logs or {})
        if self.write_steps_per_second:
            scalars["steps_per_second"] = 1 / (time.perf_counter() - self._batch_began)
        self._write_scalars("train", "batch_{}", scalars, self._batches)

    def _writer(self, stage: str) -> Any:
        """The writer of `train` or `validation`, made when the first thing is written."""
        if stage not in self._writers:
            folder = os.path.join(self.log_dir, stage)
            suffix = f".{os.getpid()}.{next(_FILES)}"
            self._writers[stage] = import_module("tensorboardX").SummaryWriter(
                folder, filename_suffix=suffix
            )
        return self._writers[stage]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _write_scalars(self, stage: str, form: str, scalars: Logs, step: int) -> None:
        for name, value in scalars.items():
            if np.size(value) == 1 and np.asarray(value).dtype.kind in "biuf":
                self._writer(stage).add_scalar(form.format(name), np.asarray(value).item(), step)

    def _write_graph(self) -> None:
        writer = self._writer("train")
        lines: list[str] = []
        self.model.summary(print_fn=lines.append)
        indented = "\n".join(lines).replace("\n", "\n    ")
        writer.add_text("summary", f"    {indented}", 0)  # indented text is shown as it is
        if getattr(self.model, "inputs", None) is None:  # a subclassed model has no graph
            return
        try:
            config = serialize(self.model.get_config())
            text = json.dumps({"class_name": type(self.model).__name__, "config": config})
        except (TypeError, ValueError) as error:
            problem = str(error).splitlines()[0]
            told = f"TensorBoard: the model has no config, so its graph is left out. {problem}"
            warnings.warn(told, CheckWarning, stacklevel=2)
            return
        writer.file_writer.add_summary(_graph(text), 0)

    def _write_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for weight in self.model.weights:
            values = np.asarray(weight.numpy(), "float32")
            finite = values[np.isfinite(values)]
            if finite.size == 0:
                continue
            writer.add_histogram(f"{weight.path}/histogram", finite, epoch)
            if self.write_images and (image := _image(values)) is not None:
                writer.add_image(f"{weight.path}/image", image, epoch, dataformats="HW")


def _refuse_unsupported(profile_batch: Any, embeddings_freq: int, metadata: Any) -> None:
    if profile_batch:
        raise ArgumentError(
            "TensorBoard cannot profile single batches: an epoch is one compiled program.",
            expected="profile_batch=0",
            received=repr(profile_batch),
            fix="call fit inside `with jax.profiler.trace(log_dir):`",
        )
    if embeddings_freq or metadata is not None:
        raise ArgumentError(
            "TensorBoard does not write embeddings.",
            expected="embeddings_freq=0, embeddings_metadata=None",
            received=f"embeddings_freq={embeddings_freq!r}, embeddings_metadata={metadata!r}",
            fix="write them with tensorboardX.SummaryWriter(...).add_embedding",
        )


def _graph(text: str) -> Any:
    """A summary that TensorBoard's page of graphs shows: a model's JSON."""
    summary = import_module("tensorboardX.proto.summary_pb2")
    tensor = import_module("tensorboardX.proto.tensor_pb2").TensorProto(
        dtype="DT_STRING", string_val=[text.encode()]
    )
    plugin = summary.SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
    metadata = summary.SummaryMetadata(plugin_data=plugin)
    value = summary.Summary.Value(tag="keras", metadata=metadata, tensor=tensor)
    return summary.Summary(value=[value])


def _image(values: np.ndarray) -> np.ndarray | None:
    """A matrix of values from 0 to 255, not higher than wide; None if there are more axes."""
    matrix = np.atleast_2d(np.squeeze(values))
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        return None
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    lowest, highest = matrix.min(), matrix.max()
    scaled = (matrix - lowest) / max(highest - lowest, np.finfo("float32").tiny)
    return (255 * scaled).round().astype("uint8")
