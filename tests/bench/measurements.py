"""What the benchmark `consumer` measures, in which order, and which ratios it comes to."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from tests.bench.figures import ratio
from tests.bench.options import Options
from tests.bench.outcome import Run, medians

PLAIN, OURS, BY_HAND = "plain_agent", "ours", "handwritten"
CONTENDERS = (PLAIN, OURS, BY_HAND)
"""The names are those of the modules that hold them."""
MEASURED_FOR_LATENCY = frozenset({PLAIN, OURS})

Kind = Literal["rate", "latency", "backlog"]


class Measurement(NamedTuple):
    """One run of one contender."""

    contender: str
    kind: Kind
    round: int

    @property
    def group(self) -> str:
        """Its consumer group, and its name in an inbox: of its own, so that it finds nothing of another run."""
        return f"bench-{self.contender}-{self.kind}-{self.round}"


def schedule(options: Options) -> list[Measurement]:
    """Return all measurements in their order: contenders alternate, and each round begins with another one."""
    planned: list[Measurement] = []
    for number in range(1, options.rounds + 1):
        first = (number - 1) % len(CONTENDERS)
        order = [
            name for name in (*CONTENDERS[first:], *CONTENDERS[:first]) if name in options.only
        ]
        planned += [Measurement(name, "rate", number) for name in order]
        planned += [
            Measurement(name, "latency", number) for name in order if name in MEASURED_FOR_LATENCY
        ]
    if measures_backlog(options):
        planned.append(Measurement(OURS, "backlog", 1))
    return planned


def measures_backlog(options: Options) -> bool:
    """Tell whether memory is measured with more events than those of the measurements of speed."""
    return OURS in options.only and options.backlog > options.events


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return the figures that count; those of which a side was not measured are missing."""
    rate = medians(runs, "rate", "per_s")
    p50, p99 = (medians(runs, "latency", figure) for figure in ("p50_ms", "p99_ms"))
    found = {
        "vs_plain_agent": ratio(rate.get(OURS), rate.get(PLAIN)),
        "vs_handwritten": ratio(rate.get(OURS), rate.get(BY_HAND)),
        "latency_vs_plain_agent": ratio(p50.get(OURS), p50.get(PLAIN)),
        "latency_p99_vs_plain_agent": ratio(p99.get(OURS), p99.get(PLAIN)),
    }
    return {name: value for name, value in found.items() if value is not None}
