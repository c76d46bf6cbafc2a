"""Recording traces in the process of a service, from its start to its end."""

from collections.abc import Iterator
from contextlib import contextmanager

from cdc.tracing.settings import TraceSettings
from cdc.tracing.spans import recording


@contextmanager
def traced(service: str, settings: TraceSettings) -> Iterator[None]:
    """Record traces while the block lasts, if the settings say where to.

    Args:
        service: Name of the service; of several in the process that of the first.
        settings: Where spans are sent, and how many traces are recorded.
    """
    if not settings.traces_url:
        yield
        return
    from cdc.tracing.export import exporting  # what it brings takes memory, and a part of a second

    with exporting(service, settings) as recorder, recording(recorder, settings.traces_sample_rate):
        yield
