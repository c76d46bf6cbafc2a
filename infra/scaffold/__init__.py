"""Writes a new context, ready to be made into something: its service, tables, schemas and a test."""

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

from cdc.manifest import Service
from infra.compose.addresses import PREPARING, WORKERS
from infra.scaffold import consumer, grpc, rest
from infra.scaffold.asked import NewContext, ScaffoldError
from infra.scaffold.catalogue import with_consumer, with_message
from infra.scaffold.templates import class_name, exists, filled, uses
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
from infra.shapes import second_port_setting
from schemas.catalogue import Topic, catalogue, parse
from schemas.identifiers import is_class_name

__all__ = ["NewContext", "ScaffoldError", "written"]

CATALOGUE = Path("schemas/catalogue.toml")
PLACES = {
    "__init__.py": "{folder}/{context}/__init__.py",
    "bootstrap.py": "{folder}/{context}/bootstrap.py",
    "v1.py": "{folder}/{context}/v1.py",
    "handlers.py": "{folder}/{context}/handlers.py",
    "queries.sql": "{folder}/{context}/queries.sql",
    "migration.py": "{folder}/{context}/migrations/versions/0001_{context}.py",
    "api.py": "schemas/rest/{context}/__init__.py",
    "models.py": "schemas/rest/{context}/v1.py",
    "contract.proto": "schemas/proto/tailrace/{context}/v1/{context}.proto",
    "test.py": "tests/integration/test_{context}.py",
}
"""Template -> where it stands in a context of a kind that has it."""
CONTEXT = re.compile(r"[a-z][a-z0-9_]{0,30}[a-z0-9]")
MESSAGE = re.compile(r"([a-z][a-z0-9_]*)\.([A-Z][A-Za-z0-9]*)")
ROLES = (OWNER, CAPTURE, REGISTRY, RETENTION, KEYS, READER, STANDBY)
TAKEN = frozenset({*SCHEMAS, *ROLES, "public", "none", "information_schema", "google", "tailrace"})
"""Roles and schemas that are others', and names that none can have."""
CONTRACTS = ("schemas/avro", "schemas/rest", "schemas/rpc")
LONGEST_IN_REVISION = 27  # Alembic keeps 32 characters of a revision
FIRST_PORT = 18031  # below it are the services that come along
KINDS = {"consumer": consumer, "rest": rest, "grpc": grpc}


def written(context: NewContext, repository: Path) -> Mapping[Path, str]:
    """Return the text of each file that a context begins with, and of a catalogue that changes, by path."""
    _require_possible(context, repository)
    declared = text = (repository / CATALOGUE).read_text()
    for name in context.emits:
        text = with_message(text, f"{context.name}.events", context.name, name)
    for name in context.consumes:
        text = with_consumer(text, _topic_of(name, context).name, context.service, name)
    try:
        parse(text)
    except ValueError as error:
        raise ScaffoldError(f"The catalogue does not take {context.name}: {error}.") from error
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
        "revision": f"{context.name[:LONGEST_IN_REVISION]}_0001",
        "port": str(next(port for port in count(FIRST_PORT) if port not in taken)),
    }
    kind = KINDS[context.kind]
    yield Path(kind.FOLDER, context.name, "service.py"), filled("service.py", names)
    names |= kind.names(context)
    for template, place in PLACES.items():
        if exists(f"{context.kind}/{template}"):
            path = Path(place.format(folder=kind.FOLDER, context=context.name))
            yield path, filled(f"{context.kind}/{template}", names)
    for name in context.emits:
        path = Path("schemas/avro", f"{name.replace('.', '/')}.avsc")
        yield path, filled("event.avsc", names | {"message": class_name(name)})


def _require_possible(context: NewContext, repository: Path) -> None:
    name = context.name
    kept = keyword.iskeyword(name) or hasattr(builtins, name) or name.startswith("pg_")
    if kept or not CONTEXT.fullmatch(name):
        raise ScaffoldError(
            f"{name!r} cannot be a context: small letters, digits and _, a letter first, and no word that Python or "
            "Postgres keeps for itself."
        )
    # who takes commands has declared them before there is anybody to take them
    takes_commands = any(message.startswith(f"{name}.") for message in context.consumes)
    folders = FOLDERS if takes_commands else (*FOLDERS, *CONTRACTS)
    there = [repository / folder / name for folder in folders]
    from infra.settings import Settings  # which other commands need not wait for

    is_part = f"{name}_port" in Settings.model_fields
    if (
        name in TAKEN
        or is_part
        or any(path.exists() or path.with_suffix(".py").exists() for path in there)
    ):
        raise ScaffoldError(f"The name {name} is taken: choose another one.")
    if _takes_a_place(context):
        raise ScaffoldError(f"The name {context.service} of its service is taken: choose another.")
    KINDS[context.kind].require_possible(context)
    for message in context.consumes:
        _topic_of(message, context)
    events = catalogue().topics.get(f"{name}.events")
    if context.emits and events and events.owner != name:
        raise ScaffoldError(f"{events.name} is the topic of {events.owner}: choose another name.")
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
        if uses(context.kind, each) or not is_class_name(each) or hasattr(builtins, each):
            raise ScaffoldError(
                f"{each} is what something else in a context is called: choose another name."
            )


def _topic_of(message: str, context: NewContext) -> Topic:
    """Return where a context reads a message: what is no event is for its receiver alone."""
    if message not in catalogue().messages:
        raise ScaffoldError(
            f"The catalogue has no message {message}; `tailrace schema list` shows what there is."
        )
    topics = catalogue().topics_of(message)
    for topic in topics:
        if topic.kind == "events" or (topic.kind != "requests" and topic.owner == context.name):
            return topic
    kinds = " and ".join(f"{topic.kind} to {topic.owner}" for topic in topics)
    raise ScaffoldError(
        f"{message} is one of the {kinds}, and no event: {context.name} cannot consume it as it begins."
    )


def _takes_a_place(context: NewContext) -> bool:
    """Tell whether its service would run in the place of another, or listen where another does by the settings."""
    from infra.local.aot import (
        NAME as AOT_TRAINING,
    )  # commands on other deployments need no local stack
    from infra.local.parts import PART_NAMES, PORT_SETTINGS

    if context.service in {*PART_NAMES, *PREPARING, WORKERS, AOT_TRAINING, "supervisord"}:
        return True
    service = Service(name=context.service, package=context.name, kind=context.kind, port=0)
    return not {*service.ports, second_port_setting(service)}.isdisjoint(PORT_SETTINGS)
