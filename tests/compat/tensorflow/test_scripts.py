"""Scripts as they are published run unchanged."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import gazelle.compat

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run_script(name):
        monkeypatch.chdir(tmp_path)
        return runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")

    gazelle.compat.install()
    yield run_script
    gazelle.compat.uninstall()


pytestmark = pytest.mark.filterwarnings("ignore")  # of old forms


def test_a_variational_autoencoder(run):
    history = run("vae")["h"].history
    assert set(history) == {"loss", "reconstruction_loss", "kl_loss"}
    assert history["loss"][-1] < history["loss"][0]
    parts = np.add(history["reconstruction_loss"], history["kl_loss"])
    np.testing.assert_allclose(history["loss"], parts, rtol=1e-4)


def test_a_gan_whose_model_has_no_call(run):
    found = run("gan")
    assert np.isfinite(found["h"].history["g_loss"]).all()
    assert found["moved"] > 0
    steps = 3 * 4
    assert int(found["gan"].d_optimizer.iterations) == steps
    assert int(found["gan"].g_optimizer.iterations) == steps


def test_a_gan_with_a_gradient_penalty(run):
    found = run("wgan")
    assert np.isfinite(found["h"].history["d_loss"]).all()
    assert int(found["w"].d_optimizer.iterations) == 3 * int(found["w"].g_optimizer.iterations)


def test_a_training_loop(run, capsys):
    found = run("loop")
    assert float(found["loss_value"]) < 2.5
    assert int(found["optimizer"].iterations) == 4 * 8
    assert "Validation acc" in capsys.readouterr().out


def test_a_differential_equation(run):
    found = run("pinn")
    assert float(found["loss"]) < found["first"] / 3
    assert float(found["m"].lam) != 0.5


def test_variables_alone(run):
    found = run("lin")
    assert float(found["W"].numpy()[0]) == pytest.approx(3, abs=1e-2)
    assert float(found["b"]) == pytest.approx(2, abs=1e-2)


def test_steps_of_tf_keras_are_the_built_in_ones(run):
    """`compiled_loss` and `compiled_metrics` give what fit itself would give."""
    found = run("custom")
    history = found["h"].history
    assert list(history) == ["loss", "mae", "val_loss", "val_mae"]
    model = found["CustomModel"](found["inputs"], found["outputs"])
    before = model.get_weights()
    model.compile("adam", "mse", metrics=["mae"])
    one = model.fit(found["x"], found["y"], epochs=1, shuffle=False, verbose=0).history
    keras = found["keras"]
    plain = keras.Model(found["inputs"], found["outputs"])
    plain.set_weights(before)
    plain.compile("adam", "mse", metrics=["mae"])
    other = plain.fit(found["x"], found["y"], epochs=1, shuffle=False, verbose=0).history
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
    assert one["mae"] == pytest.approx(other["mae"], rel=1e-4)
