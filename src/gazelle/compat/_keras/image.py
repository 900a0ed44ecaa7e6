"""Names of `keras.preprocessing.image`."""

__all__: list[str] = []
