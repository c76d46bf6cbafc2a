"""What is asked of a context that consumes messages, and what is filled into its files."""

import re

from infra.scaffold.asked import NewContext, ScaffoldError
from infra.scaffold.templates import class_name, filled, imports
from schemas.contracts import avsc
from schemas.identifiers import attribute

FOLDER = "consumers"


def require_possible(context: NewContext) -> None:
    if not context.consumes:
        raise ScaffoldError("Say what it consumes: --consumes orders.OrderCreated, for one.")


def names(context: NewContext) -> dict[str, str]:
    handlers = [_function(name) for name in context.consumes]
    written = [
        filled("consumer/handler.py", _handler(context, name, number))
        for number, name in enumerate(context.consumes)
    ]
    emitted = sorted(map(class_name, context.emits))
    return {
        "handlers": ", ".join(sorted(handlers)),
        "handlers_written": "".join(written).rstrip("\n"),
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
