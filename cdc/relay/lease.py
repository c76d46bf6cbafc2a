"""A relay's seat among the others: the shards it holds, the notifications it is sent, the progress it marks.

All of it goes over one database session, so that a relay which has lost its locks cannot mark anything any more either.
"""

import contextlib
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from cdc.database import connect
from cdc.relay.progress import Progress
from cdc.relay.settings import RelaySettings
from cdc.sql import load_queries

QUERIES = load_queries(__package__)
CHANNEL = "tailrace_outbox"

Held = dict[str, dict[int, Progress]]
"""Outbox -> shard -> how far it has come."""


class SeatLostError(Exception):
    """Another relay may hold the shards by now; nothing that is under way may be published any more."""


class ShardLease:
    """The locks of a relay."""

    def __init__(
        self, connection: psycopg.Connection[Any], holder: str, settings: RelaySettings
    ) -> None:
        self._connection = connection
        self._holder = holder
        self._settings = settings
        self._signed_at = self._contact = time.monotonic()
        self._shards: set[int] = set()
        self._free: list[int] = []
        self.relays = 0
        """How many relays live."""
        self.total = 0
        """How many shards there are."""

    @classmethod
    @contextmanager
    def open(cls, settings: RelaySettings, holder: str) -> Iterator["ShardLease"]:
        """Take a seat, and give the shards back in good order when the block ends."""
        with connect(settings.database_url, autocommit=True, prepare_threshold=1) as connection:
            connection.execute(
                "select set_config('application_name', 'tailrace relay', false),"
                "       set_config('idle_session_timeout', %s, false),"
                # a mark that a crash of the server takes back means duplicates and nothing else
                "       set_config('synchronous_commit', 'off', false)",
                [f"{settings.relay_takeover_s * 1000:.0f}ms"],
            )
            seat = cls(connection, holder, settings)
            seat.query("live")
            connection.execute(f"listen {CHANNEL}")
            try:
                yield seat
            finally:
                with contextlib.suppress(psycopg.Error):
                    seat.give_back(set(seat._shards))

    @property
    def deadline(self) -> float:
        """Until when something may be handed to the producer, on the monotonic clock."""
        return self._contact + self._settings.contact_s

    @property
    def shards(self) -> Collection[int]:
        return sorted(self._shards)

    def is_sign_due(self) -> bool:
        """Whether it is time to show that we live, and to look whether the others do."""
        return time.monotonic() - self._signed_at >= self._settings.sign_s

    def sign(self) -> Collection[int]:
        """Show that we live, look who else does, and return the shards that are beyond our fair share."""
        [[self.relays, shards, self._free]] = self.query("state")
        self.total = len(shards)
        self._signed_at = time.monotonic()
        return sorted(self._shards)[self._fair_share() :]

    def touch(self) -> None:
        if time.monotonic() - self._contact >= self._settings.sign_s:
            self.query("touch")

    def give_back(self, shards: Collection[int]) -> None:
        """Let others take shards; their progress must be marked."""
        if not shards:
            return
        self.query("leave", shards=list(shards), holder=self._holder)
        for shard in shards:
            self.query("unlock", shard=shard)
        self._shards -= set(shards)

    def take(self) -> Held:
        """Take what is free, up to a fair share; return what is new to us, and how far it has come.

        Outboxes that were added to those we publish are new, too.
        """
        for shard in self._free:
            if len(self._shards) >= self._fair_share():
                break
            [[locked]] = self.query("try_lock", shard=shard)
            if locked:
                self._shards.add(shard)
        learnt: Held = defaultdict(dict)
        for outbox, shard, *progress in self.query(
            "enter", shards=list(self._shards), holder=self._holder
        ):
            learnt[outbox][shard] = Progress(*progress)
        return learnt

    def mark(self, outbox: str, shards: Collection[int], progress: Progress) -> None:
        """Note that shards have come so far.

        Raises:
            SeatLostError: they are not ours any more.
        """
        marked = self._execute(
            "mark",
            progress._asdict() | {"outbox": outbox, "shards": list(shards), "holder": self._holder},
        ).rowcount
        if marked != len(shards):
            raise SeatLostError(f"{len(shards) - marked} shards of {outbox} are not ours any more")

    def notified(self, timeout_s: float) -> set[str]:
        """Return the outboxes of which notifications came, waiting for the first of them.

        Args:
            timeout_s: Longest wait; with 0, only what is here already.
        """
        notifications = self._connection.notifies(timeout=timeout_s, stop_after=1)
        return {notification.payload for notification in notifications}

    def query(self, name: str, **values: Any) -> list[Any]:
        """Run a statement of `queries.sql` and return its rows; that it was answered is a sign of life."""
        cursor = self._execute(name, values)
        return cursor.fetchall() if cursor.description else []

    def query_many(self, name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement of `queries.sql` for each of some parameters, all in one transaction."""
        asked_at = time.monotonic()
        with self._connection.transaction():
            self._connection.cursor().executemany(QUERIES[name], parameters)
        self._contact = asked_at

    def _execute(self, name: str, values: dict[str, Any]) -> psycopg.Cursor[Any]:
        asked_at = time.monotonic()
        cursor = self._connection.execute(QUERIES[name], values or None)
        self._contact = asked_at
        return cursor

    def _fair_share(self) -> int:
        return -(-self.total // max(1, self.relays))
