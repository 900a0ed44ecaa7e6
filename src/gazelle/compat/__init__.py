"""Scripts for Keras 1, 2, 3 and tf.keras run unchanged.

    import gazelle.compat
    gazelle.compat.install()

After this, `import keras` and `from tensorflow import keras` give Gazelle, and Gazelle's classes
take what any Keras took. Each old form is answered with one warning that names the modern one.
`gazelle run script.py` does this for a script.
"""

from gazelle.compat._install import install, installed, uninstall
from gazelle.compat._outside import OutOfScopeError
from gazelle.compat._telling import OldFormWarning

__all__ = ["OldFormWarning", "OutOfScopeError", "install", "installed", "uninstall"]
