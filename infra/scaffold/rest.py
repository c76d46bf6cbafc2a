"""What is asked of a context that takes requests over REST, and what is filled into its files."""

from infra.scaffold.asked import NewContext, ScaffoldError
from infra.scaffold.templates import class_name, imports

FOLDER = "producers"


def require_possible(context: NewContext) -> None:
    """Refuse a service that tells nobody what happens in it, or that would have to be a consumer as well."""
    if context.consumes:
        raise ScaffoldError(
            "A REST service consumes nothing: leave --consumes out, or write a consumer of another name."
        )
    if not context.emits:
        raise ScaffoldError(f"Say what it tells of: --emits {context.name}.EntryAdded, for one.")


def names(context: NewContext) -> dict[str, str]:
    return {
        "path": context.name.replace("_", "-"),
        "event": class_name(context.emits[0]),
        "emitted": ", ".join(sorted(map(class_name, context.emits))),
        "import_first": imports(context.emits[:1]),
        "import_emitted": imports(context.emits),
    }
