"""install() and uninstall(): what is served, and that nothing of it stays."""

import importlib
import subprocess
import sys
import types
import warnings

import pytest

import gazelle
from gazelle import compat

ROOMS = [
    gazelle.callbacks, gazelle.constraints, gazelle.initializers, gazelle.layers, gazelle.losses,
    gazelle.metrics, gazelle.models, gazelle.optimizers, gazelle.regularizers, gazelle.utils,
]  # fmt: skip


def classes() -> set[type]:
    found = {gazelle.models._trainable.Trainable}
    for room in ROOMS:
        found |= {value for value in vars(room).values() if isinstance(value, type)}
    return {base for cls in found for base in cls.__mro__ if base.__module__.startswith("gazelle")}


def snapshot() -> dict[object, object]:
    owners = [*classes(), *(m for n, m in sys.modules.items() if n.split(".")[0] == "gazelle")]
    return {
        (id(owner), name): value
        for owner in owners
        for name, value in vars(owner).items()
        if not name.startswith("__") or name in ("__init__", "__new__")
    }


@pytest.mark.filterwarnings("ignore::gazelle.compat.OldFormWarning")
def test_uninstall_leaves_no_trace():
    importlib.import_module("gazelle.compat._keras.backend")
    compat.install()
    import keras

    keras.layers.Dense(output_dim=2)
    compat.uninstall()
    before, finders, modules = snapshot(), list(sys.meta_path), dict(sys.modules)
    compat.install()
    changed = {key for key, value in snapshot().items() if before.get(key) is not value}
    assert len(changed) > 50, "install changes nothing, so this test shows nothing"
    compat.uninstall()
    after = snapshot()
    assert [key for key in before if after.get(key) is not before[key]] == []
    assert [key for key in after if key not in before] == []
    assert sys.meta_path == finders
    assert {n: m for n, m in sys.modules.items() if n.split(".")[0] == "keras"} == {
        n: m for n, m in modules.items() if n.split(".")[0] == "keras"
    }


def test_a_loaded_keras_comes_back():
    stand_in = types.ModuleType("tf_keras")
    sys.modules["tf_keras"] = stand_in
    try:
        compat.install()
        import tf_keras

        assert tf_keras is not stand_in
        assert tf_keras.layers.Dense is gazelle.layers.Dense
        compat.uninstall()
        assert sys.modules["tf_keras"] is stand_in
    finally:
        compat.uninstall()
        del sys.modules["tf_keras"]


def test_a_second_install_and_uninstall_do_nothing():
    compat.install()
    served = list(sys.meta_path)
    compat.install()
    assert sys.meta_path == served
    assert compat.installed()
    compat.uninstall()
    compat.uninstall()
    assert not compat.installed()


def test_a_modern_program_loads_nothing_of_it():
    code = (
        "import gazelle, sys\n"
        "gazelle.Sequential([gazelle.layers.Dense(1)]).compile('sgd', 'mse')\n"
        "print([name for name in sys.modules if name.startswith('gazelle.compat')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    [
        "keras", "keras.layers", "keras.layers.core", "keras.layers.advanced_activations",
        "keras.layers.normalization", "keras.layers.noise", "keras.layers.embeddings",
        "keras.engine", "keras.engine.topology", "keras.objectives", "keras.utils.np_utils",
        "keras.utils.vis_utils", "keras.utils.generic_utils", "keras.wrappers.scikit_learn",
        "keras.preprocessing.text", "keras.preprocessing.sequence", "keras.preprocessing.image",
        "keras.backend", "keras.backend.tensorflow_backend", "keras.datasets.mnist",
        "keras.optimizers", "keras.optimizers.schedules", "keras.callbacks", "keras.regularizers",
        "keras.src.layers.core.dense", "keras.api.layers", "keras_core.ops", "tf_keras.models",
        "keras_preprocessing.sequence", "scikeras.wrappers", "keras.legacy.layers",
    ],
)  # fmt: skip
def test_modules_of_every_keras_are_served(installed, module):
    assert importlib.import_module(module) is sys.modules[module]


@pytest.mark.parametrize("module", ["keras.layer", "keras.layers.dens", "keras.nothing.at.all"])
def test_a_module_that_no_keras_had_is_not_found(installed, module):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(module)


def test_classes_are_gazelles_own(installed):
    from keras import Model, Sequential
    from keras.callbacks import EarlyStopping
    from keras.layers import Dense
    from keras.losses import MeanSquaredError

    assert Model is gazelle.Model
    assert Sequential is gazelle.Sequential
    assert Dense is gazelle.layers.Dense
    assert EarlyStopping is gazelle.callbacks.EarlyStopping
    assert MeanSquaredError is gazelle.losses.MeanSquaredError


def test_star_imports(installed):
    names: dict[str, object] = {}
    exec("from keras.layers import *\nfrom keras.models import *", names)
    assert names["Dense"] is gazelle.layers.Dense
    assert names["Sequential"] is gazelle.Sequential


def test_an_unknown_name_is_refused_with_the_nearest(installed):
    import keras

    with pytest.raises(AttributeError, match="Did you mean 'Dense'"):
        _ = keras.layers.Dens
    with pytest.raises(ImportError, match="Did you mean 'Dropout'"):
        from keras.layers import Droput  # noqa: F401


def test_what_is_out_of_scope_can_be_imported_and_not_used(installed):
    from keras.applications import VGG16
    from keras.backend import conv2d
    from keras.layers import LSTM, Conv2D, Input
    from keras.models import Sequential

    assert not isinstance(gazelle.layers.Dense(1), Conv2D)
    uses = [
        lambda: Conv2D(3, 3)(Input((4, 4, 1))),
        lambda: Sequential([LSTM(4)]),
        lambda: Sequential().add(Conv2D(3, 3)),
        lambda: Conv2D(3, 3).output_shape,
        lambda: VGG16(weights=None).summary(),
        lambda: VGG16.layers,
        lambda: conv2d(1, 2),
    ]
    for use in uses:
        with pytest.raises(compat.OutOfScopeError, match="dense networks"):
            use()


def test_each_old_form_is_told_once_and_names_the_modern_one(installed):
    import keras

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        keras.layers.Dropout(p=0.5)
        keras.layers.Dropout(p=0.5)
    told = [str(w.message) for w in caught if w.category is compat.OldFormWarning]
    assert told == ["Dropout(p=) is an old form; today: Dropout(rate=)"]
    assert caught[0].filename == __file__
