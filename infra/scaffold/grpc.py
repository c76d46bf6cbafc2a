"""What is asked of a context that answers questions by gRPC, and what is filled into its files."""

from infra.scaffold.asked import NewContext, ScaffoldError

FOLDER = "producers"


def require_possible(context: NewContext) -> None:
    """Refuse a service that would have to be a consumer, or tell of what happens, as well."""
    if context.consumes or context.emits:
        raise ScaffoldError(
            "A gRPC service answers questions, and neither consumes nor emits: leave both out, or write its consumer "
            "under another name."
        )


def names(context: NewContext) -> dict[str, str]:
    return {"camel": "".join(word.capitalize() for word in context.name.split("_"))}
