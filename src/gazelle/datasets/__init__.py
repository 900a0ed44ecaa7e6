"""Small data sets to start with: CIFAR-10 and scikit-learn's digits."""

from gazelle.datasets import cifar10, digits

__all__ = ["cifar10", "digits"]
