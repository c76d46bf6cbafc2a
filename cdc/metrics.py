"""Metrics in Prometheus's text format, made when they are asked for, of what a process counts anyway.

Names are `tailrace_<part>_<what>_<unit>`, with `_total` behind what only grows; times are in seconds, sizes in bytes.
Labels name what there are few of, such as topics, consumers and reasons: never a key, an id or a text from outside.
"""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

METRICS = "/metrics"
CONTENT_TYPE = CONTENT_TYPE_LATEST
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Of histograms of requests and calls, in seconds."""

Labels = tuple[str, ...]
Values = Mapping[Labels, float | None]
"""Values of labels -> value; what is None is not known, and not told."""

__all__ = [
    "BOUNDS_S",
    "CONTENT_TYPE",
    "METRICS",
    "Labels",
    "Metric",
    "Values",
    "counter",
    "gauge",
    "one",
    "render",
]

# a series more for each, which nobody asks for
disable_created_metrics()  # type: ignore[no-untyped-call]


def gauge(name: str, about: str, values: Values, labels: Sequence[str] = ()) -> Metric:
    """Return what goes up and down.

    Args:
        labels: Names of the labels.
    """
    return _filled(GaugeMetricFamily(name, about, labels=labels), values)


def counter(name: str, about: str, values: Values, labels: Sequence[str] = ()) -> Metric:
    """Return what only grows, until its process is started again."""
    return _filled(CounterMetricFamily(name, about, labels=labels), values)


def one(value: float | None) -> Values:
    """Return the value of a metric without labels."""
    return {(): value}


def render(metrics: Iterable[Metric]) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(metrics))
    return generate_latest(registry).decode()


class _Told(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Values
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, value in values.items():
        if value is not None:
            family.add_metric(labels, value)
    return family
