"""The loop on which the Kafka clients of a process run: who shares it, and when it ends."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from consumers.runtime.fetch_loop import FetchLoop


async def thread() -> threading.Thread:
    return threading.current_thread()


@pytest.fixture
def guests() -> Iterator[tuple[object, object]]:
    guests = object(), object()
    yield guests
    assert not [each.name for each in threading.enumerate() if each.name == "fetching"]


def test_all_share_a_thread_that_ends_with_the_last_of_them(guests: tuple[object, object]) -> None:
    ours = FetchLoop.enter(guests[0])
    theirs = FetchLoop.enter(guests[1])
    mine = ours.run(thread()).result()
    assert mine is theirs.run(thread()).result() is not threading.current_thread()
    ours.leave(guests[0])
    ours.leave(guests[0])
    assert mine.is_alive()
    theirs.leave(guests[1])
    assert not mine.is_alive()
    assert theirs.loop.is_closed()


def test_what_a_guest_leaves_behind_ends_with_the_loop(guests: tuple[object, object]) -> None:
    fetching = FetchLoop.enter(guests[0])
    began, ended = threading.Event(), threading.Event()

    async def linger() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    fetching.run(linger())
    assert began.wait(5)
    fetching.leave(guests[0])
    assert ended.is_set()


def test_who_comes_after_the_end_gets_another_loop(guests: tuple[object, object]) -> None:
    first = FetchLoop.enter(guests[0])
    first.leave(guests[0])
    assert first.loop.is_closed()
    second = FetchLoop.enter(guests[1])
    assert second.run(thread()).result().name == "fetching"
    second.leave(guests[1])
