"""One event loop in one thread, on which the Kafka clients of all workers of a process run.

With a thread each, as Faust has it, ten threads take the interpreter lock from the handlers and from each other for
every record that ten consumers read. None of them runs code of a handler, so none has to be kept from the others.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class FetchLoop:
    """An event loop that is there from its first guest until its last has left, and runs as soon as one has work.

    Guests come and go in the main thread.

    Attributes:
        loop: What runs in the thread.
    """

    _current: "FetchLoop | None" = None

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._guests: set[object] = set()
        self._is_empty = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fetching", daemon=True)

    @classmethod
    def enter(cls, guest: object) -> "FetchLoop":
        """Return the loop of this process, for one guest more."""
        if cls._current is None:
            cls._current = cls()
        cls._current._guests.add(guest)  # noqa: SLF001 - its own class
        return cls._current

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have it work on something."""
        if self._thread.ident is None:
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def leave(self, guest: object) -> None:
        """End the loop if nobody else is left, and what its guests have left behind on it."""
        if guest not in self._guests:
            return
        self._guests.remove(guest)
        if self._guests:
            return
        FetchLoop._current = None
        if self._thread.ident is None:
            self.loop.close()
        else:
            self.loop.call_soon_threadsafe(self._is_empty.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        await self._is_empty.wait()
