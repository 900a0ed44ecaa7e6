"""Data: feeds of batches, windows on the device, and the checks before training."""
