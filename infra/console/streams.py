"""What keeps a page up to date: one stream of Server-Sent Events for all of its panels."""

from collections.abc import AsyncIterator, Sequence

from starlette.responses import StreamingResponse

from infra.console.board import Board
from infra.console.events import event
from infra.console.visitor import Visitor, present

HEARTBEAT_S = 4.0
"""How often a stream says that it is there; a page that hears nothing for three times as long says so."""
RETRY_MS = 1_000

HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # nginx would hold events back


def stream(board: Board, panels: Sequence[str], process: str) -> StreamingResponse:
    return StreamingResponse(
        _events(board, panels, process, present()), headers=HEADERS, media_type="text/event-stream"
    )


async def _events(
    board: Board, panels: Sequence[str], process: str, visitor: Visitor
) -> AsyncIterator[bytes]:
    with board.watched(panels):
        yield f"retry: {RETRY_MS}\n\n".encode() + event("hello", process)
        told = dict.fromkeys(panels, 0)
        is_heard = False
        while visitor.is_welcome() and not board.is_ending:
            since = board.changes
            news = b""
            for name in panels:
                shown = board.shown(name)
                if shown.version != told[name]:
                    told[name] = shown.version
                    news += shown.event
            if news or not is_heard:
                yield news or event("here", "")
            is_heard = await board.change(since, HEARTBEAT_S)
