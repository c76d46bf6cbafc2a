"""Turns: who shares a transaction, and what becomes of the others when one fails, is slow or is given up."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from consumers.runtime import processor, turns
from consumers.runtime.processor import Applied, Chunk
from consumers.runtime.turns import Turns
from consumers.testing.memory import MemoryDatabase
from tests.rig import Rig, World, in_memory
from tests.runtime_contract.together import chunk_of


class Scene:
    """Turns on a database in memory, whose handlers wait where a test has them wait."""

    def __init__(self, rig: Rig, held: dict[str, asyncio.Event]) -> None:
        self.rig = rig
        self.held = held
        self.turns = Turns(rig.worker.processor, parallel=4)
        self.chunks: dict[str, Chunk] = {}

    def hold(self, label: str) -> asyncio.Event:
        self.held[label] = asyncio.Event()
        return self.held[label]

    async def prepare(self, labels: str) -> None:
        """Make a chunk of one message, handled in bulk, for each label; nothing else can be done meanwhile."""
        for label in labels:
            record = self.rig.confirmed(label)
            self.chunks[label] = await chunk_of(self.rig, ord(label), record)

    async def submit(self, labels: str, **options: Any) -> list[asyncio.Task[Applied]]:
        """Submit prepared chunks, until all of them wait."""
        tasks = [
            asyncio.create_task(self.turns.apply(self.chunks[label], **options)) for label in labels
        ]
        for _ in range(5):
            await asyncio.sleep(0)
        return tasks


def play(scene: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        held: dict[str, asyncio.Event] = {}
        plain = in_memory(MemoryDatabase([]))

        async def write(transaction: list[UUID], message_id: UUID) -> None:
            await plain.write(transaction, message_id)
            if (event := held.get(rig.label_of(message_id))) is not None:
                await event.wait()

        rig = await Rig(World(plain.database, write, plain.written)).start()
        at = Scene(rig, held)
        await at.prepare("abcde")
        await scene(at)

    asyncio.run(run())


def test_what_comes_at_once_shares_a_transaction() -> None:
    async def scene(at: Scene) -> None:
        await asyncio.gather(*await at.submit("abc"))
        assert at.rig.calls == [["a", "b", "c"]]

    play(scene)


def test_who_does_not_share_has_a_transaction_for_each() -> None:
    async def scene(at: Scene) -> None:
        at.turns = Turns(at.rig.worker.processor, parallel=4, shares=False)
        await asyncio.gather(*await at.submit("abc"))
        assert sorted(at.rig.calls) == [["a"], ["b"], ["c"]]

    play(scene)


def test_what_comes_while_a_transaction_is_under_way_shares_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(at: Scene) -> None:
        at.hold("a")
        first = await at.submit("a")
        assert at.rig.calls == [["a"]]
        more = await at.submit("b") + await at.submit("cd")
        assert at.rig.calls == [["a"]]
        at.held["a"].set()
        await asyncio.gather(*first, *more)
        assert at.rig.calls == [["a"], ["b", "c", "d"]]

    monkeypatch.setattr(turns, "LONGEST_WAIT_S", 60.0)
    play(scene)


def test_one_that_fails_is_parked_and_the_others_take_effect_once() -> None:
    async def scene(at: Scene) -> None:
        at.rig.fails["b"] = ZeroDivisionError
        applied = await asyncio.gather(*await at.submit("abc"))
        assert [each.parked for each in applied] == [0, 1, 0]
        assert sorted(await at.rig.effects()) == ["a", "c"]

    play(scene)


def test_a_transient_failure_is_told_to_the_one_that_had_it() -> None:
    async def scene(at: Scene) -> None:
        at.rig.fails["b"] = ConnectionRefusedError
        outcomes = await asyncio.gather(*await at.submit("abc"), return_exceptions=True)
        assert [type(each) for each in outcomes] == [Applied, ConnectionRefusedError, Applied]
        assert sorted(await at.rig.effects()) == ["a", "c"]

    play(scene)


def test_after_a_failure_a_chunk_is_in_nobodys_way() -> None:
    async def scene(at: Scene) -> None:
        tasks = await at.submit("a", has_failed=True) + await at.submit("bc")
        await asyncio.gather(*tasks)
        assert at.rig.calls == [["a"], ["b", "c"]]

    play(scene)


def test_large_chunks_are_applied_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_OF_A_PARTITION", 1)

    async def scene(at: Scene) -> None:
        large = await chunk_of(at.rig, 0, at.rig.confirmed("a1"), at.rig.confirmed("a2"))
        small = [await chunk_of(at.rig, each, at.rig.confirmed(f"b{each}")) for each in (1, 2)]
        await asyncio.gather(*(at.turns.apply(chunk) for chunk in (large, *small)))
        assert at.rig.calls == [["a1", "a2"], ["b1", "b2"]]

    play(scene)


def test_no_more_than_so_many_messages_share_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_TOGETHER", 2)

    async def scene(at: Scene) -> None:
        await asyncio.gather(*await at.submit("abcde"))
        assert at.rig.calls == [["a", "b", "c"], ["d", "e"]]

    play(scene)


async def slow_once(at: Scene, labels: str) -> None:
    """Submit chunks of which the second takes too long together with others, and not by itself."""
    at.rig.calls.clear()
    at.hold(labels[1])
    tasks = await at.submit(labels)
    while len(at.rig.calls) < 2:  # noqa: ASYNC110 - the call is the event
        await asyncio.sleep(0)
    at.held[labels[1]].set()
    await asyncio.gather(*tasks)


def test_a_handler_that_takes_long_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "LONGEST_TOGETHER_S", 0.01)

    async def scene(at: Scene) -> None:
        await slow_once(at, "abc")
        assert sorted(await at.rig.effects()) == ["a", "b", "c"]
        at.rig.calls.clear()
        await asyncio.gather(*await at.submit("de"))
        assert at.rig.calls == [["d"], ["e"]], "for a while every chunk goes by itself"

    play(scene)


async def is_shared(at: Scene, labels: str) -> bool:
    at.rig.calls.clear()
    await asyncio.gather(*await at.submit(labels))
    return at.rig.calls == [list(labels)]


def test_chunks_go_apart_for_longer_each_time_until_all_is_quick_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, first = 0.0, turns.FIRST_APART_S
    monkeypatch.setattr(processor, "LONGEST_TOGETHER_S", 0.01)
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: now))

    async def scene(at: Scene) -> None:
        nonlocal now
        await at.prepare("fghijklmn")
        await slow_once(at, "abc")
        now += first
        await slow_once(at, "de")
        now += first
        assert not await is_shared(at, "fg"), "twice as long"
        now += first
        assert await is_shared(at, "hi")
        await slow_once(at, "jk")
        now += first
        assert await is_shared(at, "lm"), "as long as the first time"

    play(scene)


@pytest.mark.parametrize("given_up", ["a", "b", "c"])
def test_one_that_is_given_up_keeps_nobody_waiting(given_up: str) -> None:
    async def scene(at: Scene) -> None:
        at.hold("a")
        tasks = dict(zip(["a"], await at.submit("a"), strict=True))
        tasks |= dict(zip(["b", "c"], await at.submit("bc"), strict=True))
        tasks.pop(given_up).cancel()
        at.held["a"].set()
        await asyncio.gather(*tasks.values())
        assert set(await at.rig.effects()) >= set(tasks)

    play(scene)


def test_who_leads_others_and_is_given_up_leaves_them_to_themselves() -> None:
    async def scene(at: Scene) -> None:
        at.hold("b")
        leader, *others = await at.submit("abc")
        leader.cancel()
        at.held["b"].set()
        await asyncio.gather(*others)
        assert leader.cancelled()
        assert sorted(await at.rig.effects()) == ["b", "c"]

    play(scene)


def test_a_chunk_is_what_it_says() -> None:
    async def scene(at: Scene) -> None:
        chunk = await chunk_of(at.rig, 3, at.rig.placed("a1"), at.rig.cancelled("b1"))
        assert isinstance(chunk, Chunk)
        assert (chunk.claim.base, chunk.claim.next_offset) == (0, 2)
        assert len(chunk.claim.message_ids) == 1, "what nobody handles is not noted"

    play(scene)
