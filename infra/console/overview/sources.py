"""What the overview is made of, as it is looked at again and again."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdc.slot import Slot
from consumers.runtime.lag import TopicLag
from infra import capture
from infra.console.board import Source
from infra.console.installation import Installation
from infra.operations.doctor import Finding, cheap_checks, examine, publisher_of
from infra.operations.doctor.servers import server_checks
from infra.operations.lag import Lags, lags_in
from infra.operations.outbox.waiting import Outboxes, Waiting
from infra.publishing import publisher
from infra.schema_access import Schemas
from infra.services import CONSUMER_ROLES, WORKERS
from schemas.catalogue import catalogue

if TYPE_CHECKING:
    from infra.local.status import PartStatus

RATES_OVER = 5
"""Looks over which a rate is taken."""
CHECKED_EVERY = 4
"""Of so many looks at the pipeline one goes through the doctor's checks as well."""
Slots = Mapping[str, Slot | None]
"""Name of the slot of each capture -> how it is; None where there is none."""
LOCAL_REMEDY = "run `make up`, which repairs what is missing"


@dataclass(frozen=True, slots=True)
class Parts:
    """How the parts are; of another installation than the local stack only what can be asked of them from here."""

    parts: "Sequence[PartStatus]"
    findings: Sequence[Finding]

    @property
    def states(self) -> Mapping[str, str]:
        """Return the state of each part that is known, by its name."""
        asked = {
            each.name: "running" if each.state == "ok" else "trouble" for each in self.findings
        }
        return asked | {each.name: each.state for each in self.parts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """How far consumers are behind, how much flows, and what the doctor says of it."""

    lags: Sequence[TopicLag]
    # records a second; None until it was looked at twice
    published: Mapping[str, float | None]  # by topic
    taken: Mapping[tuple[str, str], float | None]  # by consumer and topic
    findings: Sequence[Finding]


def sources(installation: Installation, schemas: Schemas) -> tuple[Source, ...]:
    # elsewhere each part is asked over the network
    looked_s = 1.5 if installation.local else 5.0
    return (
        Source(name="parts", open=lambda: _parts(installation), every_s=looked_s),
        Source(name="pipeline", open=lambda: _pipeline(installation, schemas), every_s=2.0),
        Source(name="waiting", open=lambda: _waiting(installation, schemas), every_s=2.0),
        Source(name="slot", open=lambda: _slots(installation), every_s=3.0),
    )


@contextmanager
def _parts(installation: Installation) -> Iterator[Callable[[], Parts]]:
    local, deployment = installation.local, installation.seen

    def ask() -> Parts:
        checks = server_checks(deployment, publisher_of(deployment))
        remedy = f"see to it that it runs, or correct its address in {deployment.source}"
        return Parts((), examine(checks, remedy))

    if local is None:
        yield ask
        return
    # which are not there where only commands are installed
    from infra.local.doctor.parts import checks_of_parts
    from infra.local.status import status

    def look() -> Parts:
        parts = status(local, memory=False)
        return Parts(parts, examine(checks_of_parts(parts), LOCAL_REMEDY))

    yield look


@contextmanager
def _slots(installation: Installation) -> Iterator[Callable[[], Slots]]:
    shards = installation.seen.shards
    yield lambda: {each.slot: capture.slot(each) for each in shards}


@contextmanager
def _waiting(installation: Installation, schemas: Schemas) -> Iterator[Callable[[], Waiting]]:
    with schemas.opened() as connections:
        yield Outboxes(installation.seen, connections).look


@contextmanager
def _pipeline(installation: Installation, schemas: Schemas) -> Iterator[Callable[[], Pipeline]]:
    with (
        schemas.opened() as connections,
        lags_in(installation.seen, [connections[role] for role in CONSUMER_ROLES]) as lags,
    ):
        yield _Pipeline(installation, lags).look


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    ends: Mapping[str, int]
    positions: Mapping[tuple[str, str], int]


class _Pipeline:
    def __init__(self, installation: Installation, lags: Lags) -> None:
        self._installation = installation
        self._lags = lags
        self._samples: deque[_Sample] = deque(maxlen=RATES_OVER)
        self._looks = 0
        self._findings: Sequence[Finding] = ()

    def look(self) -> Pipeline:
        lags, ends = self._lags.measure(), self._lags.ends(catalogue().topics)
        positions = {
            (each.consumer, each.topic): sum(part.position or 0 for part in each.partitions)
            for each in lags
        }
        self._samples.append(_Sample(time.monotonic(), ends, positions))
        if self._looks % CHECKED_EVERY == 0:
            self._findings = self._check(lags)
        self._looks += 1
        first, last = self._samples[0], self._samples[-1]
        return Pipeline(
            lags=lags,
            published={
                topic: _rate(first, last, first.ends.get(topic), end) for topic, end in ends.items()
            },
            taken={
                each: _rate(first, last, first.positions.get(each), position)
                for each, position in positions.items()
            },
            findings=self._findings,
        )

    def _check(self, lags: Sequence[TopicLag]) -> Sequence[Finding]:
        deployment = self._installation.seen
        by_consumer = {
            worker.name: [lag for lag in lags if lag.consumer == worker.name] for worker in WORKERS
        }
        checks = cheap_checks(deployment, publisher(deployment), lambda: by_consumer)
        return examine(checks, "`tailrace status` shows what runs")


def _rate(first: _Sample, last: _Sample, before: int | None, now: int) -> float | None:
    if before is None or last.at <= first.at:
        return None
    return max(0, now - before) / (last.at - first.at)
