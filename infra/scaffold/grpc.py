"""The files of a context that answers questions by gRPC."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.scaffold.asked import NewContext, ScaffoldError
from infra.scaffold.templates import filled

FOLDER = "producers"


def require_possible(context: NewContext) -> None:
    """Refuse a service that would have to be a consumer, or tell of what happens, as well."""
    if context.consumes or context.emits:
        raise ScaffoldError(
            "A gRPC service answers questions, and neither consumes nor emits: leave both out, or write its consumer "
            "under another name."
        )


def files(context: NewContext, names: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    camel = "".join(word.capitalize() for word in context.name.split("_"))
    names = {**names, "camel": camel}
    folder = Path(FOLDER, context.name)
    for path, template in {
        folder / "__init__.py": "__init__.py",
        folder / "bootstrap.py": "bootstrap.py",
        folder / "v1.py": "v1.py",
        folder / "handlers.py": "handlers.py",
        folder / "queries.sql": "queries.sql",
        folder / "migrations/versions" / f"0001_{context.name}.py": "migration.py",
        Path(
            "schemas/proto/tailrace", context.name, "v1", f"{context.name}.proto"
        ): "contract.proto",
        Path("tests/integration", f"test_{context.name}.py"): "test.py",
    }.items():
        yield path, filled(f"grpc/{template}", names)
