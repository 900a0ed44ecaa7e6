"""The task "images": from a folder of JPEG files to the end of the first epoch, through the package's own loader."""

import resource
import time
from pathlib import Path
from types import ModuleType

from common import Job
from keras_network import build, compiled


def images(job: Job, keras: ModuleType) -> None:
    """Gazelle decodes all files before `fit`, Keras while it trains: `decoding` is where each one does it."""
    case = job["cases"][0]
    begin, busy = time.perf_counter(), _busy()
    folder = Path(case["data"]) / "photos"
    dataset = keras.utils.image_dataset_from_directory(
        str(folder), image_size=(32, 32), batch_size=case["batch"]
    )
    if job["package"] != "gazelle":
        begin, busy = time.perf_counter(), _busy()
    else:
        _note_decoding(job, begin, busy)
    model = compiled(
        keras, job, case, build(keras, case, "uint8" if job["package"] == "gazelle" else None)
    )
    started = time.perf_counter()
    history = model.fit(dataset, epochs=1, verbose=0).history
    job.stamp("end of the first epoch")
    job.figure("fit", time.perf_counter() - started)
    if job["package"] != "gazelle":
        _note_decoding(job, begin, busy)
    job.reached["images"] = [history["loss"][-1], history["accuracy"][-1]]


def _note_decoding(job: Job, begin: float, busy: float) -> None:
    seconds = time.perf_counter() - begin
    job.figure("decoding", seconds)
    job.figure("decoding: cores busy", (_busy() - busy) / seconds)


def _busy() -> float:
    """Processor seconds of this process and of those that it started and that have ended (Gazelle's workers)."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)
