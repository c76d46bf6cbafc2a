"""What the page of outboxes shows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cdc.relay.backlog import Situation
from infra.console.board import Panel, Reading, Source
from infra.console.installation import Installation
from infra.console.pages import Pages
from infra.deployment import Deployment
from infra.operations import connector, relay
from infra.operations.connector import ConnectorReport
from infra.operations.outbox.retention import Stats, stats
from infra.operations.outbox.waiting import Rows, Waiting
from infra.publishing import publisher
from infra.schema_access import Schemas

LATE_S = 10.0
SCALE_S = (1.0, 10.0, 60.0, 600.0, 3600.0)
"""Ages up to which a bar is drawn one fifth longer each, so that a second is seen beside an hour."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """How whoever publishes stands: connectors, or the relay."""

    connectors: Sequence[ConnectorReport] = ()
    relay: Situation | None = None

    @property
    def is_well(self) -> bool:
        if self.relay is not None:
            return relay.is_well(self.relay)
        return all(each.is_well for each in self.connectors)


@dataclass(frozen=True, slots=True)
class Line:
    """What waits in an outbox."""

    outbox: str
    rows: Rows

    @property
    def is_late(self) -> bool:
        return (self.rows.oldest_s or 0.0) > LATE_S

    @property
    def length(self) -> float:
        """How long its bar is, from 0 to 1."""
        return length(self.rows.oldest_s)


def length(age_s: float | None) -> float:
    if not age_s:
        return 0.0
    before = 0.0
    for number, end in enumerate(SCALE_S):
        if age_s <= end:
            return (number + (age_s - before) / (end - before)) / len(SCALE_S)
        before = end
    return 1.0


def sources(installation: Installation, _schemas: Schemas) -> tuple[Source, ...]:
    deployment = installation.seen
    return (Source(name="publishing", open=lambda: _publishing(deployment), every_s=3.0),)


def panels(pages: Pages) -> tuple[Panel, ...]:
    def outboxes(readings: Mapping[str, Reading]) -> str:
        reading = readings["waiting"]
        return pages.render("panel-outboxes.html", reading=reading, lines=lines(reading.value))

    def publishing(readings: Mapping[str, Reading]) -> str:
        return pages.render("panel-publishing.html", reading=readings["publishing"])

    return (
        Panel(name="outboxes", sources=("waiting",), render=outboxes),
        Panel(name="publishing", sources=("publishing",), render=publishing),
    )


def lines(waiting: Waiting | None) -> Sequence[Line]:
    """Return the outboxes, those first whose oldest row waits for longest."""
    found = [Line(name, rows) for name, rows in ((waiting and waiting.outboxes) or {}).items()]
    return sorted(found, key=lambda each: (-(each.rows.oldest_s or 0.0), each.outbox))


def held(deployment: Deployment) -> Stats:
    return stats(deployment)


@contextmanager
def _publishing(deployment: Deployment) -> Iterator[Callable[[], Publishing]]:
    def look() -> Publishing:
        if publisher(deployment) == "relay":
            return Publishing(relay=relay.report(deployment))
        return Publishing(connector.reports(deployment))

    yield look
