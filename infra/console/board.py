"""What open pages show: gathered once for all of them, only while there are any, each source on its own."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cdc.chores import cancel
from cdc.database import only_reading
from cdc.logs import FieldLogger
from infra.console.events import event
from infra.errors import explain

LINGER_S = 10.0
"""How long a source goes on when nobody looks any more: who comes back, or goes to the next page, need not wait."""
OVERDUE_S = 5.0
"""What has not answered for so long is said to be silent; what it said before is no longer shown."""

Look = Callable[[], Any]

log = FieldLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source said last."""

    value: Any = None
    trouble: str | None = None  # a sentence; there is no value then
    at: datetime | None = None  # when it was said; None when nothing was yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something to look at again and again.

    Args:
        open: Opens what is looked through, in a thread that the source has to itself; what it gives is called for each
            look. When a look fails, it is closed, and opened anew for the next.
        every_s: Seconds between looks.
    """

    name: str
    open: Callable[[], AbstractContextManager[Look]]
    every_s: float


class Watched:
    """A source, looked at while anybody wants to know.

    Args:
        told: Called when it has said something, with what it said before.
    """

    def __init__(self, source: Source, told: Callable[[Reading], None]) -> None:
        self.reading = Reading()
        self._source = source
        self._told = told
        self._wanted = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def want(self) -> None:
        self._wanted += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None:
            self._task = asyncio.create_task(self._go_on())

    def leave(self) -> None:
        self._wanted -= 1
        if not self._wanted:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LINGER_S, self._stop)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await cancel([self._task])

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = self._timer = None
        self.reading = Reading()

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        # one thread, so that what is opened is used by who opened it, and a silent server holds up nobody else
        thread = ThreadPoolExecutor(1, thread_name_prefix=self._source.name)
        opened = ExitStack()
        try:
            look: Look | None = None
            while True:
                begun_at = loop.time()
                looking = loop.run_in_executor(thread, self._look, opened, look)
                look, reading = await self._patiently(looking, begun_at)
                self._say(reading)
                await asyncio.sleep(max(0.0, self._source.every_s - (loop.time() - begun_at)))
        finally:
            thread.submit(opened.close)
            thread.shutdown(wait=False)

    async def _patiently(
        self, looking: "asyncio.Future[tuple[Look | None, Reading]]", begun_at: float
    ) -> tuple[Look | None, Reading]:
        """Wait for a look however long it takes, and say meanwhile that there is no answer."""
        while True:
            done, _ = await asyncio.wait({looking}, timeout=OVERDUE_S)
            if done:
                return looking.result()
            silent_s = asyncio.get_running_loop().time() - begun_at
            trouble = (
                f"There has been no answer for {silent_s:.0f} s; `tailrace status` shows what runs."
            )
            self._say(Reading(None, trouble, self.reading.at))

    def _look(self, opened: ExitStack, look: Look | None) -> tuple[Look | None, Reading]:
        try:
            with only_reading():
                if look is None:
                    look = opened.enter_context(self._source.open())
                return look, Reading(look(), None, datetime.now(UTC))
        except Exception as error:
            sentence = explain(error)
            if sentence is None:
                log.exception("failed", source=self._source.name)
                sentence = "The console has failed at this: `tailrace logs console` has more."
            try:
                opened.close()
            except Exception:
                log.exception("failed to close", source=self._source.name)
            return None, Reading(None, sentence, datetime.now(UTC))

    def _say(self, reading: Reading) -> None:
        before, self.reading = self.reading, reading
        self._told(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A part of a page that is kept up to date.

    Args:
        name: Of the element of the page, too.
        sources: Names of what it shows.
        render: Makes HTML of what they said last.
    """

    name: str
    sources: Sequence[str]
    render: Callable[[Mapping[str, Reading]], str]


@dataclass(slots=True)
class Shown:
    """A panel as it is shown, and how often that has changed."""

    panel: Panel
    html: str = ""
    event: bytes = b""  # the same as a stream tells it, to whoever listens
    version: int = 0
    is_outdated: bool = True
    watched_by: int = 0


class Board:
    """The panels of all pages."""

    def __init__(self, sources: Sequence[Source], panels: Sequence[Panel]) -> None:
        self.is_ending = False
        self.changes = 0
        self._changed = asyncio.Event()
        self._shown = {panel.name: Shown(panel) for panel in panels}
        self._watched = {
            source.name: Watched(source, partial(self._outdate, source.name)) for source in sources
        }

    def knows(self, name: str) -> bool:
        return name in self._shown

    def shown(self, name: str) -> Shown:
        """Return a panel with what its sources said last."""
        shown = self._shown[name]
        if shown.is_outdated:
            html = shown.panel.render(
                {each: self._watched[each].reading for each in shown.panel.sources}
            )
            if html != shown.html:
                shown.html, shown.version = html, shown.version + 1
                shown.event = event(name, html)
            shown.is_outdated = False
        return shown

    @contextmanager
    def watched(self, names: Sequence[str]) -> Iterator[None]:
        """Have panels kept up to date while the block runs, and for a moment longer."""
        wanted = {each for name in names for each in self._shown[name].panel.sources}
        for each in wanted:
            self._watched[each].want()
        for name in names:
            self._shown[name].watched_by += 1
        try:
            yield
        finally:
            for name in names:
                self._shown[name].watched_by -= 1
            for each in wanted:
                self._watched[each].leave()

    async def first(self, names: Sequence[str], timeout_s: float) -> None:
        """Wait until every source of panels has said something, but not for long."""
        sources = {each for name in names for each in self._shown[name].panel.sources}
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while any(self._watched[each].reading.at is None for each in sources):
                    await self._changed.wait()

    async def change(self, since: int, timeout_s: float) -> bool:
        """Wait until something may have changed since so many changes; tell whether it did before the time was over."""
        if self.changes == since:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
        return self.changes != since

    def end(self) -> None:
        """Have streams end."""
        self.is_ending = True
        self._wake()

    async def close(self) -> None:
        for each in self._watched.values():
            await each.close()

    def _outdate(self, source: str, before: Reading) -> None:
        """Make the panels that show a source anew, once for all who look, and wake these when one has changed."""
        has_changed = before.at is None
        for name, shown in self._shown.items():
            if source in shown.panel.sources:
                shown.is_outdated = True
                has_changed |= bool(shown.watched_by) and self._changes(name)
        if has_changed:
            self._wake()

    def _changes(self, name: str) -> bool:
        version = self._shown[name].version
        try:
            return self.shown(name).version != version
        except Exception:
            # whoever looks at it fails likewise, and the source goes on for others
            log.exception("failed", panel=name)
            return True

    def _wake(self) -> None:
        self.changes += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
