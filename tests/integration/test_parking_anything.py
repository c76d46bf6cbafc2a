"""No content of a record stops a partition: whatever it holds is parked, told of, and kept to the byte."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cdc.kafka_record import KafkaRecord
from consumers.runtime.processor import Chunk
from consumers.runtime.store import Place
from schemas.messages.orders import OrderConfirmed, OrderCreated
from tests.integration.test_runtime_contract import rig_on
from tests.rig import PAUSE_S, Rig
from tests.stack import RunningStack

MEGABYTE = 2**20
TYPES = [name.encode() for name in (OrderCreated.NAME, OrderConfirmed.NAME)]
NAMES = ["ce_id", "ce_type", "correlation_id", "causation_id", "aggregate_version", "traceparent"]

some_bytes = st.binary(max_size=40) | st.sampled_from(
    [b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"k" * 3000, b"0" * 5000, b"-1", *TYPES]
)
some_names = st.sampled_from(NAMES) | st.text(max_size=20)
some_headers = st.lists(st.tuples(some_names, st.none() | some_bytes), max_size=12)
some_times = st.integers(min_value=-(2**63), max_value=2**63 - 1)

HUGE = b"\xff" * MEGABYTE
BYTES_IN_PLENTY: dict[str, dict[str, Any]] = {
    "a key of a megabyte": {"key": HUGE},
    "an empty key and value": {"key": b"", "value": b""},
    "a tombstone without a key": {"key": None, "value": None},
    "a value of a megabyte": {"value": HUGE},
    "thousands of headers": {"headers": [(f"h{n}", b"v") for n in range(5000)]},
    "a header of a megabyte": {"headers": [("h", HUGE)]},
    "a long name of a header": {"headers": [("\0h" * 30_000, b"v")]},
    "no name of a header": {"headers": [("", None), ("", b"")]},
    "a type of a megabyte": {"headers": [("ce_type", HUGE)]},
    "an id of a megabyte": {"headers": [("ce_id", HUGE), ("ce_type", TYPES[0])]},
    "everything twice": {"headers": [(n, b"\0") for n in NAMES for _ in range(2)]},
    "a trace that is none": {"headers": [("ce_type", TYPES[1]), ("traceparent", HUGE)]},
    "before all time": {"timestamp": -(2**63)},
    "after all time": {"timestamp": 2**63 - 1},
}
IGNORED = {"a type of a megabyte", "everything twice"}
"""They say of which type they are, and it is none that is handled here."""


def record(offset: int, **content: Any) -> KafkaRecord:
    fields: dict[str, Any] = {"key": b"k", "value": b"v", "headers": [], "timestamp": 0}
    return KafkaRecord(topic="order.events", partition=0, offset=offset, **fields | content)


class Partition:
    """A partition that takes whatever comes, one offset after the other."""

    def __init__(self, rig: Rig, number: int) -> None:
        self._rig = rig
        self._place = Place("order.events", number)
        self._next = 0
        self.parked = 0

    async def take(self, contents: Sequence[dict[str, Any]]) -> list[KafkaRecord]:
        """Have records come, as a lane has them prepared and applied."""
        if self._next == 0:
            await self._rig.store.begin(self._place, 0)
        records = [record(self._next + n, **each) for n, each in enumerate(contents)]
        worker, base = self._rig.worker, self._next
        batch = await worker.intake.prepare(records)
        applied = await worker.processor.apply(Chunk(self._place, base, batch, base + len(records)))
        self._next = applied.next_offset
        self.parked += applied.parked
        return records

    async def kept(self, offset: int) -> list[tuple[Any, ...]]:
        """Return what is kept of a record."""
        async with self._rig.world.database.connection() as connection:  # type: ignore[attr-defined]
            rows = await connection.execute(
                "select key, value, header_values from parked_message join parked_sequence using (sequence_id)"
                ' where "offset" = %s',
                [offset],
            )
            return list(await rows.fetchall())


async def try_again(rig: Rig) -> None:
    """Have everything that is parked and not dead tried until no attempt is left."""
    while await rig.after(PAUSE_S):
        pass


def test_what_is_parked_is_kept_to_the_byte_and_what_is_told_of_it_is_cut(
    stack: RunningStack,
) -> None:
    async def run() -> None:
        async with rig_on(stack) as rig:
            partition = Partition(rig, 0)
            for what, content in BYTES_IN_PLENTY.items():
                [taken] = await partition.take([content])
                if what in IGNORED:
                    assert await partition.kept(taken.offset) == []
                    continue
                [[key, value, header_values]] = await partition.kept(taken.offset)
                kept = (key, value, header_values)
                assert kept == (taken.key, taken.value, [v for _, v in taken.headers]), what
            await try_again(rig)
            letters = await rig.letters()
            # records of the usual key wait behind the first of them
            assert len(letters) >= 4
            told = [letter.key for letter in letters if letter.key and len(letter.key) > 500]
            assert [key[-30:] for key in told] == [
                f" … ({MEGABYTE - 500:,} bytes left out)".encode()[-30:]
            ]

    asyncio.run(run())


def test_whatever_comes_no_partition_stops(stack: RunningStack) -> None:
    content = st.fixed_dictionaries(
        {
            "key": st.none() | some_bytes,
            "value": st.none() | some_bytes,
            "headers": some_headers,
            "timestamp": some_times,
        }
    )

    with asyncio.Runner() as runner:
        context = rig_on(stack)
        rig = runner.run(context.__aenter__())
        try:
            partition = Partition(rig, 0)

            @settings(
                max_examples=120,
                suppress_health_check=[HealthCheck.function_scoped_fixture],
            )
            @example([{"key": None, "headers": [("ce_id", None), ("ce_type", b"\0")]}])
            @given(st.lists(content, min_size=1, max_size=4))
            def take(contents: list[dict[str, Any]]) -> None:
                runner.run(partition.take(contents))

            take()
            assert partition.parked > 100
            runner.run(try_again(rig))
            runner.run(try_again(rig))
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_records_around_it_take_effect(stack: RunningStack, position: int) -> None:
    async def run() -> None:
        async with rig_on(stack) as rig:
            usual = [rig.placed("a1"), rig.placed("b1")]
            contents: list[dict[str, Any]] = [
                {"key": each.key, "value": each.value, "headers": each.headers} for each in usual
            ]
            contents.insert(position, BYTES_IN_PLENTY["a key of a megabyte"])
            await Partition(rig, 0).take(contents)
            assert await rig.effects() == ["a1", "b1"]

    asyncio.run(run())
