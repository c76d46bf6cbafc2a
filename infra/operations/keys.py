"""API keys: giving them out, listing them, and taking them back."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from psycopg import sql

from cdc.database import SyncConnection, connect
from cdc.text import did_you_mean, quoted
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError
from infra.services import ACCESS, KEYS
from producers.rest.access import administration
from producers.rest.access.administration import KeptKey
from schemas.rest.apis import scopes as known_scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made, and the only time that it is shown."""

    key: str
    kept: KeptKey


def new(deployment: Deployment, owner: str, scopes: Collection[str], *, days: int | None) -> NewKey:
    """Make a key.

    Args:
        owner: The client that it is for.
        scopes: What it allows.
        days: How long it is good; None for ever.

    Raises:
        RequestError: there is no such scope.
    """
    known = known_scopes()
    for scope in scopes:
        if scope not in known:
            near = did_you_mean(scope, known)
            listed = f"there are {', '.join(known)}"
            raise RequestError(f"{quoted(scope)} is no scope; {listed}{near or '.'}")
    with _keys(deployment) as connection:
        lasts = None if days is None else timedelta(days=days)
        key, kept = administration.make(connection, owner, scopes, lasts)
    return NewKey(key=key.text, kept=kept)


def find(deployment: Deployment) -> list[KeptKey]:
    with _keys(deployment) as connection:
        return administration.find(connection)


def revoke(deployment: Deployment, key_id: str) -> KeptKey:
    """Revoke a key for good.

    Raises:
        TailraceError: there is no such key.
    """
    with _keys(deployment) as connection:
        revoked = administration.revoke(connection, key_id)
    if revoked is None:
        raise TailraceError(
            f"There is no API key {quoted(key_id)}; `tailrace keys list` shows those that there are."
        )
    return revoked


@contextmanager
def _keys(deployment: Deployment) -> Iterator[SyncConnection]:
    with connect(deployment.database_url(KEYS), autocommit=True) as connection:
        # the role has no schema of its own
        connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(ACCESS)))
        yield connection
