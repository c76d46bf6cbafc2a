"""Writes a new context, ready to be made into something: its service, tables, schemas and a test."""

import keyword
import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

from infra.scaffold import consumer, grpc, rest
from infra.scaffold.asked import NewContext, ScaffoldError
from infra.scaffold.catalogue import with_consumer, with_message
from infra.scaffold.templates import class_name, filled, uses
from infra.services import (
    CAPTURE,
    FOLDERS,
    KEYS,
    OWNER,
    READER,
    REGISTRY,
    RETENTION,
    SCHEMAS,
    SERVICES,
    STANDBY,
)
from schemas.catalogue import catalogue

__all__ = ["NewContext", "ScaffoldError", "written"]

CATALOGUE = Path("schemas/catalogue.toml")
CONTEXT = re.compile(r"[a-z][a-z0-9_]{0,30}[a-z0-9]")
MESSAGE = re.compile(r"([a-z][a-z0-9_]*)\.([A-Z][A-Za-z0-9]*)")
PARTS = (
    *("postgres", "registry", "console", "metrics", "connect", "connect_2", "zipkin"),
    *(
        "kafka",
        "kafka_controller",
        "kafka_2",
        "kafka_2_controller",
        "kafka_3",
        "kafka_3_controller",
    ),
    "postgres_2",
    *(
        "kafka_metrics",
        "kafka_2_metrics",
        "kafka_3_metrics",
        "connect_metrics",
        "connect_2_metrics",
    ),
)
ROLES = (OWNER, CAPTURE, REGISTRY, RETENTION, KEYS, READER, STANDBY)
TAKEN = frozenset({*SCHEMAS, *PARTS, *ROLES, "public", "none"})
"""Roles, schemas and parts of the stack that are others', and names that none can have."""
CONTRACTS = ("schemas/avro", "schemas/rest", "schemas/rpc")
FIRST_PORT = 18031  # below it are the services that come along
KINDS = {"consumer": consumer, "rest": rest, "grpc": grpc}


def written(context: NewContext, repository: Path) -> Mapping[Path, str]:
    """Return the text of each file that a context begins with, and of a catalogue that changes, by path."""
    _require_possible(context, repository)
    declared = text = (repository / CATALOGUE).read_text()
    for name in context.emits:
        text = with_message(text, f"{context.name}.events", context.name, name)
    for name in context.consumes:
        text = with_consumer(text, catalogue().topic_of(name).name, context.service, name)
    files = dict(_files(context))
    for path in files:
        if (repository / path).exists():
            raise ScaffoldError(f"{path} is there already: choose another name.")
    return files if text == declared else {CATALOGUE: text, **files}


def _files(context: NewContext) -> Iterator[tuple[Path, str]]:
    taken = {service.port for service in SERVICES}
    names = {
        "context": context.name,
        "service": context.service,
        "kind": context.kind,
        "port": str(next(port for port in count(FIRST_PORT) if port not in taken)),
    }
    kind = KINDS[context.kind]
    yield Path(kind.FOLDER, context.name, "service.py"), filled("service.py", names)
    yield from kind.files(context, names)
    for name in context.emits:
        path = Path("schemas/avro", f"{name.replace('.', '/')}.avsc")
        yield path, filled("event.avsc", names | {"message": class_name(name)})


def _require_possible(context: NewContext, repository: Path) -> None:
    name = context.name
    if not CONTEXT.fullmatch(name) or keyword.iskeyword(name) or name.startswith("pg_"):
        raise ScaffoldError(
            f"{name!r} cannot be a context: small letters, digits and _, a letter first, and no word that Python or "
            "Postgres keeps for itself."
        )
    # who takes commands has declared them before there is anybody to take them
    takes_commands = any(message.startswith(f"{name}.") for message in context.consumes)
    folders = FOLDERS if takes_commands else (*FOLDERS, *CONTRACTS)
    there = [repository / folder / name for folder in folders]
    if name in TAKEN or any(path.exists() or path.with_suffix(".py").exists() for path in there):
        raise ScaffoldError(f"The name {name} is taken: choose another one.")
    KINDS[context.kind].require_possible(context)
    known = catalogue().messages
    for message in context.consumes:
        if message not in known:
            raise ScaffoldError(
                f"The catalogue has no message {message}; `tailrace schema list` shows what there is."
            )
    for message in context.emits:
        found = MESSAGE.fullmatch(message)
        if not found or found[1] != name:
            raise ScaffoldError(
                f"{message} is no event of {name}: it should be called like {name}.SomethingHappened."
            )
    classes = [class_name(message) for message in (*context.consumes, *context.emits)]
    for each in classes:
        if classes.count(each) > 1:
            raise ScaffoldError(f"Two of the messages are called {each}: name each once.")
        if uses(context.kind, each):
            raise ScaffoldError(
                f"{each} is what something else in a context is called: choose another name."
            )
