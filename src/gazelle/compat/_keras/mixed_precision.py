"""`keras.mixed_precision.experimental` and the names around it."""

from gazelle.dtype_policies import DTypePolicy
from gazelle.mixed_precision import LossScaleOptimizer, set_dtype_policy

__all__ = ["LossScaleOptimizer", "Policy", "set_global_policy", "set_policy"]

Policy = DTypePolicy
set_policy = set_global_policy = set_dtype_policy
