"""Data: feeds of batches, and the checks before training."""
