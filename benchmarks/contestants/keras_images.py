"""The task "images": from a folder of JPEG files to the end of the first epoch."""

import resource
import time
from pathlib import Path
from types import ModuleType

from common import Job
from keras_network import build, compiled


def images(job: Job, keras: ModuleType) -> None:
    """Load with the package's own loader and train for one epoch.

    Gazelle decodes all files before `fit`, Keras while it trains; "decoding" is the time of that
    stage.
    """
    case = job["cases"][0]
    begin, busy = time.perf_counter(), _busy()
    folder = Path(case["data"]) / "photos"
    dataset = keras.utils.image_dataset_from_directory(
        str(folder), image_size=(32, 32), batch_size=case["batch"]
    )
    is_gazelle = job["package"] == "gazelle"
    if is_gazelle:
        _note_decoding(job, begin, busy)
    else:
        begin, busy = time.perf_counter(), _busy()
    model = compiled(keras, job, case, build(keras, case, "uint8" if is_gazelle else None))
    started = time.perf_counter()
    history = model.fit(dataset, epochs=1, verbose=0).history
    job.stamp("end of the first epoch")
    job.figure("fit", time.perf_counter() - started)
    if not is_gazelle:
        _note_decoding(job, begin, busy)
    job.reached["images"] = [history["loss"][-1], history["accuracy"][-1]]


def _note_decoding(job: Job, begin: float, busy: float) -> None:
    seconds = time.perf_counter() - begin
    job.figure("decoding", seconds)
    job.figure("decoding: cores busy", (_busy() - busy) / seconds)


def _busy() -> float:
    """Processor seconds of this process and of its children that have ended (the workers)."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)
