"""Names of `keras.optimizers`."""

__all__: list[str] = []
