"""Proving that rows and event logs agree, and that outboxes, Kafka and inboxes do."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from cdc import topics
from cdc.event_log.verification import Difference, Finding, Verification, repeatable_read
from cdc.reconciliation import Progress, ReconcileRequest, TopicReport, Window, reconcile
from consumers.replay.bounds import Bound, require_order
from infra.capture import outbox_urls
from infra.deployment import Deployment
from infra.errors import RequestError
from infra.event_logs import LoggedAggregate, event_log, logged_kinds, open_log
from infra.reconciliation import consumers_of, other_consumer, publisher_of
from schemas.catalogue import catalogue


@dataclass(frozen=True, slots=True)
class RowFinding:
    """An aggregate whose row is not what follows from its events; values are told as text."""

    id: str
    what: str
    detail: str
    differences: Sequence[Difference]


@dataclass(slots=True)
class KindReport:
    """What became of one kind of aggregate."""

    kind: str
    events: int = 0
    aggregates: int = 0
    snapshots: int = 0
    found: int = 0
    findings: list[RowFinding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowsReport:
    """What was found of each kind of aggregate, and the kinds of which no service declares a state."""

    kinds: Sequence[KindReport]
    without_fold: Sequence[str]


def verify_rows(deployment: Deployment, limit: int, progress: Progress) -> RowsReport:
    """Compare every row with the state that follows from its events, in one snapshot."""
    kinds = logged_kinds().values()
    return RowsReport(
        [asyncio.run(_compare(deployment, kind, limit, progress)) for kind in kinds if kind.fold],
        [kind.name for kind in kinds if not kind.fold],
    )


async def _compare(
    deployment: Deployment, kind: LoggedAggregate, limit: int, progress: Progress
) -> KindReport:
    assert kind.fold is not None and kind.rows is not None  # noqa: S101, PT018 - the caller has looked
    report = KindReport(kind.name)
    async with open_log(deployment, kind) as connection, repeatable_read(connection):
        work = Verification(connection, event_log(deployment, kind.fold), kind.rows)
        with progress(f"{kind.name} events", await work.total()) as show:
            work.on_progress = show
            async with aclosing(work.findings()) as findings:
                async for finding in findings:
                    report.found += 1
                    if len(report.findings) < limit:
                        report.findings.append(_told(finding))
    report.events, report.aggregates = work.events, work.aggregates
    report.snapshots = work.snapshots
    return report


def _told(finding: Finding) -> RowFinding:
    texts = [(each.column, str(each.kept), str(each.folded)) for each in finding.differences]
    differences = [Difference(*each) for each in texts]
    return RowFinding(finding.aggregate_id, finding.what, finding.detail, differences)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRequest:
    """What is compared of a topic."""

    topic: str
    since: datetime | None = None
    until: datetime | None = None
    others: Sequence[str] = ()
    patience_s: float = 30.0
    limit: int = 20


def verify_topic(deployment: Deployment, request: TopicRequest, progress: Progress) -> TopicReport:
    require_order(Bound(time=request.since), Bound(time=request.until))
    topic = request.topic
    declared = catalogue().topics.get(topic)
    if declared and declared.is_direct:
        raise RequestError(
            f"{topic} has {declared.kind} that go to Kafka past the outboxes, so that there is nothing to compare: see "
            f"`tailrace topics tail {topic}`."
        )
    others = [place for name in request.others for place in other_consumer(deployment, name, topic)]
    question = ReconcileRequest(
        topic=topic,
        bootstrap=deployment.kafka_bootstrap,
        outboxes=outbox_urls(deployment),
        consumers=consumers_of(deployment, topic) + others,
        window=Window(since=request.since, until=request.until),
        patience_s=request.patience_s,
        limit=request.limit,
    )
    report = reconcile(question, publisher_of(deployment), progress)
    known = report.rows or report.records or declared
    if not known and topic not in topics.names(deployment.kafka_bootstrap):
        raise RequestError(
            f"Kafka has no topic {topic}, and no outbox a message for it; `tailrace topics list` shows those there are."
        )
    return report
