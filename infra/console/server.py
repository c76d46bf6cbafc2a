"""Serves a console until it is told to stop."""

import contextlib
import logging
import socket
import sys
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from cdc.logs import FieldLogger
from cdc.signals import told_to_stop
from infra.console.app import create_app
from infra.console.installation import Installation
from infra.console.listening import Listening

GRACE_S = 3
MOST_CONNECTIONS = 1000

log = FieldLogger(__name__)


class Server(uvicorn.Server):
    """A server that ends streams before it waits for what is under way."""

    def __init__(self, app: Starlette, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._end_streams = app.state.end

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Have SIGTERM and SIGINT end it in good order, and not the process after that as well."""
        with told_to_stop(lambda number: self.handle_exit(number, None)):
            yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        await super().shutdown(sockets)


def run(installation: Installation, listening: Listening) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, 1 when it could not start (a sentence says why)."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    try:
        family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
        listener = socket.create_server(
            (listening.host, listening.port), family=family, backlog=128
        )
    except OSError as error:
        where = f"{listening.host} port {listening.port}"
        print(f"cannot start: {where} cannot be listened on ({error.strerror})", file=sys.stderr)
        return 1
    app = create_app(installation, listening)
    certificate, key = listening.certificate or (None, None)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        limit_concurrency=MOST_CONNECTIONS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=GRACE_S,
    )
    log.info("listening", host=listening.host, port=listening.port, mode=installation.mode)
    Server(app, config).run(sockets=[listener])
    log.info("stopped")
    return 0
