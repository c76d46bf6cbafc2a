"""In which database the rows of a context are, as the databases tell: a schema that was moved away bears a mark.

Settings alone could be wrong about it, and a context whose schema were made anew, empty, in another database would go
on there as if nothing had ever happened.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc import causes
from cdc.database import SyncConnection, connect, is_missing
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
        if trouble := trouble_of(context, deployment.capture_of(context), found):
            raise HomeError(trouble)


def trouble_of(context: str, home: Capture, found: Sequence[Held]) -> str:
    """Return why a context cannot be at work in its home; empty when it can.

    Args:
        home: The capture whose database it is in by the settings.
        found: Who has a schema of it.
    """
    name = home.database.name
    here = next((each for each in found if each.capture is home), None)
    others = [each for each in found if each.capture is not home]
    if here and here.is_moved:
        return (
            f"The context {context} was {here.mark} from the database {name}, and the settings say that it is there "
            "still: name its database in databases again (TAILRACE_DATABASES, or the line in the file), as what is "
            "left behind is out of date."
        )
    if alive := [each for each in others if not each.is_moved]:
        return (
            f"The context {context} is in the database {alive[0].capture.database.name}, and the settings give it "
            f"{name}: with the stack running, `tailrace context move {context}` brings it there; leave it out of "
            "databases to go on as before."
        )
    if here and here.is_copy:
        return (
            f"The database {name} has a {here.mark} that is not finished: run `tailrace context move {context}` again, "
            "which goes on or begins anew."
        )
    if lost := [each for each in others if each.capture.is_main and each.mark != _moved_to(home)]:
        return (
            f"The context {context} was {lost[0].mark}, and the settings give it {name}: name its database in "
            "databases again, and move it from there if it is to be elsewhere."
        )
    return ""


def note_homes(deployment: Deployment) -> None:
    """Leave a mark in the main database for each context that is in another one, also if it never was here.

    Without it, settings that do not name that database any more would have the context begin anew here.
    """
    away = [each for each in deployment.captures if not each.is_main]
    if not away:
        return
    with connect(deployment.main.url(OWNER)) as connection:
        for capture in away:
            for context in capture.contexts:
                connection.execute(
                    sql.SQL("create schema if not exists {}").format(sql.Identifier(context))
                )
                mark(connection, context, _moved_to(capture))


def _moved_to(capture: Capture) -> str:
    return f"{MOVED}{capture.database.name}"


def _schemas(capture: Capture, contexts: tuple[str, ...], role: str) -> Iterator[tuple[str, str]]:
    try:
        with connect(capture.url(role), autocommit=True) as connection:
            yield from connection.execute(SCHEMAS, [list(contexts)]).fetchall()
    except psycopg.OperationalError as error:
        if is_missing(error, capture.database.name, capture.url(role, "postgres")):
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
