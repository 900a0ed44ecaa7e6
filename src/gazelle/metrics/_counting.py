"""Whether a metric may be updated with the samples of many batches at once."""

from gazelle._core.registry import is_own_class
from gazelle.metrics._base import Metric


def counts_samples(metric: Metric) -> bool:
    """Whether an update adds an independent contribution of each sample to the metric's state.

    Such a metric may take several batches in one update, and samples of weight 0 change nothing.
    Gazelle's own classes declare it with `Metric._counts_samples`; of users' functions and classes
    it is not known. The state must be float32.
    """
    overridden = {"update_state", "result", "reset_state"} & vars(metric).keys()
    return (
        is_own_class(type(metric))
        and metric._counts_samples
        and not overridden
        and all(variable.dtype == "float32" for variable in metric.variables)
    )


def counts_whole_numbers(metric: Metric) -> bool:
    """Whether a metric counts samples and, without sample weights, adds whole numbers.

    Up to 2^24 their float32 sum does not depend on the order.
    """
    return counts_samples(metric) and metric._counts_whole_numbers
