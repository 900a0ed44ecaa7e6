"""Which metrics may count the samples of many batches together."""

from gazelle.metrics.averages import Mean, MeanMetricWrapper, Sum
from gazelle.metrics.base import Metric
from gazelle.metrics.counts import _Count, _Ratio
from gazelle.metrics.curves import ThresholdCurve
from gazelle.metrics.regression import R2Score


def counts_samples(metric: Metric) -> bool:
    """Whether an update adds to the metric's state what each sample gives, whatever the state and the other samples.

    Then a sample of weight 0 changes nothing. So it is with Gazelle's metrics of targets and
    predictions (but `R2Score`, which puts variances together); of a user's functions and classes it
    is not known.
    """
    others = (Metric, Mean, Sum, MeanMetricWrapper, R2Score)
    changed = {"update_state", "result", "reset_state"} & vars(metric).keys()
    own = type(metric).__module__.startswith("gazelle.metrics.") and type(metric) not in others
    return own and not changed and all(variable.dtype == "float32" for variable in metric.variables)


def counts_whole_numbers(metric: Metric) -> bool:
    """Whether a metric that counts samples adds whole numbers while they have no weights.

    Then every order of adding them up gives the same, to 2^24.
    """
    return isinstance(metric, (_Count, _Ratio, ThresholdCurve))
