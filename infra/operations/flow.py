"""What became of a request across services: which message led to which, who took it, and where it waited."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from cdc.context import is_sampled, trace_id_of
from cdc.envelope import headers_of
from cdc.kafka import TopicError
from consumers.runtime.parked.payload import Payloads
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError
from infra.flow.records import find_records
from infra.flow.sources import (
    MOST_CORRELATIONS,
    Inbox,
    Located,
    ParkedThere,
    SkippedThere,
    Sources,
    open_sources,
    read_row,
)
from infra.flow.tree import Placed, Sent, in_order
from infra.operations.parked.show import DecodedValue, decoded
from infra.services import OUTBOXES, WORKERS
from infra.text import plain_id, uuid_of
from schemas.catalogue import catalogue
from schemas.messages.consumers import MessageDeadLettered
from schemas.registry import SchemaStore

MOST_MESSAGES = 1000

Asked = Literal["aggregate", "correlation", "message"]
MessageState = Literal["kept back", "unpublished", "set aside", "published", "unknown"]
"""`unpublished`: in the outbox, and not in its topic; `unknown`: Kafka could not be asked, or keeps nothing so old."""
TakingState = Literal[
    "taken",
    "retrying",
    "dead",
    "behind",
    "stashed",
    "skipped",
    "expired",
    "ignored",
    "waiting",
    "forgotten",
    "not taken",
]
"""What a consumer has done about a message.

`retrying`, `dead` and `behind` are parked: tried again by itself, left to somebody to decide, or behind another of its
key. `stashed`: its target is locked for another saga. `ignored`: it has read past it, and not taken it. `waiting`: it
has not come so far. `forgotten`: its inbox does not remember ids that are so old. `not taken`: its inbox does not have
it, and nothing more can be told.
"""
PARKED = frozenset({"retrying", "dead", "behind"})
OPEN = frozenset({"waiting", "stashed", "not taken"}) | PARKED


class NoFlowError(TailraceError):
    """Nothing is recorded of an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What a consumer has done about a message, and how long the message waited for it."""

    consumer: str
    service: str
    state: TakingState
    detail: str = ""
    effects: Sequence[UUID] = ()  # messages that its handler sent
    # When the transaction began that took the message, or when it was parked or skipped; and when the last message was
    # written that its handler sent. Of one that sends nothing at once nobody keeps these times, and they are None.
    taken_at: datetime | None = None
    effect_at: datetime | None = None
    in_topic_s: float | None = None
    in_handler_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMessage:
    """A message of a flow; the flow has it behind the one that led to it."""

    message_id: UUID
    type: str
    topic: str
    key: str
    aggregate: str
    version: int | None
    service: str  # who sent it
    seq: int | None  # position in the outbox of that service
    correlation_id: UUID
    causation_id: UUID | None
    parent: UUID | None  # what led to it, where that is recorded
    depth: int
    state: MessageState
    detail: str
    written_at: datetime | None
    published_at: datetime | None
    record: str | None  # topic/partition/offset
    in_outbox_s: float | None
    takings: Sequence[Taking] = ()

    @property
    def cause_is_missing(self) -> bool:
        return self.causation_id is not None and self.parent is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Everything that is recorded of some correlations."""

    id: str
    asked: Asked
    correlation_ids: Sequence[UUID]
    messages: Sequence[FlowMessage]
    notes: Sequence[str] = field(default=())
    trace_ids: Sequence[str] = ()  # of what was recorded, the first one first

    @property
    def is_done(self) -> bool:
        """Whether nothing is under way any more, as far as can be told."""
        return all(
            each.state not in {"kept back", "unpublished", "set aside"}
            and not any(taking.state in OPEN for taking in each.takings)
            for each in self.messages
        )

    @property
    def is_sound(self) -> bool:
        """Whether nothing has failed: nothing is parked, and nothing set aside."""
        return not any(
            each.state == "set aside" or any(taking.state in PARKED for taking in each.takings)
            for each in self.messages
        )


@dataclass(frozen=True, slots=True)
class Content:
    """What a message holds: its headers as its record has them, and its value."""

    headers: Sequence[tuple[str, bytes | None]]
    value: DecodedValue


def flow(deployment: Deployment, id_: str) -> Flow:
    """Rebuild what an id is about: an aggregate with a log, a correlation, or a message with all of its correlation."""
    with open_sources(deployment) as sources:
        asked, correlations = _correlations(sources, plain_id(id_))
        if not correlations:
            raise NoFlowError(_nothing(deployment, plain_id(id_)))
        ids = [each.message_id for each in _messages(sources, correlations)[0]]
        inboxes = sources.inboxes(ids)
        # again, so that the effects of all that was taken by then are among them
        found, notes = _messages(sources, correlations)
        if len(correlations) >= MOST_CORRELATIONS:
            notes.append(f"Only {MOST_CORRELATIONS} correlations are shown; there may be more.")
        records: Mapping[UUID, Located | None] = {}
        try:
            records = find_records(deployment.kafka_bootstrap, found)
        except TopicError as error:
            notes.append(f"Without Kafka it is not known when messages came there: {error}.")
        account = Account(inboxes, sources.set_aside(ids), found, records)
    messages = [account.message(each) for each in in_order(found)]
    return Flow(
        id=plain_id(id_),
        asked=asked,
        correlation_ids=correlations,
        messages=messages,
        notes=notes,
        trace_ids=list(_traces(found)),
    )


def content(deployment: Deployment, service: str, message_id: UUID) -> Content | None:
    """Return what a message of a service's outbox holds; None when its row is gone."""
    if service not in OUTBOXES:
        raise RequestError(f"No outbox is called {service}; there are {', '.join(OUTBOXES)}.")
    row = read_row(deployment, service, message_id)
    if row is None:
        return None
    payloads = Payloads(SchemaStore(deployment.registry, deployment.schema_cache))
    return Content(headers_of(row), decoded(payloads, row.payload))


def _correlations(sources: Sources, id_: str) -> tuple[Asked, list[UUID]]:
    if found := sources.correlations_of_aggregate(id_):
        return "aggregate", sorted(set(found))
    uuid = uuid_of(id_)
    if uuid is None:
        return "aggregate", []
    if sources.messages(uuid, 1):
        return "correlation", [uuid]
    return "message", sorted(set(sources.correlations_of_message(uuid)))


def _traces(found: Sequence[Sent]) -> dict[str, None]:
    recorded = sorted(
        (each for each in found if is_sampled(each.traceparent)), key=lambda each: each.message_id
    )
    return dict.fromkeys(trace_id_of(each.traceparent) for each in recorded)


def _messages(sources: Sources, correlations: Sequence[UUID]) -> tuple[list[Sent], list[str]]:
    found = [
        message
        for correlation in correlations
        for message in sources.messages(correlation, MOST_MESSAGES + 1)
    ]
    if len(found) <= MOST_MESSAGES:
        return found, []
    found.sort(key=lambda each: each.message_id)
    return found[:MOST_MESSAGES], [
        f"Only the first {MOST_MESSAGES:,} messages are shown: this correlation id is shared by more."
    ]


class Account:
    """Says of each message what became of it."""

    def __init__(
        self,
        inboxes: Mapping[str, Inbox],
        set_aside: Mapping[UUID, str],
        messages: Sequence[Sent],
        records: Mapping[UUID, Located | None],
    ) -> None:
        self._inboxes = inboxes
        self._set_aside = set_aside
        self._records = records
        self._effects: dict[tuple[UUID, str], list[Sent]] = defaultdict(list)
        for each in messages:
            if each.causation_id:
                self._effects[each.causation_id, each.service].append(each)

    def message(self, placed: Placed) -> FlowMessage:
        sent = placed.message
        record = self._record(sent)
        takings = [
            self._taking(sent, record, *consumer)
            for consumer in sorted(self._consumers(sent))
            if sent.seq is not None
        ]
        state, detail = self._state(sent, record, takings)
        return FlowMessage(
            message_id=sent.message_id,
            type=sent.type,
            topic=sent.topic,
            key=sent.key,
            aggregate=sent.aggregate,
            version=sent.version,
            service=sent.service,
            seq=sent.seq,
            correlation_id=sent.correlation_id,
            causation_id=sent.causation_id,
            parent=placed.parent,
            depth=placed.depth,
            state=state,
            detail=detail,
            written_at=sent.written_at,
            published_at=record.recorded_at if record else None,
            record=f"{record.place}/{record.offset}" if record else None,
            in_outbox_s=_seconds(sent.written_at, record.recorded_at if record else None),
            takings=takings,
        )

    def _record(self, sent: Sent) -> Located | None:
        """Return where the record lies; parked messages know it when Kafka does not any more."""
        if (found := self._records.get(sent.message_id)) is not None:
            return found
        for inbox in self._inboxes.values():
            aside: Mapping[tuple[str, UUID], ParkedThere | SkippedThere] = {
                **inbox.parked,
                **inbox.skipped,
            }
            for (_, message_id), each in aside.items():
                if message_id == sent.message_id:
                    return each.record
        return None

    def _consumers(self, sent: Sent) -> set[tuple[str, str]]:
        """Return whoever is declared to take a message, or has taken it, each with its service."""
        services = {worker.name: worker.role for worker in WORKERS if worker.role}
        topic = catalogue().topics.get(sent.topic)
        declared = (
            [name for name, types in topic.consumers.items() if sent.type in types] if topic else []
        )
        found = {(name, services[name]) for name in declared if name in services}
        for service, inbox in self._inboxes.items():
            for consumer, message_id in [*inbox.taken, *inbox.parked, *inbox.skipped]:
                if message_id == sent.message_id:
                    found.add((consumer, service))
        return found

    def _state(
        self, sent: Sent, record: Located | None, takings: Sequence[Taking]
    ) -> tuple[MessageState, str]:
        if sent.not_before is not None:
            return "kept back", f"until {sent.not_before.isoformat(' ', 'seconds')}"
        if sent.message_id in self._set_aside:
            reason = self._set_aside[sent.message_id]
            return "set aside", reason or "another one of its key is"
        if record or any(each.state == "taken" for each in takings):
            return "published", ""
        return "unpublished" if sent.message_id in self._records else "unknown", ""

    def _taking(self, sent: Sent, record: Located | None, consumer: str, service: str) -> Taking:
        inbox, id_ = self._inboxes[service], (consumer, sent.message_id)
        if (parked := inbox.parked.get(id_)) is not None:
            details = {"behind": "another message of its key", "stashed": parked.error}
            error = f"{parked.error} (attempt {parked.attempts})"
            return Taking(
                consumer=consumer,
                service=service,
                state=parked.state,
                detail=details.get(parked.state, error),
                taken_at=parked.at,
                in_topic_s=_seconds(parked.record.recorded_at, parked.at),
            )
        if (skipped := inbox.skipped.get(id_)) is not None:
            return Taking(
                consumer=consumer,
                service=service,
                state="skipped",
                detail=f"by {skipped.actor}: {skipped.why}",
                taken_at=skipped.at,
            )
        if id_ in inbox.taken:
            return self._taken(sent, record, consumer, service)
        state, detail = _not_taken(sent, record, consumer, inbox)
        return Taking(consumer=consumer, service=service, state=state, detail=detail)

    def _taken(self, sent: Sent, record: Located | None, consumer: str, service: str) -> Taking:
        effects = self._effects[sent.message_id, service]
        told = [each for each in effects if each.type != MessageDeadLettered.NAME]
        if sum(message_id == sent.message_id for _, message_id in self._inboxes[service].taken) > 1:
            told = []  # which consumer of the service has sent them, nobody keeps
        times = [(each.began_at, each.written_at) for each in told]
        at_once = [(began, written) for began, written in times if began and written]
        taken_at = min((began for began, _ in at_once), default=None)
        effect_at = max((written for _, written in at_once), default=None)
        return Taking(
            consumer=consumer,
            service=service,
            state="taken",
            detail="" if told else "sent nothing",
            effects=[each.message_id for each in told],
            taken_at=taken_at,
            effect_at=effect_at,
            in_topic_s=_seconds(record.recorded_at if record else None, taken_at),
            in_handler_s=_seconds(taken_at, effect_at),
        )


def _not_taken(
    sent: Sent, record: Located | None, consumer: str, inbox: Inbox
) -> tuple[TakingState, str]:
    if inbox.first_id is not None and sent.message_id < inbox.first_id:
        return "forgotten", "its inbox remembers no ids of that time"
    if record is None:
        return "not taken", ""
    position = inbox.positions.get((consumer, record.place))
    if position is None:
        return "waiting", "it has never been in the partition"
    if position <= record.offset:
        return "waiting", f"{record.offset - position:,} records are before it"
    if sent.expires_at is not None:
        return "expired", f"it was good until {sent.expires_at.isoformat(' ', 'seconds')}"
    return "ignored", ""


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    """Return how much later one moment is, in seconds; less than nothing where clocks differ."""
    if since is None or until is None:
        return None
    return round((until - since).total_seconds(), 6)


def _nothing(deployment: Deployment, id_: str) -> str:
    return (
        f"Nothing is recorded of {id_}, be it the id of an aggregate, of a correlation or of a message. "
        f"Events are kept for good, and other messages for {deployment.outbox_days} days after they were published; "
        "`tailrace topics tail order.events` shows ids that there are."
    )
