"""Connections to the schemas of all services, to read, shared by everything that looks at them again and again.

There is one for each schema, a dozen of those that a database has for all. So they are opened once, and only while
somebody looks.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psycopg

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
        self._connections: dict[str, SyncConnection] = {}

    @contextmanager
    def opened(self) -> Iterator[Connections]:
        """Have them open while the block runs; what was lost meanwhile is opened anew for whoever comes next."""
        with self._lock:
            self._open()
            self._users += 1
            connections = dict(self._connections)
        try:
            yield connections
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._close()

    def _open(self) -> None:
        held = self._connections
        if held and not any(each.closed for each in held.values()):
            return
        for each in held.values():
            with suppress(psycopg.OperationalError):
                each.execute("select")  # which shows whether it was lost with the other
        try:
            for schema, url in outbox_urls(self._deployment).items():
                if schema not in held or held[schema].closed:
                    held[schema] = connect(url, ONLY_READS, autocommit=True)
        except BaseException:
            if not self._users:
                self._close()
            raise

    def _close(self) -> None:
        while self._connections:
            self._connections.popitem()[1].close()
