"""A temporary copy of a service's schema, built by the same migrations and used by the same role."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cdc import migrations
from cdc.database import Connection, connect_async


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrowawaySchema:
    """A schema like a service's own, which nothing captures.

    The service's role works in it with the rights that the migrations give to that role.

    Args:
        name: Name of the schema.
        owner_url: libpq URL of a role that may create schemas; it owns the schema and its tables.
        url: libpq URL of the service's role.
        packages: Packages of migrations, in the order in which they are applied.
    """

    name: str
    owner_url: str
    url: str
    packages: Sequence[str]

    @property
    def role(self) -> str:
        """The service's role."""
        return str(conninfo_to_dict(self.url)["user"])

    @property
    def inside_url(self) -> str:
        """The libpq URL that leads the service's role into the schema."""
        return leading_into(self.url, self.name)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Connect as the owner, who may see and change everything; what was done is committed at the end."""
        async with await connect_async(leading_into(self.owner_url, self.name)) as connection:
            yield connection

    async def make(self, comment: str = "") -> None:
        """Make the schema and all its tables.

        Args:
            comment: What the schema says of itself, from its first moment on.
        """
        async with self.connection() as connection:
            await connection.execute(with_names("create schema {}", self.name))
            await connection.execute(
                with_names("grant usage on schema {} to {}", self.name, self.role)
            )
            await connection.execute(
                sql.SQL("comment on schema {} is {}").format(sql.Identifier(self.name), comment)
            )
        await asyncio.to_thread(
            migrations.upgrade,
            self.owner_url,
            schema=self.name,
            packages=self.packages,
            role=self.role,
        )
        async with self.connection() as connection:
            # its aggregates may have begun elsewhere, so that their first events here are no first versions
            await connection.execute(
                "alter table if exists outbox_event disable trigger outbox_follow"
            )

    async def drop(self) -> None:
        """Drop the schema with all that is in it; one that does not exist is fine."""
        async with self.connection() as connection:
            await connection.execute(with_names("drop schema if exists {} cascade", self.name))


def leading_into(url: str, schema: str, **options: str) -> str:
    """Return a libpq URL that leads into a schema, whatever its role's own search path.

    Args:
        url: The URL.
        schema: The schema.
        options: Settings of the session besides.
    """
    given = conninfo_to_dict(url).get("options") or ""
    settings = {"search_path": schema} | options
    words = [str(given), *(f"-c {name}={value}" for name, value in settings.items())]
    return make_conninfo(url, options=" ".join(words).strip())


def with_names(statement: LiteralString, *names: str) -> sql.Composed:
    """Return a statement with names of things in place of its braces."""
    return sql.SQL(statement).format(*map(sql.Identifier, names))
