"""Names of `keras.losses`."""

__all__ = ["Reduction"]


class Reduction:
    """The names of reductions, which are strings today."""

    AUTO = "sum_over_batch_size"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"
