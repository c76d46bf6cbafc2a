"""The files of a context that takes requests over REST."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.scaffold.asked import NewContext, ScaffoldError
from infra.scaffold.templates import class_name, filled, imports

FOLDER = "producers"


def require_possible(context: NewContext) -> None:
    """Refuse a service that tells nobody what happens in it, or that would have to be a consumer as well."""
    if context.consumes:
        raise ScaffoldError(
            "A REST service consumes nothing: leave --consumes out, or write a consumer of another name."
        )
    if not context.emits:
        raise ScaffoldError(f"Say what it tells of: --emits {context.name}.EntryAdded, for one.")


def files(context: NewContext, names: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    names = {
        **names,
        "path": context.name.replace("_", "-"),
        "event": class_name(context.emits[0]),
        "emitted": ", ".join(sorted(map(class_name, context.emits))),
        "import_first": imports(context.emits[:1]),
        "import_emitted": imports(context.emits),
    }
    folder, contract = Path(FOLDER, context.name), Path("schemas/rest", context.name)
    for path, template in {
        folder / "__init__.py": "__init__.py",
        folder / "bootstrap.py": "bootstrap.py",
        folder / "v1.py": "v1.py",
        folder / "handlers.py": "handlers.py",
        folder / "queries.sql": "queries.sql",
        folder / "migrations/versions" / f"0001_{context.name}.py": "migration.py",
        contract / "__init__.py": "api.py",
        contract / "v1.py": "models.py",
        Path("tests/integration", f"test_{context.name}.py"): "test.py",
    }.items():
        yield path, filled(f"rest/{template}", names)
