"""What `import tensorflow as tf` answers: as far as scripts with dense networks go."""

from gazelle.compat.tensorflow._modules import tensorflow_module

__all__ = ["tensorflow_module"]
