"""What `import tensorflow as tf` answers: as far as scripts with dense networks go."""

from gazelle.compat._tensorflow._modules import tensorflow_module

__all__ = ["tensorflow_module"]
