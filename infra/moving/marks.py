"""In which database the rows of a context are, as the databases tell: a schema that was moved away bears a mark.

Settings alone could be wrong about it, and a context whose schema were made anew, empty, in another database would go
on there as if nothing had ever happened.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc import causes
from cdc.database import SyncConnection, connect
from infra.deployment import Capture, Deployment
from infra.errors import TailraceError
from infra.services import OWNER

MOVED = "moved to "
COPY = "copy of "
SCHEMAS = """
select nspname, coalesce(obj_description(n.oid, 'pg_namespace'), '') from pg_namespace as n
where nspname = any(%s)
  and (obj_description(n.oid, 'pg_namespace') is not null or exists (select from pg_class where relnamespace = n.oid))
"""
"""An empty schema without a mark says nothing: it was made for what is to come."""


class HomeError(TailraceError):
    """A context is in another database than the settings say."""


@dataclass(frozen=True, slots=True)
class Held:
    """A schema of a context in a database."""

    capture: Capture
    mark: str

    @property
    def is_moved(self) -> bool:
        """Whether the context is not here any more, but what was left behind."""
        return self.mark.startswith(MOVED)

    @property
    def is_copy(self) -> bool:
        """Whether it is a copy that a move has made and not finished with."""
        return self.mark.startswith(COPY)


def holders(
    deployment: Deployment, contexts: tuple[str, ...], role: str = OWNER
) -> Mapping[str, list[Held]]:
    """Return context -> the databases that have a schema of it.

    Args:
        role: As whom to look.
    """
    found: dict[str, list[Held]] = {context: [] for context in contexts}
    for capture in deployment.captures:
        for context, mark in _schemas(capture, contexts, role):
            found[context].append(Held(capture, mark))
    return found


def require_at_home(deployment: Deployment, role: str = OWNER) -> None:
    """Refuse to make or change schemas when a context is in another database than the settings say."""
    contexts = tuple(context for each in deployment.captures for context in each.contexts)
    for context, found in holders(deployment, contexts, role).items():
        home = deployment.capture_of(context)
        for each in found:
            if each.capture is home and each.is_moved:
                raise HomeError(
                    f"The context {context} was {each.mark} from the database {home.database.name}, and the settings "
                    "say that it is there still: name its database in databases again (TAILRACE_DATABASES, or the "
                    "line in the file), as what is left behind is out of date."
                )
            if each.capture is home and each.is_copy:
                raise HomeError(
                    f"The database {home.database.name} has a {each.mark} that is not finished: run "
                    f"`tailrace context move {context}` again, which goes on or begins anew."
                )
            if each.capture is not home and not each.is_moved:
                raise HomeError(
                    f"The context {context} is in the database {each.capture.database.name}, and the settings give it "
                    f"{home.database.name}: with the stack running, `tailrace context move {context}` brings it there; "
                    "leave it out of databases to go on as before."
                )


def _schemas(capture: Capture, contexts: tuple[str, ...], role: str) -> Iterator[tuple[str, str]]:
    try:
        with connect(capture.url(role), autocommit=True) as connection:
            yield from connection.execute(SCHEMAS, [list(contexts)]).fetchall()
    except psycopg.OperationalError as error:
        if f'database "{capture.database.name}" does not exist' in str(error):
            return
        if capture.is_main:
            raise
        database = capture.database
        raise HomeError(
            f"The database {database.name} at {database.host}:{database.port} cannot be asked for its contexts "
            f"({causes.of_error(error).text}): see to it that it runs, or correct its address in databases."
        ) from error


def mark(connection: SyncConnection, context: str, text: str | None) -> None:
    """Put a mark on a schema, or take it away."""
    connection.execute(
        sql.SQL("comment on schema {} is {}").format(sql.Identifier(context), sql.Literal(text))
    )
