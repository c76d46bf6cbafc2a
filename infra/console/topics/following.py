"""What comes to a topic, told to a page as it comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from cdc.tail import TailedRecord
from infra.console.events import event
from infra.console.streams import HEARTBEAT_S, RETRY_MS
from infra.deployment import Deployment
from infra.errors import explain
from infra.operations.records import Filter, follow

MOST = 8
"""Pages that follow at once; each has a client of Kafka."""
SHOWN = 50
"""Records that are told at once; of what comes on top it is told how many they are."""
TOLD_EVERY_S = 0.5
AGAIN_MS = 5_000


_places = asyncio.Semaphore(MOST)


async def stream(
    deployment: Deployment,
    wanted: Filter,
    is_ending: Callable[[], bool],
    render: Callable[[TailedRecord], str],
) -> AsyncIterator[bytes]:
    """Yield events: `record` with HTML of one, `more` with how many are left out, `trouble` with a sentence."""
    if _places.locked():
        yield _trouble(f"{MOST} pages follow topics already; close one of them.")
        return
    async with _places:
        thread = ThreadPoolExecutor(1, thread_name_prefix="follow")
        opened = follow(deployment, wanted)
        loop = asyncio.get_running_loop()
        try:
            yield f"retry: {RETRY_MS}\n\n".encode() + event("here", "")
            portions = await loop.run_in_executor(thread, opened.__enter__)
            heard_at = 0.0
            while not is_ending():
                records, over = await loop.run_in_executor(thread, _gathered, portions)
                news = b"".join(event("record", render(each)) for each in records)
                news += event("more", str(over)) if over else b""
                if news or time.monotonic() - heard_at > HEARTBEAT_S:
                    yield news or event("follows", "")
                    heard_at = time.monotonic()
        except Exception as error:
            if (sentence := explain(error)) is None:
                raise
            yield _trouble(sentence)
        finally:
            # in the thread that has used it, and after what it does just now
            thread.submit(opened.__exit__, None, None, None)
            thread.shutdown(wait=False)


def _trouble(sentence: str) -> bytes:
    """Return what a page shows until it has tried again."""
    return f"retry: {AGAIN_MS}\n\n".encode() + event("trouble", sentence)


def _gathered(portions: Iterator[Sequence[TailedRecord]]) -> tuple[list[TailedRecord], int]:
    """Return what comes within a moment: the last so many, and how many more there were."""
    found: list[TailedRecord] = []
    until = time.monotonic() + TOLD_EVERY_S
    for portion in portions:
        found += portion
        if time.monotonic() > until:
            break
    return found[-SHOWN:], max(0, len(found) - SHOWN)
