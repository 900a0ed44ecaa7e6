"""Checks that Gazelle reads the `.keras` files of older versions of Keras.

python tools/keras_versions.py [VERSION...]

Each version of Keras is installed into a temporary folder. It saves a few models, trained where its
backend still works with the installed JAX, and Gazelle loads them: predictions, optimizer state and
compile settings are compared.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

VERSIONS = ("3.0.5", "3.3.3", "3.5.0", "3.10.0", "3.15.0")
TOLERANCE = 2e-6
PACKAGES = ("namex", "optree", "dm-tree")  # what versions of Keras import beside NumPy and h5py


def models(keras):
    """The models to save, by name."""
    layers, x = keras.layers, keras.Input((4,), name="x")
    a, b = layers.Dense(3, name="left")(x), layers.Dense(3, activation="gelu")(x)
    parts = [layers.Add()([a, b]), layers.PReLU()(a), layers.LayerNormalization()(x)]
    start = keras.Input((4,))
    inner = keras.Model(start, layers.Dense(4, activation="elu")(start))
    again = keras.Input((4,))
    chain = [layers.Dense(5, activation="relu", kernel_regularizer="l2")]
    chain += [layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(2)]
    return {
        "chain": keras.Sequential([keras.Input((4,)), *chain]),
        "graph": keras.Model(x, layers.Dense(2)(layers.Concatenate()(parts))),
        "nested": keras.Model(again, layers.Dense(2)(inner(inner(again) + again * 2.0))),
        "ends in a model": keras.Model(again, inner(again)),
    }


def data():
    """The inputs and targets of all models."""
    import numpy as np

    x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    return x, x[:, :2]


def write(folder):
    """Save the models and their predictions, with the Keras of this process."""
    import keras
    import numpy as np

    x, y = data()
    for name, model in models(keras).items():
        model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
        targets = y if model.output_shape[-1] == 2 else x
        how = "trained"
        try:
            model.fit(x, targets, epochs=2, batch_size=8, verbose=0)
        except (AttributeError, NotImplementedError):  # too old for this JAX, or NumPy's backend
            how = "not trained"
        model.save(f"{folder}/{name}.keras")
        updates = np.asarray(model.optimizer.iterations.value)
        y_pred = model.predict(x, verbose=0)
        np.savez(f"{folder}/{name}.npz", y=y_pred, how=how, updates=updates)


def read(folder, version):
    """Load the models with Gazelle and compare; returns whether all are equal."""
    import numpy as np

    import gazelle

    x, _ = data()
    good = True
    for path in sorted(Path(folder).glob("*.keras")):
        saved = np.load(path.with_suffix(".npz"))
        model = gazelle.models.load_model(path)
        difference = abs(model.predict(x) - saved["y"]).max()
        updates = int(model.optimizer.iterations)
        equal = difference <= TOLERANCE and updates == saved["updates"]
        good = good and bool(equal) and model.compiled
        verdict = "equal" if equal else "DIFFERENT"
        print(f"{version:8} {path.stem:16} {saved['how']!s:12} {difference:.1e}  {verdict}")
    return good


def main():
    """Try each version."""
    good = True
    for version in sys.argv[1:] or VERSIONS:
        with tempfile.TemporaryDirectory() as packages, tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            command = [*pip, "--target", packages, f"keras=={version}", *PACKAGES]
            subprocess.run(command, check=True)
            for backend in ("jax", "numpy"):
                here = {**os.environ, "PYTHONPATH": packages, "KERAS_BACKEND": backend}
                command = [sys.executable, __file__, "--write", folder]
                done = subprocess.run(command, env=here, check=False, stderr=subprocess.PIPE)
                if done.returncode == 0:
                    break
            else:
                print(f"{version:8} cannot run here: {done.stderr.decode().splitlines()[-1]}")
                good = False
                continue
            good = read(folder, version) and good
    return 0 if good else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2])
    else:
        sys.exit(main())
