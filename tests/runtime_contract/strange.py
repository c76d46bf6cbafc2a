"""Records that nobody can make sense of, and records that cannot be told from their own repetitions."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from cdc.ids import new_id
from consumers.testing.records import NewRecord
from consumers.testing.schemas import codec_of_all
from schemas.codec import HEADER, MAGIC
from schemas.messages.canary import CanaryEmitted
from tests.rig import PAUSE_S, PLACE, Rig
from tests.runtime_contract.case import case, id_of, with_headers


def _strange(record: NewRecord) -> dict[str, tuple[NewRecord, str]]:
    value = record.value or b""
    canary = CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))
    return {
        "no Avro": (replace(record, value=b"neither magic nor id"), "undecodable"),
        "too few bytes": (replace(record, value=b"\0\0"), "undecodable"),
        "cut short": (replace(record, value=value[:-1]), "undecodable"),
        "too long": (replace(record, value=value + b"\0"), "undecodable"),
        "tombstone": (replace(record, value=None), "undecodable"),
        "unknown schema": (
            replace(record, value=HEADER.pack(MAGIC, 2_000_000) + value[5:]),
            "undecodable",
        ),
        "another type": (replace(record, value=codec_of_all().encode(canary)), "undecodable"),
        "no type": (with_headers(record, ce_type=None), "malformed"),
        "no id": (with_headers(record, ce_id=None), "malformed"),
        "no uuid": (with_headers(record, ce_id="seven"), "malformed"),
        "random uuid": (
            with_headers(record, ce_id="8c2f1cd2-1e2a-4f5c-9d8e-3b8f1a2b3c4d"),
            "malformed",
        ),
        "bytes that are no text": (with_headers(record, ce_id=b"\xff\xfe"), "malformed"),
    }


@case
async def what_nobody_can_make_sense_of_is_parked(rig: Rig) -> None:
    for make in (rig.placed, rig.confirmed):
        for what, (_, reason) in _strange(make("x1")).items():
            fresh = await rig.beside(name=f"{make.__name__} {what}")
            fresh.log, fresh._by_offset = type(rig.log)(), {}
            strange, _ = _strange(make("x1"))[what]
            await fresh.deliver([make("a1"), strange, make("x2"), make("b1")])
            behind = [("x1", reason), ("x2", "behind")]
            assert await fresh.parked() == behind, f"{make.__name__} {what}"
            assert (await fresh.progress())[0] == 4
    assert set(await rig.effects()) == {"a1", "b1"}


@case
async def what_cannot_be_told_apart_is_a_dead_letter_at_once(rig: Rig) -> None:
    strange = _strange(rig.placed("a1"))
    malformed = [record for record, reason in strange.values() if reason == "malformed"]
    await rig.deliver([replace(record, key=None) for record in malformed])
    assert await rig.dead() == ["a1"] * len(malformed)
    assert {letter.reason.value for letter in await rig.letters()} == {"malformed"}
    assert await rig.after(10 * PAUSE_S) == 0


@case
async def a_message_older_than_the_inbox_remembers_is_a_dead_letter(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1")])
    old, new = rig.placed("b1"), rig.placed("c1")
    rig.window.first = id_of(new)
    rig.window.end = None
    await rig.deliver([old, new])
    assert await rig.effects() == ["a1", "c1"]
    assert await rig.parked() == [("b1", "too_old")]
    assert await rig.dead() == ["b1"]


@case
async def a_message_from_the_future_is_a_dead_letter(rig: Rig) -> None:
    early, late = rig.placed("a1"), rig.placed("b1")
    rig.window.first, rig.window.end = "", id_of(late)
    await rig.deliver([early, late])
    assert await rig.effects() == ["a1"]
    assert await rig.parked() == [("b1", "malformed")]


@case
async def what_cannot_be_told_apart_is_not_handled_when_its_turn_comes(rig: Rig) -> None:
    """Behind a parked message it was not judged; that must be made up for before it is tried."""
    rig.fails["a1"] = ZeroDivisionError
    old, after = rig.placed("a2"), rig.placed("a3")
    rig.window.first = id_of(after)
    a1 = with_headers(rig.placed("a1"), ce_id=str(new_id()))
    rig._labels[UUID(id_of(a1))] = "a1"
    nameless = with_headers(rig.confirmed("a4"), ce_id=None)
    await rig.deliver([a1, old, after, nameless])
    assert await rig.parked() == [
        ("a1", "failed"),
        ("a2", "behind"),
        ("a3", "behind"),
        ("a4", "behind"),
    ]
    rig.fails.clear()
    await rig.after(PAUSE_S)
    assert await rig.effects() == ["a1"]
    assert await rig.parked() == [("a2", "too_old"), ("a3", "behind"), ("a4", "behind")]
    assert await rig.dead() == ["a2"]


@case
async def a_record_is_kept_as_it_was_delivered(rig: Rig) -> None:
    a1 = rig.placed("a1")
    strange = replace(
        a1, key=b"a\x00", headers=[*a1.headers, ("nothing", None), ("bytes", b"\x00\xff")]
    )
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([strange])
    [delivered] = rig.log.fetch(PLACE, 0, 1)
    await rig.world.database.pass_time(PAUSE_S)
    async with rig.store.transaction() as transaction:
        due = await rig.store.take_due(transaction, 10)
    assert due is not None
    [message] = due.messages
    assert message.record._replace(headers=list(message.record.headers)) == delivered


@case
async def in_a_topic_made_anew_another_message_at_an_offset_is_parked_too(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1")])
    await rig.store.move(PLACE, 1, 0)
    rig.log = type(rig.log)()
    await rig.start()
    rig.fails["b1"] = ZeroDivisionError
    await rig.deliver([rig.placed("b1")])
    assert [parked.key for parked in (await rig.look()).parked] == ["a", "b"]
