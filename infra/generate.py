"""Everything that is made from the contracts and committed: `python -m infra.generate`.

Message classes, classes of the protos, OpenAPI documents, the AsyncAPI document, the pages of the event catalogue,
the compose file, and what Prometheus and Grafana read. A test fails when one of them is not what this would write.
"""

import json
import sys
from collections.abc import Container, Mapping
from importlib import invalidate_caches
from importlib.metadata import version
from pathlib import Path

from infra import asyncapi, catalogue_pages, openapi, protobuf
from infra.compose import render as compose
from infra.compose.parts import FILE
from infra.errors import explain
from infra.observability import files
from infra.observability import render as observability
from infra.repository import REPOSITORY
from schemas import generate as messages
from schemas.catalogue import catalogue
from schemas.contracts import readers

CATALOGUE_PAGES = Path("docs/catalogue")


def render_classes() -> dict[Path, str]:
    ours = {Path("schemas/messages", name): text for name, text in messages.render_all().items()}
    return ours | protobuf.render_all()


def render_documents() -> dict[Path, str]:
    document = asyncapi.document(catalogue(), version("tailrace"))
    return {
        **{Path(path): text for path, text in openapi.render_all().items()},
        **compose.render(),
        **observability.render(),
        **{
            CATALOGUE_PAGES / name: text
            for name, text in catalogue_pages.render(catalogue(), readers()).items()
        },
        CATALOGUE_PAGES
        / "asyncapi.json": f"{json.dumps(document, indent=2, ensure_ascii=False)}\n",
    }


def stale(expected: Mapping[Path, str]) -> list[Path]:
    """Return the generated files that are not what is expected, and those that nothing generates any more."""
    return _changed(expected) + _left_over(expected)


def main() -> None:
    """Write what has changed and remove what is left over; a contract that cannot be read is one sentence."""
    try:
        _generate()
    except Exception as error:
        if (sentence := explain(error)) is None:
            raise
        sys.exit(sentence)


def _generate() -> None:
    expected = render_classes()
    changed = _write(expected)
    invalidate_caches()  # services, which say what their documents hold, import the classes
    expected |= render_documents()
    changed += _write(expected)
    for path in _left_over(expected):
        (REPOSITORY / path).unlink()
        print(f"removed {path}")
        changed.append(path)
    if not changed:
        print("nothing has changed")


def _write(texts: Mapping[Path, str]) -> list[Path]:
    changed = _changed(texts)
    for path in changed:
        file = REPOSITORY / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(texts[path])
        print(f"wrote {path}")
    return changed


def _changed(texts: Mapping[Path, str]) -> list[Path]:
    return [path for path, text in texts.items() if _read(path) != text]


def _left_over(expected: Container[Path]) -> list[Path]:
    return [path for path in present() if path not in expected]


def present() -> list[Path]:
    """Return the files that are there, each of them generated or left over."""
    found = [
        REPOSITORY / FILE,
        *(REPOSITORY / CATALOGUE_PAGES).glob("*"),
        *(REPOSITORY / "schemas/messages").glob("*.py"),
        *protobuf.present(),
        *(REPOSITORY / "schemas/rest/openapi").glob("*.json"),
        *(REPOSITORY / observability.FOLDER / path for path in files()),
    ]
    return [file.relative_to(REPOSITORY) for file in found]


def _read(path: Path) -> str | None:
    file = REPOSITORY / path
    return file.read_text() if file.is_file() else None


if __name__ == "__main__":
    main()
