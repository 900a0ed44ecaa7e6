"""Regularizers under the names that Keras 1 had."""

from gazelle.regularizers import L1, L1L2, L2

__all__ = ["WeightRegularizer", "activity_l1", "activity_l1l2", "activity_l2", "l1l2"]

WeightRegularizer = l1l2 = activity_l1l2 = L1L2
activity_l1 = L1
activity_l2 = L2
