"""Writes a new context: a consumer with its tables, schemas and a test, ready to be made into something."""

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from infra.errors import TailraceError
from infra.scaffold.catalogue import with_consumer, with_message
from infra.services import CAPTURE, FOLDERS, OWNER, REGISTRY, RETENTION, SCHEMAS, SERVICES
from schemas.catalogue import catalogue
from schemas.contracts import avsc
from schemas.identifiers import attribute

CATALOGUE = Path("schemas/catalogue.toml")
CONTEXT = re.compile(r"[a-z][a-z0-9_]{0,30}[a-z0-9]")
MESSAGE = re.compile(r"([a-z][a-z0-9_]*)\.([A-Z][A-Za-z0-9]*)")
TAKEN = frozenset({*SCHEMAS, OWNER, CAPTURE, REGISTRY, RETENTION, "postgres", "public", "none"})
"""Roles and schemas of others, and names that none can have."""
FIRST_PORT = 18021
"""Below it are the services that come along."""


class ScaffoldError(TailraceError):
    """The context cannot be written as it was asked for; nothing was."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContext:
    """What a new context is to be.

    Args:
        name: Its name: of its folder, its database schema and role, and before the names of its messages.
        consumes: Full names of the messages that it has handlers for.
        emits: Full names of its own events.
    """

    name: str
    consumes: Sequence[str]
    emits: Sequence[str]

    @property
    def consumer(self) -> str:
        """Name of its consumer group."""
        return f"{self.name.replace('_', '-')}-worker"


def written(context: NewContext, repository: Path) -> Mapping[Path, str]:
    """Return the text of each file that a context begins with, and of the catalogue, by path in the repository.

    Raises:
        ScaffoldError: a name is taken, unknown or none.
    """
    _require_possible(context, repository)
    text = (repository / CATALOGUE).read_text()
    for name in context.emits:
        text = with_message(text, f"{context.name}.events", context.name, name)
    for name in context.consumes:
        text = with_consumer(text, catalogue().topic_of(name).name, context.consumer, name)
    return {CATALOGUE: text, **dict(_files(context))}


def _files(context: NewContext) -> Iterator[tuple[Path, str]]:
    names = _names(context)
    folder = Path("consumers", context.name)
    for file, template in {
        "__init__.py": "__init__.py",
        "service.py": "service.py",
        "bootstrap.py": "bootstrap.py",
        "queries.sql": "queries.sql",
        f"migrations/versions/0001_{context.name}.py": "migration.py",
    }.items():
        yield folder / file, _filled(template, names)
    handlers = "".join(
        _filled("handler.py", names | _handler(context, name, number))
        for number, name in enumerate(context.consumes)
    )
    yield folder / "handlers.py", _filled("handlers.py", names) + handlers
    yield Path("tests/integration", f"test_{context.name}.py"), _filled("test.py", names)
    for name in context.emits:
        path = Path("schemas/avro", f"{name.replace('.', '/')}.avsc")
        yield path, _filled("event.avsc", names | {"message": _class(name)})


def _names(context: NewContext) -> dict[str, str]:
    handlers = [_function(name) for name in context.consumes]
    emitted = sorted(map(_class, context.emits))
    return {
        "context": context.name,
        "consumer": context.consumer,
        "port": str(
            max([FIRST_PORT - 1, *(each.port for each in SERVICES if each.kind == "consumer")]) + 1
        ),
        "handlers": ", ".join(sorted(handlers)),
        "sends": f", sends=[{', '.join(emitted)}]" if emitted else "",
        "samples": ", ".join(f"sample_of({_class(name)})" for name in context.consumes),
        "import_emitted": _imports(context.emits),
        "import_consumed": _imports(context.consumes),
        "import_both": _imports([*context.consumes, *context.emits[:1]]),
    }


def _imports(messages: Sequence[str]) -> str:
    lines = []
    for context in sorted({name.partition(".")[0] for name in messages}):
        classes = {_class(name) for name in messages if name.startswith(f"{context}.")}
        lines.append(f"from schemas.messages.{context} import {', '.join(sorted(classes))}\n")
    return "".join(lines)


def _handler(context: NewContext, message: str, number: int) -> dict[str, str]:
    """Return what is filled in for a handler; the first one tells of what it did, if the context tells of anything."""
    tells = number == 0 and bool(context.emits)
    fields = [field["name"] for field in avsc(message)["fields"]]
    return {
        "message": _class(message),
        "handler": _function(message),
        "about": ".".join(["message", *(attribute(name, ()) for name in fields[:1])]),
        "and_tell": ", and tell of it" if tells else "",
        "body": _filled("telling.py", {"event": _class(context.emits[0]), "context": context.name})
        if tells
        else _filled("silent.py", {}),
    }


def _filled(template: str, names: Mapping[str, str]) -> str:
    text = resources.files(__package__).joinpath("context", f"{template}.txt").read_text()
    return Template(text).substitute(names)


def _class(message: str) -> str:
    return message.partition(".")[2]


def _function(message: str) -> str:
    return "on" + re.sub("([A-Z])", r"_\1", _class(message)).lower()


def _require_possible(context: NewContext, repository: Path) -> None:
    name = context.name
    if not CONTEXT.fullmatch(name) or keyword.iskeyword(name) or name.startswith("pg_"):
        raise ScaffoldError(
            f"{name!r} cannot be a context: small letters, digits and _, a letter first, and no word that Python or "
            "Postgres keeps for itself."
        )
    if name in TAKEN or any((repository / folder / name).exists() for folder in FOLDERS):
        raise ScaffoldError(f"The name {name} is taken: choose another one.")
    if not context.consumes:
        raise ScaffoldError("Say what it consumes: --consumes orders.OrderCreated, for one.")
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
    classes = [_class(message) for message in (*context.consumes, *context.emits)]
    for each in classes:
        if classes.count(each) > 1:
            raise ScaffoldError(f"Two of the messages are called {each}: name each once.")
