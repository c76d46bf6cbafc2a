"""Traces in tests: what this process records, kept in a list."""

from collections.abc import Iterator
from contextlib import contextmanager

from cdc.tracing.spans import Recorder, Span, recording


class Recorded(list[Span]):
    """Spans, with what took them."""

    recorder: Recorder

    def named(self, name: str) -> list[Span]:
        return [each for each in self if each.name.partition(" ")[0] == name]

    def one(self, name: str) -> Span:
        [span] = self.named(name)
        return span


@contextmanager
def recorded(sample_rate: float = 1.0) -> Iterator[Recorded]:
    """Record while the block runs."""
    spans = Recorded()
    spans.recorder = Recorder("tested", spans.append)
    with recording(spans.recorder, sample_rate):
        yield spans
