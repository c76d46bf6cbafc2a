"""The files of a context that consumes messages."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.scaffold.asked import NewContext, ScaffoldError
from infra.scaffold.templates import class_name, filled, imports
from schemas.contracts import avsc
from schemas.identifiers import attribute

FOLDER = "consumers"


def require_possible(context: NewContext) -> None:
    if not context.consumes:
        raise ScaffoldError("Say what it consumes: --consumes orders.OrderCreated, for one.")


def files(context: NewContext, names: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    names = {**names, **_names(context)}
    folder = Path(FOLDER, context.name)
    for file, template in {
        "__init__.py": "__init__.py",
        "bootstrap.py": "bootstrap.py",
        "queries.sql": "queries.sql",
        f"migrations/versions/0001_{context.name}.py": "migration.py",
    }.items():
        yield folder / file, filled(f"consumer/{template}", names)
    handlers = "".join(
        filled("consumer/handler.py", names | _handler(context, name, number))
        for number, name in enumerate(context.consumes)
    )
    yield folder / "handlers.py", filled("consumer/handlers.py", names) + handlers
    yield Path("tests/integration", f"test_{context.name}.py"), filled("consumer/test.py", names)


def _names(context: NewContext) -> dict[str, str]:
    handlers = [_function(name) for name in context.consumes]
    emitted = sorted(map(class_name, context.emits))
    return {
        "handlers": ", ".join(sorted(handlers)),
        "sends": f", sends=[{', '.join(emitted)}]" if emitted else "",
        "samples": ", ".join(f"sample_of({class_name(name)})" for name in context.consumes),
        "import_emitted": imports(context.emits),
        "import_consumed": imports(context.consumes),
        "import_both": imports([*context.consumes, *context.emits[:1]]),
    }


def _handler(context: NewContext, message: str, number: int) -> dict[str, str]:
    """Return what is filled in for a handler; the first one tells of what it did, if the context tells of anything."""
    tells = number == 0 and bool(context.emits)
    fields = [field["name"] for field in avsc(message)["fields"]]
    about = {"event": class_name(context.emits[0]), "context": context.name} if tells else {}
    return {
        "message": class_name(message),
        "handler": _function(message),
        "about": ".".join(["message", *(attribute(name, ()) for name in fields[:1])]),
        "and_tell": ", and tell of it" if tells else "",
        "body": filled(f"consumer/{'telling' if tells else 'silent'}.py", about),
    }


def _function(message: str) -> str:
    return "on" + re.sub("([A-Z])", r"_\1", class_name(message)).lower()
