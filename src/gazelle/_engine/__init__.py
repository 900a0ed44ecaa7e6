"""Training: what compile and fit do. Takes pure functions and a small protocol, never a model class."""
