"""One run: sends the orders of a source and follows each to its end."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from cdc.ids import new_id
from infra.demo.asking import Asker
from infra.demo.follow import Follower, Looks, Seen
from infra.demo.ledger import Ledger
from infra.demo.orders import BadRow, DemoError, NewOrder, Source
from infra.demo.send import Refused, Sender, Unknown, Unsent, open_client
from schemas.codec import Codec

LAST_ANSWERS_S = 3.0  # how long answers under way are still waited for once the run has stopped
MAX_PROBLEMS = 100  # problems kept for the result; the display is told of all


class Display(Protocol):
    """Shows how far the run has come."""

    def moved(self, rows: int) -> None: ...

    def problem(self, problem: str) -> None: ...


class Run:
    """One run; it lives on the event loop it was made on.

    Args:
        concurrency: Most orders under way at once.
        per_s: Orders begun in a second, on average, as after a stall a burst catches up; None for as many as possible.
        timeout_s: Longest time in which nothing moves.
    """

    def __init__(
        self, display: Display, *, concurrency: int, per_s: float | None, timeout_s: float
    ) -> None:
        self.ledger = Ledger()
        self.rows = self.bad_rows = self.refused = self.unsent = self.replayed = 0
        self.problems: list[str] = []
        self.stopped: str | None = None
        self.interrupted = asyncio.Event()
        self.others = 0  # events of orders that somebody else has sent meanwhile
        self._ours: set[str] = set()
        self._display = display
        self._concurrency = concurrency
        self._pause_s = 1 / per_s if per_s else 0.0
        self._timeout_s = timeout_s
        self._sending_over = asyncio.Event()
        self._waiting_over = False
        self._changed = asyncio.Event()
        self._moved_at = (
            time.monotonic()
        )  # by an order that was begun, or by whatever became of one
        self._came_through_at = self._moved_at  # by the latter alone
        self._posts: set[asyncio.Task[None]] = set()

    async def conduct(
        self, source: Source, storefront_url: str, looks: Looks, codec: Codec
    ) -> None:
        """Send everything and see it to its end, or until nothing moves or the user interrupts."""
        loop = asyncio.get_running_loop()
        follower = Follower(
            looks,
            codec,
            wanted=self.ledger.__contains__,
            ours=self._ours.__contains__,
            seen=lambda seen: loop.call_soon_threadsafe(self._on_event, seen),
            failed=lambda error: loop.call_soon_threadsafe(self._on_blind, error),
        )
        async with open_client(storefront_url, connections=self._concurrency) as http:
            asker = Asker(
                http,
                timeout_s=self._timeout_s,
                stopping=self._sending_over,
                moved_at=lambda: self._came_through_at,
            )
            sender = Sender(asker)
            self._moved_at = self._came_through_at = time.monotonic()
            follower.start()
            try:
                await self._send_all(source, sender)
                await self._until(lambda: self.ledger.is_settled)
                await self._last_answers()
            finally:
                self.replayed = sender.replayed
                follower.stop()
                self.others = follower.others

    def interrupt(self) -> None:
        self.interrupted.set()
        self._end("interrupted")

    def problem(self, problem: str) -> None:
        self._display.problem(problem)
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    async def _send_all(self, source: Source, sender: Sender) -> None:
        due = time.monotonic()
        try:
            for item in source:
                if isinstance(item, BadRow):
                    self._on_bad_row(item)
                    # However many follow each other, they must not hold up the orders under way.
                    await asyncio.sleep(0)
                elif await self._until(self._may_send):
                    await self._stopped_until(due)
                    self._begin(sender, item)
                    due += self._pause_s
                if self._sending_over.is_set():
                    return
        except (DemoError, OSError) as error:
            self.problem(str(error))
            self.stopped = f"the rest of {source.name} cannot be read"

    async def _stopped_until(self, due: float) -> None:
        """Wait until it is time for the next order, or none is to be sent any more."""
        with suppress(TimeoutError):
            # the loop's clock is the monotonic one
            async with asyncio.timeout_at(due):
                await self._sending_over.wait()

    def _may_send(self) -> bool:
        return self._sending_over.is_set() or self.ledger.awaited < self._concurrency

    def _begin(self, sender: Sender, order: NewOrder) -> None:
        if self._sending_over.is_set():
            return
        self.rows += order.rows
        self._moved_at = time.monotonic()
        correlation_id = str(new_id())
        self._ours.add(correlation_id)
        self.ledger.begin(correlation_id, order, at=time.perf_counter())
        post = asyncio.create_task(self._post(sender, correlation_id, order))
        self._posts.add(post)
        post.add_done_callback(self._on_sent)

    async def _post(self, sender: Sender, correlation_id: str, order: NewOrder) -> None:
        match await sender.send(order, correlation_id):
            case Refused(reason):
                self.refused += 1
                self.problem(f"{order.place}: {reason}")
                self._move(self.ledger.drop(correlation_id))
            case Unsent(reason):
                self.unsent += 1
                self.problem(f"{order.place}: not sent: {reason}")
                self._end_sending(f"orders could not be sent for {self._timeout_s:g} s: {reason}")
                self._move(self.ledger.drop(correlation_id))
            case Unknown(reason):
                self._move(self.ledger.lost(correlation_id, reason))
            case answer:
                at = time.perf_counter()
                self._move(self.ledger.answered(correlation_id, answer, at=at))

    async def _until(self, condition: Callable[[], bool]) -> bool:
        """Wait until the condition holds; return False when it will not, as nothing moves any more."""
        while not condition():
            if self._waiting_over:
                return False
            self._changed.clear()
            try:
                async with asyncio.timeout_at(self._moved_at + self._timeout_s):
                    await self._changed.wait()
            except TimeoutError:
                if time.monotonic() >= self._moved_at + self._timeout_s:
                    self._end(f"nothing has moved for {self._timeout_s:g} s, see `tailrace status`")
        return True

    async def _last_answers(self) -> None:
        """Give the answers under way a moment; what is cut off then stays unknown."""
        if self._posts:
            await asyncio.wait(self._posts, timeout=LAST_ANSWERS_S)
        for post in self._posts:
            post.cancel()
        await asyncio.gather(*self._posts, return_exceptions=True)

    def _on_sent(self, post: asyncio.Task[None]) -> None:
        self._posts.discard(post)
        error = None if post.cancelled() else post.exception()
        if error is not None:
            self._end(f"sending failed with an unexpected error: {error!r}")

    def _on_bad_row(self, row: BadRow) -> None:
        self.rows += 1
        self.bad_rows += 1
        self.problem(str(row))
        self._display.moved(1)

    def _on_event(self, seen: Seen) -> None:
        self._move(self.ledger.seen(seen))

    def _on_blind(self, error: Exception) -> None:
        self._end(f"order events cannot be read any more: {error}")

    def _move(self, done: NewOrder | None) -> None:
        self._moved_at = self._came_through_at = time.monotonic()
        self._changed.set()
        if done is not None:
            self._display.moved(done.rows)

    def _end_sending(self, reason: str) -> None:
        self.stopped = self.stopped or reason
        self._sending_over.set()
        self._changed.set()

    def _end(self, reason: str) -> None:
        self._waiting_over = True
        self._end_sending(reason)
