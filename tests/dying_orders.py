"""An orders service that is killed as it answers a POST: `python -m tests.dying_orders before|after` the commit.

What kills it is SIGKILL, from inside, so that it comes at one place and not somewhere near it.
"""

import os
import signal
import sys
from datetime import timedelta

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdc.service import load
from producers.orders.bootstrap import Settings, create_app
from producers.rest.idempotency.transaction import KeptAnswer, KeyedTransaction
from producers.rest.server import run


class DiesBeforeItAnswers:
    """ASGI middleware that kills the process with the first byte of the answer to a POST."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def never_sent(message: Message) -> None:
            if scope["type"] == "http" and scope["method"] == "POST":
                die()
            await send(message)

        await self._app(scope, receive, never_sent)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def die_before_the_commit(
    _: KeyedTransaction, answer: KeptAnswer, *, kept_for: timedelta
) -> None:
    assert (answer.status, kept_for > timedelta()) == (201, True)
    die()


def main() -> int:
    settings = load(Settings)
    app = create_app(settings)
    if sys.argv[1] == "before":
        KeyedTransaction.keep = die_before_the_commit  # type: ignore[method-assign, assignment]
    app.add_middleware(DiesBeforeItAnswers)
    return run(app, host=settings.host, port=settings.port)


if __name__ == "__main__":
    sys.exit(main())
