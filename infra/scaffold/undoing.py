"""Takes back what was written of a context that could not be finished."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.generate import present
from infra.repository import REPOSITORY

GOLDEN = Path("schemas/golden")


@contextmanager
def whole_or_not_at_all(paths: Iterable[Path]) -> Iterator[None]:
    """Put files of a context, and what is generated, back as they were, if this is not done to its end."""
    before = {path: _read(path) for path in (*paths, *_made())}
    try:
        yield
    except BaseException:
        for path in {*before, *_made()}:
            _put(path, before.get(path))
        raise


def _made() -> list[Path]:
    golden = (REPOSITORY / GOLDEN).glob("*.json")
    return [*present(), *(file.relative_to(REPOSITORY) for file in golden)]


def _read(path: Path) -> bytes | None:
    file = REPOSITORY / path
    return file.read_bytes() if file.is_file() else None


def _put(path: Path, content: bytes | None) -> None:
    file = REPOSITORY / path
    if content is not None:
        if _read(path) != content:
            file.write_bytes(content)
        return
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder.is_dir() and {each.name for each in folder.iterdir()} - {"__pycache__"}:
            return
        shutil.rmtree(folder, ignore_errors=True)
