"""How records are told apart, judged and decoded before any transaction."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdc.ids import new_id
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import MalformedRecordError
from consumers.runtime.failures import TooOldError, UnhandledTypeError
from consumers.runtime.handlers import handles
from consumers.runtime.intake import Intake
from consumers.runtime.received import Received
from consumers.runtime.type_counts import LONGEST_NAME, MOST_TYPES
from consumers.runtime.window import InboxWindow
from consumers.runtime.work import Work
from consumers.testing.log import Log
from consumers.testing.records import NewRecord, deliver
from consumers.testing.schemas import LocalSchemas
from schemas.codec import HEADER, MAGIC, Codec
from schemas.contracts import canonical
from schemas.datum import UndecodableError
from schemas.messages.canary import CanaryEmitted
from schemas.messages.payments import PaymentCompleted
from schemas.registry import RegistryUnavailableError

STRANGE_SCHEMAS = ('"string"', '{"type": "object"}', 'syntax = "proto3";', "[]", "{}")
FIRST_STRANGE = 100


@handles(CanaryEmitted)
async def take(canary: CanaryEmitted, work: Work) -> None: ...


class Registry(LocalSchemas):
    """Holds schemas of other kinds besides; is out of reach when told so; remembers what it was asked."""

    def __init__(self) -> None:
        self.is_there = True
        self.asked: list[int] = []
        self.others = dict(enumerate(STRANGE_SCHEMAS, FIRST_STRANGE))

    def schema_of(self, schema_id: int) -> str:
        self.asked.append(schema_id)
        if not self.is_there:
            raise RegistryUnavailableError("nobody listens")
        return self.others.get(schema_id) or super().schema_of(schema_id)


def canary() -> NewRecord:
    return deliver(CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC)))


def changed(**headers: str | bytes | None) -> NewRecord:
    record = canary()
    return replace(record, headers=record.headers_with(**headers))


def intake(
    *, window: InboxWindow | None = None, registry: Registry | None = None, **options: Any
) -> Intake:
    declared: dict[str, Any] = {"name": "c", "handlers": [take]}
    consumer = Consumer(**declared | options)
    codec = Codec(registry or Registry(), consumer.messages)
    return Intake(consumer, codec, window or InboxWindow())


def prepare(records: Sequence[NewRecord], prepared_by: Intake) -> list[Received[Any]]:
    log = Log()
    stored = [log.append(record) for record in records]
    return asyncio.run(prepared_by.prepare(stored))


def prepared(record: NewRecord, **options: Any) -> Received[Any]:
    [received] = prepare([record], intake(**options))
    return received


def test_a_message_comes_with_its_handler_and_what_is_known_of_it() -> None:
    record = canary()
    received = prepared(record)
    assert received.error is None
    assert received.handler is not None
    assert received.handler.function is take
    assert isinstance(received.message, CanaryEmitted)
    assert str(received.delivery.message_id) == received.message_id
    assert received.delivery.key == str(received.message.canary_id)
    assert received.delivery.attempt == 1


def test_many_records_keep_their_order() -> None:
    records = [canary() for _ in range(250)]
    received = prepare(records, intake())
    assert [each.record.offset for each in received] == list(range(250))
    assert [each.record.key for each in received] == [record.key for record in records]


@pytest.mark.parametrize("missing", ["ce_id", "ce_type"])
def test_a_record_without_a_needed_header_is_malformed(missing: str) -> None:
    received = prepared(changed(**{missing: None}))
    assert isinstance(received.error, MalformedRecordError)
    assert f"it has no header {missing}" in str(received.error)
    assert not received.message_id
    assert received.concerns_us


@pytest.mark.parametrize(
    "ce_id", ["", "seven", "8c2f1cd2-1e2a-4f5c-9d8e-3b8f1a2b3c4d", b"\xff\xfe", "0" * 36]
)
def test_an_id_that_an_inbox_cannot_keep_is_malformed(ce_id: str | bytes) -> None:
    received = prepared(changed(ce_id=ce_id))
    assert isinstance(received.error, MalformedRecordError)
    assert not received.message_id


def test_an_id_is_known_in_whichever_form() -> None:
    message_id = str(new_id())
    for form in (message_id.upper(), f"{{{message_id}}}", message_id.replace("-", "")):
        assert prepared(changed(ce_id=form)).message_id == message_id


def test_ids_outside_the_window_are_refused() -> None:
    earlier, now, later = (str(new_id()) for _ in range(3))
    window = InboxWindow(first=now, end=later)
    assert prepared(changed(ce_id=now), window=window).error is None
    assert isinstance(prepared(changed(ce_id=earlier), window=window).error, TooOldError)
    assert isinstance(prepared(changed(ce_id=later), window=window).error, MalformedRecordError)


def test_an_ignored_type_needs_neither_handler_nor_id_nor_sense() -> None:
    for headers in ({}, {"ce_id": "seven"}, {"ce_id": None}):
        record = replace(changed(ce_type=PaymentCompleted.NAME, **headers), value=b"no Avro")
        received = prepared(record)
        assert not received.concerns_us
        assert received.type == PaymentCompleted.NAME


def test_an_unknown_command_waits_for_a_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.catalogue.Catalogue.addressed", {"canary.events"})
    received = prepared(changed(ce_type="nobody.Knows"))
    assert isinstance(received.error, UnhandledTypeError)
    assert "c has no handler for nobody.Knows, which was sent to it at canary.events/0/0" in str(
        received.error
    )
    assert received.message_id


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return what was logged, and of which type."""
    return [(record.message, vars(record)["fields"]["type"]) for record in caplog.records]


def test_an_unknown_event_is_ignored_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reading = intake()
    unheard = [changed(ce_type="nobody.Knows"), changed(ce_type=b"\xff\n")]
    received = prepare([*unheard, canary(), *unheard], reading)
    assert [each.concerns_us for each in received] == [False, False, True, False, False]
    assert reading.ignored.counts() == {"nobody.Knows": 2, "\\xff\\n": 2}
    event = "no handler for this type: ignored"
    assert told(caplog) == [(event, "nobody.Knows"), (event, "\\xff\\n")]


def test_types_that_senders_make_up_do_not_fill_the_memory() -> None:
    reading = intake()
    prepare([changed(ce_type="x" * 10_000 + str(number)) for number in range(3)], reading)
    prepare([changed(ce_type=f"made.Up{number}") for number in range(MOST_TYPES + 5)], reading)
    counts = reading.ignored.counts()
    assert len(counts) == MOST_TYPES + 1
    assert max(map(len, counts)) == LONGEST_NAME
    assert counts["(other types)"] == 6


@pytest.mark.parametrize(
    "value", [None, b"", b"\0", b"no Avro at all", HEADER.pack(MAGIC, 50), HEADER.pack(1, 1)]
)
def test_what_is_no_message_is_told_with_its_record(value: bytes | None) -> None:
    received = prepared(replace(canary(), value=value))
    assert isinstance(received.error, UndecodableError)
    assert received.message_id
    with pytest.raises(AttributeError, match=r"canary\.events/0/0 was not decoded"):
        _ = received.message


@pytest.mark.parametrize("number", range(len(STRANGE_SCHEMAS)))
def test_a_schema_that_is_no_avro_record_is_told_with_its_record(number: int) -> None:
    value = HEADER.pack(MAGIC, FIRST_STRANGE + number) + b"datum"
    first, second = prepare([replace(canary(), value=value), canary()], intake())
    assert isinstance(first.error, UndecodableError)
    assert "is no Avro record" in str(first.error)
    assert second.error is None


def test_another_message_than_announced_is_not_taken_for_it() -> None:
    payment = PaymentCompleted.NAME

    @handles(PaymentCompleted)
    async def take_payment(message: Any, work: Work) -> None: ...

    received = prepared(changed(ce_type=payment), handlers=[take, take_payment])
    assert isinstance(received.error, UndecodableError)
    assert f"announce {payment}, and the bytes hold canary.CanaryEmitted" in str(received.error)


def test_a_schema_is_asked_for_once() -> None:
    registry = Registry()
    reading = intake(registry=registry)
    for _ in range(3):
        prepare([canary(), canary()], reading)
    assert registry.asked == [registry.id_of(CanaryEmitted.NAME)]


def test_a_registry_that_cannot_be_asked_is_no_fault_of_the_record() -> None:
    registry = Registry()
    registry.is_there = False
    reading = intake(registry=registry)
    with pytest.raises(RegistryUnavailableError):
        prepare([canary()], reading)
    registry.is_there = True
    [received] = prepare([canary()], reading)
    assert received.error is None


def test_a_parked_record_is_not_judged_by_its_age_again() -> None:
    window = InboxWindow(first="f")
    reading = intake(window=window)
    received = asyncio.run(reading.prepare_again(Log().append(canary()), attempt=3))
    assert received.error is None
    assert received.delivery.attempt == 3


def test_a_parked_record_may_be_decoded_by_now() -> None:
    registry = Registry()
    unknown = replace(canary(), value=HEADER.pack(MAGIC, 60))
    reading = intake(registry=registry)
    stored = Log().append(unknown)
    first = asyncio.run(reading.prepare_again(stored, attempt=2))
    assert isinstance(first.error, UndecodableError)
    registry.others[60] = canonical(CanaryEmitted.NAME)
    value = (canary().value or b"")[HEADER.size :]
    again = stored._replace(value=HEADER.pack(MAGIC, 60) + value)
    assert asyncio.run(reading.prepare_again(again, attempt=3)).error is None


def test_a_message_that_has_expired_is_dropped_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    reading = intake(clock=lambda: now)
    times = [now - timedelta(microseconds=1), now, now + timedelta(microseconds=1)]
    received = prepare([changed(expires_at=time.isoformat()) for time in times], reading)
    assert [each.handler is not None for each in received] == [False, False, True]
    assert [each.concerns_us for each in received] == [False, False, True]
    assert reading.expired.counts() == {CanaryEmitted.NAME: 2}
    assert told(caplog) == [("expired: dropped", CanaryEmitted.NAME)]


def test_in_a_replay_nothing_comes_too_late() -> None:
    record = changed(expires_at="2001-01-01T00:00:00Z", replay_run="01a2")
    assert prepared(record).message


@pytest.mark.parametrize("expires_at", ["soon", "", "2026-03-04T05:06:07", b"\xff"])
def test_an_end_that_is_no_time_is_malformed(expires_at: str | bytes) -> None:
    error = prepared(changed(expires_at=expires_at)).error
    assert isinstance(error, MalformedRecordError)
    assert "expires_at" in str(error)
