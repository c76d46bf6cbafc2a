"""Everything that is made from the contracts and committed: `python -m infra.generate`.

Message classes, OpenAPI documents, the AsyncAPI document and the pages of the event catalogue. A test fails when one of
them is not what this would write.
"""

import json
from importlib.metadata import version
from pathlib import Path

from infra import asyncapi, catalogue_pages, openapi
from infra.settings import REPOSITORY
from schemas import generate as messages
from schemas.catalogue import catalogue
from schemas.contracts import readers

CATALOGUE_PAGES = Path("docs/catalogue")


def render_all() -> dict[Path, str]:
    """Return the text of every generated file by its path in the repository."""
    return {
        **{Path("schemas/messages", name): text for name, text in messages.render_all().items()},
        **{Path(path): text for path, text in openapi.render_all().items()},
        **{
            CATALOGUE_PAGES / name: text
            for name, text in catalogue_pages.render(catalogue(), readers()).items()
        },
        CATALOGUE_PAGES / "asyncapi.json": _json(
            asyncapi.document(catalogue(), version("tailrace"))
        ),
    }


def stale() -> list[Path]:
    """Return the generated files that are not what they should be, and those that nothing generates any more."""
    expected = render_all()
    changed = [path for path, text in expected.items() if _read(path) != text]
    return changed + [path for path in _present() if path not in expected]


def main() -> None:
    """Write what has changed and remove what is left over; say which files."""
    expected = render_all()
    for path in stale():
        file = REPOSITORY / path
        if path in expected:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(expected[path])
            print(f"wrote {path}")
        else:
            file.unlink()
            print(f"removed {path}")


def _present() -> list[Path]:
    found = [
        *(REPOSITORY / CATALOGUE_PAGES).glob("*"),
        *(REPOSITORY / "schemas/messages").glob("*.py"),
        *(REPOSITORY / "schemas/rest/openapi").glob("*.json"),
    ]
    return [file.relative_to(REPOSITORY) for file in found]


def _read(path: Path) -> str | None:
    file = REPOSITORY / path
    return file.read_text() if file.is_file() else None


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
