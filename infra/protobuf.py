"""Renders the Python classes of the protos that are committed under `schemas/rpc/`, by the pinned compiler."""

import re
import subprocess
import tempfile
from pathlib import Path

from infra.interpreter import module_command
from infra.repository import REPOSITORY

PROTOS = "schemas/proto"
CLASSES = Path("schemas/rpc")
PACKAGE = "tailrace"
"""Package that all protos lie in. It is left out of the classes' path: `tailrace` is a module of ours."""

_IMPORT = re.compile(rf"^from {PACKAGE}\.", re.MULTILINE)


class CompilerError(Exception):
    """The protos do not compile."""


def render_all() -> dict[Path, str]:
    """Return the text of each generated module by its path in the repository."""
    with tempfile.TemporaryDirectory(prefix="tailrace-rpc-") as directory:
        _compile(Path(directory))
        root = Path(directory, PACKAGE)
        return {
            CLASSES / file.relative_to(root): _IMPORT.sub("from schemas.rpc.", file.read_text())
            for file in root.rglob("*.py*")
        }


def present() -> list[Path]:
    """Return the files that are there, each of them generated or left over."""
    folder = REPOSITORY / CLASSES
    return [*folder.rglob("*_pb2*.py"), *folder.rglob("*_pb2.pyi")]


def _compile(directory: Path) -> None:
    protos = sorted((REPOSITORY / PROTOS).rglob("*.proto"))
    kinds = (f"--{kind}_out={directory}" for kind in ("python", "pyi", "grpc_python"))
    command = module_command(
        "grpc_tools.protoc", f"-I{REPOSITORY / PROTOS}", *kinds, *map(str, protos)
    )
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompilerError(f"the protos do not compile: {'; '.join(done.stderr.splitlines())}")
