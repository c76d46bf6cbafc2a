"""A sandbox: a throwaway schema like the live one of a consumer's service, with nothing in it and no way out of it."""

import getpass
import json
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, LiteralString, Self, cast

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from cdc.database import Connection, Pool, connect, connect_async, open_pool
from cdc.sql import load_queries
from consumers.replay.errors import ReplayError
from consumers.replay.outside import Effect, noted
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.throwaway import ThrowawaySchema, leading_into, with_names
from consumers.runtime.window import InboxWindow

QUERIES = load_queries(__package__)
TAG = "tailrace_sandbox"
PREFIX = "replay_"

IN_USE = "hashtextextended('tailrace_sandbox/' || %(name)s, 0)"
"""Key of the advisory lock that whoever works in a sandbox holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxInfo:
    """What a sandbox says of itself."""

    name: str
    run_id: str
    consumer: str
    made_at: datetime
    made_by: str
    pid: int
    is_kept: bool = False

    @classmethod
    def new(cls, run_id: str, consumer: str, role: str) -> Self:
        now = datetime.now(UTC)
        return cls(
            name=f"{PREFIX}{role}_{now:%Y%m%d_%H%M%S}_{secrets.token_hex(2)}",
            run_id=run_id,
            consumer=consumer,
            made_at=now,
            made_by=f"{_user()}@{socket.gethostname()}",
            pid=os.getpid(),
        )

    @classmethod
    def parse(cls, name: str, comment: str) -> Self:
        told = json.loads(comment)[TAG]
        made_at = datetime.fromisoformat(told.pop("made_at"))
        return cls(name=name, made_at=made_at, **told)

    def comment(self) -> str:
        told = {
            "run_id": self.run_id,
            "consumer": self.consumer,
            "made_at": self.made_at.isoformat(timespec="seconds"),
            "made_by": self.made_by,
            "pid": self.pid,
            "is_kept": self.is_kept,
        }
        return json.dumps({TAG: told})


class Sandbox:
    """A sandbox that this process works in."""

    def __init__(self, schema: ThrowawaySchema, info: SandboxInfo, live: str) -> None:
        self.schema = schema
        self.info = info
        self.live = live

    async def make(self, before: bytes | None = None) -> None:
        """Make it.

        Args:
            before: A statement that puts in what handlers expect to be there; `:live` stands for the live schema.
        """
        await self.schema.make(self.info.comment())
        text = resources.files(__package__).joinpath("ddl.sql").read_text()
        async with self.schema.connection() as connection:
            await connection.execute(named(text, ":role", self.schema.role))
            if before is not None:
                await connection.execute(named(before.decode(), ":live", self.live))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Connection]:
        """Work in it alone, on a connection of its owner in autocommit.

        Raises:
            ReplayError: somebody else works in it.
        """
        url = leading_into(self.schema.owner_url, self.schema.name, synchronous_commit="off")
        async with await connect_async(url, autocommit=True) as connection:
            cursor = await connection.execute(
                f"select pg_try_advisory_lock({IN_USE})".encode(), {"name": self.schema.name}
            )
            [[is_ours]] = await cursor.fetchall()
            if not is_ours:
                raise ReplayError(f"another replay works in {self.schema.name} just now")
            yield connection

    def open_pool(self, size: int) -> Pool:
        """Return connections of the service's role into it; nothing is lost with a commit that waits for no disk."""
        url = leading_into(self.schema.url, self.schema.name, synchronous_commit="off")
        return open_pool(url, max_size=size, check=False)

    async def keep(self) -> None:
        told = json.loads(self.info.comment())
        told[TAG]["is_kept"] = True
        async with self.schema.connection() as connection:
            await connection.execute(
                sql.SQL("comment on schema {} is {}").format(
                    sql.Identifier(self.schema.name), json.dumps(told)
                )
            )

    async def drop(self) -> None:
        await self.schema.drop()


class SandboxStore(PostgresStore):
    """The store of a consumer in a sandbox, where what would have been done outside commits with the effects."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            effects: list[Effect] = []
            token = noted.set(effects)
            try:
                yield connection
            finally:
                noted.reset(token)
            if effects:
                rows = [
                    {
                        "party": each.party,
                        "action": each.action,
                        "key": each.key,
                        "details": Jsonb(dict(each.details)),
                    }
                    for each in effects
                ]
                await connection.cursor().executemany(QUERIES["note_outside"], rows)

    async def open_inbox(self, window: InboxWindow) -> None:
        """Make an inbox that takes ids of any age: what is old is what a replay is about."""
        await self.remember_for(None)
        await self.maintain(window)


@dataclass(frozen=True, slots=True)
class Listed:
    """A sandbox as it is listed."""

    info: SandboxInfo
    size_bytes: int
    is_in_use: bool

    @property
    def state(self) -> str:
        """At work, kept, or left behind by a replay that was killed."""
        return "at_work" if self.is_in_use else "kept" if self.info.is_kept else "left_behind"

    def as_json(self) -> dict[str, object]:
        info = self.info
        return {
            "name": info.name,
            "consumer": info.consumer,
            "state": self.state,
            "run_id": info.run_id,
            "made_at": info.made_at,
            "made_by": info.made_by,
            "pid": info.pid,
            "size_bytes": self.size_bytes,
        }


def list_sandboxes(owner_url: str) -> list[Listed]:
    """Return the sandboxes of a database, those first that were made first."""
    with connect(owner_url, autocommit=True) as connection:
        rows = connection.execute(QUERIES["sandboxes"]).fetchall()
        found = [SandboxInfo.parse(name, comment) for name, comment in rows]
        return [
            Listed(info, _size(connection, info.name), not _is_free(connection, info.name))
            for info in sorted(found, key=lambda each: each.made_at)
        ]


def drop_sandbox(owner_url: str, name: str) -> None:
    """Drop a sandbox.

    Raises:
        ReplayError: there is no sandbox of this name, or a replay works in it.
    """
    with connect(owner_url, autocommit=True) as connection:
        known = [row[0] for row in connection.execute(QUERIES["sandboxes"]).fetchall()]
        if name not in known:
            raise ReplayError(
                f"there is no sandbox {name}; `tailrace replay sandboxes` lists those there are"
            )
        if not _is_free(connection, name):
            raise ReplayError(f"a replay works in {name} just now; end it first")
        connection.execute(with_names("drop schema {} cascade", name))


def _is_free(connection: "psycopg.Connection[Any]", name: str) -> bool:
    with connection.transaction():
        row = connection.execute(
            f"select pg_try_advisory_xact_lock({IN_USE})".encode(), {"name": name}
        ).fetchone()
    return bool(row and row[0])


def _size(connection: "psycopg.Connection[Any]", name: str) -> int:
    row = connection.execute(QUERIES["size"], {"schema": name}).fetchone()
    return int(row[0]) if row else 0


def named(text: str, placeholder: str, name: str) -> sql.Composed:
    parts = re.split(f"({placeholder})\\b", text)
    return sql.Composed(
        [
            sql.Identifier(name) if part == placeholder else sql.SQL(cast(LiteralString, part))
            for part in parts
        ]
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return f"uid {os.getuid()}"
