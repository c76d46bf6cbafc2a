"""What migrations make of a schema: found out by running them in one that is thrown away."""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import sql

from cdc.database import SyncConnection, connect
from cdc.sql import load_queries
from consumers.runtime.throwaway import ThrowawaySchema
from infra.deployment import Capture
from infra.repository import REPOSITORY
from infra.services import MIGRATIONS, OWNER, RELAY
from schemas.files import read_json, replace_file

QUERIES = load_queries(__package__, "schema.sql")
FILE = "declared-schemas.json"
ALONE = "select pg_advisory_lock(hashtext('tailrace declared schemas'))"


class Part(NamedTuple):
    """A part of a schema: its kind, the table that it belongs to, and its name; each may be empty."""

    kind: str
    table: str
    name: str


Parts = Mapping[Part, str]  # part -> what it is, with the name of the schema as in the live one


def parts_of(connection: SyncConnection, schema: str) -> Parts:
    relay = "" if schema.endswith(RELAY) else RELAY
    path = sql.SQL("set search_path = {}").format(sql.Identifier(schema))
    connection.execute(path)
    rows = connection.execute(QUERIES["parts"], {"schema": schema, "relay": relay})
    return {Part(*names): value for *names, value in rows}


def declared_parts(
    capture: Capture, state: Path, connection: SyncConnection
) -> Mapping[str, Parts]:
    """Return schema -> what this code's migrations make of it."""
    file, wanted = state / FILE, _fingerprint()
    # which words it has for them
    version = str(connection.info.server_version)
    held = _held(file, wanted)
    if not held.get(version, {}).keys() >= {*capture.schemas}:
        with _alone(capture):
            # somebody else may have made them meanwhile
            held = _held(file, wanted)
            known = held.setdefault(version, {})
            for schema in capture.schemas:
                if schema not in known:
                    parts = _made(capture, connection, schema)
                    known[schema] = [[*part, value] for part, value in parts.items()]
            replace_file(file, json.dumps({"migrations": wanted, "schemas": held}), 0o666)
    return {
        name: {Part(*names): value for *names, value in held[version][name]}
        for name in capture.schemas
    }


def _held(file: Path, wanted: str) -> dict[str, Any]:
    """Return version of the server -> schema -> its parts, as they were made by these migrations before."""
    held = read_json(file) or {}
    return held["schemas"] if held.get("migrations") == wanted else {}


@contextmanager
def _alone(capture: Capture) -> Iterator[None]:
    """Have the throwaway schemas for oneself: those of two processes bear the same names."""
    with connect(capture.url(capture.database.superuser), autocommit=True) as connection:
        connection.execute(ALONE)
        yield


def _made(capture: Capture, connection: SyncConnection, schema: str) -> Parts:
    throwaway = ThrowawaySchema(
        name=f"declared_{schema}",
        owner_url=capture.url(OWNER),
        url=capture.url(schema),
        packages=MIGRATIONS[schema],
    )
    asyncio.run(throwaway.drop())
    try:
        asyncio.run(throwaway.make())
        # a throwaway has its triggers off, for whoever copies into it
        connection.execute(
            sql.SQL("alter table if exists {}.outbox_event enable trigger user").format(
                sql.Identifier(throwaway.name)
            )
        )
        made = parts_of(connection, throwaway.name)
    finally:
        asyncio.run(throwaway.drop())
    return {part: value.replace(throwaway.name, schema) for part, value in made.items()}


def _fingerprint() -> str:
    digest = hashlib.sha256(json.dumps(MIGRATIONS).encode())
    for path in sorted(_sources()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterable[Path]:
    for package in ("cdc", "consumers", "producers"):
        for path in (REPOSITORY / package).rglob("*"):
            if path.suffix in {".py", ".sql"} and {"migrations", "ddl"} & set(path.parts):
                yield path
    yield Path(__file__).with_name("schema.sql")
