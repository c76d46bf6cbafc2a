"""Connections to the schemas of all services, to read, shared by everything that looks at them again and again.

There is one for each schema, a dozen of those that a database has for all. So they are opened once, and only while
somebody looks.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from cdc.database import ONLY_READS, SyncConnection, connect
from infra.capture import outbox_urls
from infra.deployment import Deployment

Connections = Mapping[str, SyncConnection]
"""Schema -> connection that leads to it, in autocommit; threads may share it. Canaries of a database besides the main
one have its name behind theirs, as `Capture.label` says."""


class Schemas:
    """The schemas of an installation."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._lock = threading.Lock()
        self._users = 0
        self._opened = ExitStack()
        self._connections: Connections = {}

    @contextmanager
    def opened(self) -> Iterator[Connections]:
        """Have them open while the block runs. One that is broken is opened anew when nobody uses it any more."""
        with self._lock:
            if not self._users:
                self._connections = self._open()
            self._users += 1
        try:
            yield self._connections
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._opened.close()

    def _open(self) -> Connections:
        with ExitStack() as opening:
            connections = {
                schema: opening.enter_context(connect(url, ONLY_READS, autocommit=True))
                for schema, url in outbox_urls(self._deployment).items()
            }
            self._opened = opening.pop_all()
        return connections
