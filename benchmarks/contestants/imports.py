"""Times the imports of a script: JAX alone, or Gazelle or Keras with the names that it uses."""

import importlib

from common import Job


def main() -> None:
    job = Job()
    package = importlib.import_module(job["package"])
    if job["package"] != "jax":
        for name in ("Sequential", "Input"):
            getattr(package, name)
        for room, name in (
            ("layers", "Dense"),
            ("optimizers", "Adam"),
            ("callbacks", "EarlyStopping"),
        ):
            getattr(getattr(package, room), name)
    job.stamp("imported")
    job.write(*job["versions"])


if __name__ == "__main__":
    main()
