"""Sources are looked at once for all, only while somebody wants to know, and each for itself."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from infra.console import board as module
from infra.console import routes
from infra.console.board import Board, Panel, Reading, Source
from infra.console.events import event
from infra.console.installation import Installation
from infra.console.streams import stream
from infra.errors import TailraceError


class Look:
    """Something to look at, which counts how often it was."""

    def __init__(self) -> None:
        self.opened = self.closed = self.looks = 0
        self.fails: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()

    @contextmanager
    def open(self) -> Iterator[Callable[[], int]]:
        self.opened += 1
        try:
            yield self.look
        finally:
            self.closed += 1

    def look(self) -> int:
        self.hold.wait(30)
        self.looks += 1
        if self.fails:
            raise self.fails
        return self.looks


def board_of(**looks: Look) -> Board:
    def render(readings: Mapping[str, Reading]) -> str:
        [reading] = readings.values()
        return reading.trouble or str(reading.value)

    return Board(
        [Source(name=name, open=look.open, every_s=0.01) for name, look in looks.items()],
        [Panel(name=name, sources=(name,), render=render) for name in looks],
    )


async def until(board: Board, happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not happened():
            await board.change(board.changes, 0.05)


def counts(board: Board, name: str) -> bool:
    return board.shown(name).html.isdigit()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_S", 0.05)


def test_many_pages_look_once_and_the_last_one_ends_it() -> None:
    async def test() -> None:
        look = Look()
        board = board_of(one=look)
        with board.watched(["one"]):
            with board.watched(["one"]):
                await until(board, lambda: look.looks >= 3)
            await until(board, lambda: look.looks >= 6)
            assert (look.opened, look.closed) == (1, 0)
        await until(board, lambda: look.closed == 1)
        with board.watched(["one"]):
            await until(board, lambda: look.opened == 2)
        await board.close()

    run(test())


def test_what_says_the_same_again_wakes_nobody() -> None:
    class Same(Look):
        def look(self) -> int:
            super().look()
            return 7

    async def test() -> None:
        look = Same()
        board = board_of(one=look)
        with board.watched(["one"]):
            await until(board, lambda: counts(board, "one"))
            changes, looks = board.changes, look.looks
            await until(board, lambda: look.looks >= looks + 5)
            assert board.changes == changes
        await board.close()

    run(test())


def test_a_panel_that_cannot_be_made_holds_up_no_source() -> None:
    async def test() -> None:
        look = Look()
        board = board_of(one=look)
        board.shown("one")

        def fail(_: Mapping[str, Reading]) -> str:
            raise ZeroDivisionError

        board._shown["one"].panel = Panel(name="one", sources=("one",), render=fail)
        with board.watched(["one"]):
            await until(board, lambda: look.looks >= 3)
            with pytest.raises(ZeroDivisionError):
                board.shown("one")
        await board.close()

    run(test())


def test_what_the_first_page_needs_is_ready_before_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routes, "WARM_AFTER_S", 0)
    installation = Installation(
        deployment=None,  # type: ignore[arg-type]  # nothing is asked of it
        local=None,
        mode="look",
        actor="ada",
    )
    loaded: list[routes.Site] = []

    def load(site: routes.Site) -> Callable[[], Board]:
        loaded.append(site)
        return lambda: Board((), ())

    async def test() -> None:
        site = routes.Site(installation, "process", load)
        await site.warm_up()
        await site.board()
        assert loaded == [site]
        await site.close()

    run(test())


def test_who_comes_back_in_time_finds_it_going_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_S", 30)

    async def test() -> None:
        look = Look()
        board = board_of(one=look)
        for _ in range(3):
            with board.watched(["one"]):
                await board.first(["one"], 10)
                assert board.shown("one").html.isdigit()
        assert look.opened == 1
        await board.close()

    run(test())


def test_what_fails_is_told_in_a_sentence_and_opened_anew_while_others_go_on() -> None:
    async def test() -> None:
        broken, good = Look(), Look()
        broken.fails = TailraceError("Kafka is away")
        board = board_of(broken=broken, good=good)
        with board.watched(["broken", "good"]):
            await until(board, lambda: broken.opened > 2 and good.looks > 2)
            assert board.shown("broken").html == "Kafka is away."
            assert board.shown("good").html.isdigit()
            assert good.opened == 1
            broken.fails = None
            await until(board, lambda: counts(board, "broken"))
        await board.close()

    run(test())


def test_a_fault_of_ours_is_told_too() -> None:
    async def test() -> None:
        look = Look()
        look.fails = ZeroDivisionError("oops")
        board = board_of(one=look)
        with board.watched(["one"]):
            await board.first(["one"], 10)
            assert "The console has failed at this" in board.shown("one").html
        await board.close()

    run(test())


def test_what_is_silent_is_said_to_be_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OVERDUE_S", 0.05)

    async def test() -> None:
        frozen, good = Look(), Look()
        board = board_of(frozen=frozen, good=good)
        with board.watched(["frozen", "good"]):
            await until(board, lambda: frozen.looks > 1)
            frozen.hold.clear()
            await until(board, lambda: "There has been no answer" in board.shown("frozen").html)
            looked = good.looks
            await until(board, lambda: good.looks > looked + 2)
            frozen.hold.set()
            await until(board, lambda: counts(board, "frozen"))
        await board.close()

    run(test())


def test_a_stream_tells_what_changes_and_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.console.streams.HEARTBEAT_S", 0.05)

    async def test() -> None:
        look = Look()
        board = board_of(one=look)
        answer = stream(board, ["one"], "the process")
        assert answer.headers["x-accel-buffering"] == "no"
        told = aiter(answer.body_iterator)
        first = bytes(await anext(told))  # type: ignore[arg-type]
        assert first == b"retry: 1000\n\nevent: hello\ndata: the process\n\n"
        while not bytes(await anext(told)).startswith(b"event: one\ndata: "):  # type: ignore[arg-type]
            pass
        look.hold.clear()
        while bytes(await anext(told)) != event("here", ""):  # type: ignore[arg-type]
            pass
        look.hold.set()
        board.end()
        async for _ in told:
            pass
        await board.close()

    run(test())


def test_lines_of_a_panel_are_lines_of_its_event() -> None:
    assert event("one", "a\nb") == b"event: one\ndata: a\ndata: b\n\n"
