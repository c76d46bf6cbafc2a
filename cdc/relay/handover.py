"""Handing the work over between the connector and the relay, so that nothing is lost on the way.

While `progress` has rows the relay owes what they do not cover; without rows it is the connector that publishes, from
its slot on. Every step can be repeated, and either publisher can be gone back to, wherever the last attempt has ended.
"""

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from cdc.database import connect
from cdc.relay.backlog import current_snapshot, is_published, situation
from cdc.relay.relay import Relay
from cdc.relay.settings import RelaySettings
from cdc.sql import load_queries

QUERIES = load_queries(__package__, "handover.sql")
SHARDS = 16
BEGINNING = "3:3:"
"""The snapshot that sees nothing: 3 is the first transaction of a cluster."""
POLL_S = 0.1
ATTEMPT_S = 2.0


class HandoverError(Exception):
    """The work cannot be handed over now; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Two publishers of the same outboxes."""

    owner_url: str
    replication_url: str
    relay: str
    outboxes: Collection[str]
    slot: str

    def is_relays(self) -> bool:
        with self._owner() as connection:
            [[publishing]] = connection.execute(QUERIES["is_publishing"]).fetchall()
        return bool(publishing)

    def to_relay(self) -> list[str]:
        """Let the relay publish what the connector has not confirmed; the connector must have been stopped before.

        Without a slot that tells where to begin, it begins at the beginning. Nothing changes for outboxes that are the
        relay's already.

        Returns:
            The outboxes that are new to the relay.
        """
        with self._owner() as connection, connection.transaction():
            since = self._horizon(connection)
            self._admit(connection)
            rows = connection.execute(
                QUERIES["begin"],
                {"since": since, "outboxes": list(self.outboxes), "shards": SHARDS},
            ).fetchall()
        return sorted({outbox for [outbox] in rows})

    def drop_slot(self) -> bool:
        """Drop the connector's slot, which would hold back the WAL for ever; tell whether there was one."""
        with connect(self.replication_url, autocommit=True) as connection:
            return bool(connection.execute(QUERIES["drop_slot"], {"slot": self.slot}).rowcount)

    def to_connector(
        self, settings: RelaySettings, *, timeout_s: float, cancelled: threading.Event
    ) -> bool:
        """Make the slot from which the connector will go on, and publish what was committed before it.

        The supervised relays should have been stopped, the connector must not run yet.

        Returns:
            Whether there was anything to hand over.
        """
        if not self.is_relays():
            return False
        self._ensure_slot(timeout_s, cancelled)
        drain(settings, timeout_s=timeout_s, cancelled=cancelled)
        if set_aside := situation(settings.database_url).set_aside:
            raise HandoverError(
                f"the connector would never publish what is set aside: {set_aside[0].told}; {set_aside[0].remedy}, "
                "then try again"
            )
        with self._owner() as connection, connection.transaction():
            connection.execute(QUERIES["end"])
            self._dismiss(connection)
        return True

    def _owner(self) -> psycopg.Connection[Any]:
        connection = connect(self.owner_url, autocommit=True)
        connection.execute("select set_config('search_path', quote_ident(%s), false)", [self.relay])
        return connection

    def _horizon(self, connection: psycopg.Connection[Any]) -> str:
        found = connection.execute(QUERIES["slot_horizon"], {"slot": self.slot}).fetchone()
        if found is None:
            return BEGINNING
        [[publishing]] = connection.execute(QUERIES["is_publishing"]).fetchall()
        for outbox in [] if publishing else self.outboxes:
            path = sql.SQL("set local search_path = {}").format(sql.Identifier(outbox))
            connection.execute(path)
            question = QUERIES["unconfirmed_of_before"]
            [[unconfirmed]] = connection.execute(question, {"slot": self.slot}).fetchall()
            if unconfirmed:
                raise HandoverError(
                    f"{outbox} has messages from before the relay was supported that the connector has not "
                    "confirmed yet: run `make up PUBLISHER=cdc` until `make doctor` finds nothing, then try again"
                )
        path = sql.SQL("set local search_path = {}").format(sql.Identifier(self.relay))
        connection.execute(path)
        return str(found[0])

    def _admit(self, connection: psycopg.Connection[Any]) -> None:
        for outbox in self.outboxes:
            self._run(connection, "grant usage on schema {outbox} to {relay}", outbox)
            self._run(connection, "grant select on {outbox}.outbox to {relay}", outbox)
            self._run(
                connection, "alter table {outbox}.outbox enable trigger outbox_notify", outbox
            )

    def _dismiss(self, connection: psycopg.Connection[Any]) -> None:
        for outbox in self.outboxes:
            self._run(
                connection, "alter table {outbox}.outbox disable trigger outbox_notify", outbox
            )
            self._run(connection, "revoke select on {outbox}.outbox from {relay}", outbox)
            self._run(connection, "revoke usage on schema {outbox} from {relay}", outbox)

    def _run(self, connection: psycopg.Connection[Any], statement: Any, outbox: str) -> None:
        names = {"outbox": sql.Identifier(outbox), "relay": sql.Identifier(self.relay)}
        connection.execute(sql.SQL(statement).format(**names))

    def _ensure_slot(self, timeout_s: float, cancelled: threading.Event) -> None:
        """Make the slot unless there is one; it has to wait for the transactions under way, and is tried again."""
        deadline = time.monotonic() + timeout_s
        with connect(self.replication_url, autocommit=True) as connection:
            connection.execute(
                "select set_config('statement_timeout', %s, false)", [f"{ATTEMPT_S * 1000:.0f}ms"]
            )
            values = {"slot": self.slot}
            while connection.execute(QUERIES["slot_exists"], values).fetchall() == [(False,)]:
                try:
                    connection.execute(QUERIES["create_slot"], values)
                except psycopg.errors.QueryCanceled as error:
                    if cancelled.is_set() or time.monotonic() > deadline:
                        raise HandoverError(
                            "the slot could not be made, since it waits for every transaction under way: end those "
                            "that last (pg_stat_activity shows them), then try again"
                        ) from error


def drain(settings: RelaySettings, *, timeout_s: float, cancelled: threading.Event) -> None:
    now = current_snapshot(settings.database_url)
    with _at_work(Relay(settings)) as relay:
        deadline = time.monotonic() + timeout_s
        while not is_published(settings.database_url, now):
            if time.monotonic() > deadline:
                raise HandoverError(
                    f"the relay has not published everything in {timeout_s:g} s"
                    f" ({relay.condition.problem or 'it is at work'}); try again"
                )
            if cancelled.wait(POLL_S):
                raise HandoverError("the handover was given up")


@contextmanager
def _at_work(relay: Relay) -> Iterator[Relay]:
    """Run a relay in a thread while the block lasts."""
    stopped = threading.Event()
    thread = threading.Thread(target=relay.run, args=[stopped])
    thread.start()
    try:
        yield relay
    finally:
        stopped.set()
        thread.join()
