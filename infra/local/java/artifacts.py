"""The Java files in the cache: what is missing, how it gets there, and the class path of each part.

Below `<cache>/java` stand `repository/` (in Maven's layout) and `registry/` (unpacked). A file
there under its own name is complete and verified, because it is put there in one step.
"""

import errno
import os
import shutil
import tarfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from infra.local.java.download import ArtifactError, Download, Progress, download_all
from infra.local.java.flock import exclusive
from infra.local.java.lockfile import Artifact, read

__all__ = [
    "ArtifactError",
    "Progress",
    "class_path",
    "ensure",
    "fetch",
    "missing",
    "registry_home",
    "repository_url",
]

OPTIONAL = frozenset({"zipkin", "agent"})
"""Parts that not every stack has; they are fetched for those that do."""
MIRROR_VARIABLE = "TAILRACE_MAVEN_MIRROR"
UNPACKED_RATIO = 1.2  # of the archive: the jars in it hardly compress any further


def repository_url() -> str:
    """Base URL of the Maven repository: the mirror named in the environment, or the central one."""
    from jgo.constants import MAVEN_CENTRAL_URL  # brings a whole HTTP library with it

    return (os.environ.get(MIRROR_VARIABLE) or MAVEN_CENTRAL_URL).rstrip("/")


def missing(cache: Path, optional: Collection[str] = ()) -> list[Artifact]:
    """What `ensure` would have to download."""
    left_out = OPTIONAL - frozenset(optional)
    parts = {name: part for name, part in read().items() if name not in left_out}
    wanted = {artifact.path: artifact for part in parts.values() for artifact in part}
    if registry_home(cache).is_dir():
        del wanted[_registry_archive().path]
    return [artifact for artifact in wanted.values() if not _is_present(cache, artifact)]


def ensure(
    cache: Path, *, optional: Collection[str] = (), progress: Progress | None = None
) -> None:
    """Download what the lock file names and unpack the registry; quick when all is there.

    Several processes may do this at once: one works, the others wait for it.

    Args:
        optional: Parts that are wanted of those that not every stack has.
    """
    if registry_home(cache).is_dir() and not missing(cache, optional):
        return
    with _explained(cache), exclusive(cache / "java" / ".lock"):
        wanted = missing(cache, optional)
        _require_space(cache, wanted)
        _download(cache, wanted, progress)
        if not registry_home(cache).is_dir():
            archive = _location(cache, _registry_archive())
            unpack(archive, registry_home(cache))
            archive.unlink()


def fetch(cache: Path, artifacts: Iterable[Artifact]) -> tuple[Path, ...]:
    """Download those of other artifacts that are missing, and return where all of them are."""
    with _explained(cache), exclusive(cache / "java" / ".lock"):
        wanted = list(artifacts)
        _download(cache, [each for each in wanted if not _is_present(cache, each)])
        return tuple(_location(cache, each) for each in wanted)


def class_path(cache: Path, part: str) -> tuple[Path, ...]:
    """The jars of "kafka", "connect" or "registry", in the order they are searched."""
    if part == "registry":
        home = registry_home(cache)
        folders = ("app", "lib/main", "lib/boot")
        rest = (jar for folder in folders for jar in sorted((home / folder).glob("*.jar")))
        # Quarkus rewrites some library classes at build time: its versions must come first
        return (
            home / "quarkus/transformed-bytecode.jar",
            home / "quarkus/generated-bytecode.jar",
            *rest,
        )
    return tuple(_location(cache, artifact) for artifact in read()[part])


def unpack(archive: Path, target: Path) -> None:
    """Extract a tar archive of plain files; `target` appears in one step when all is out."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            _extract(tar, member, partial)
    partial.rename(target)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, directory: Path) -> None:
    # not tarfile's own filter: the first releases of Python 3.11 have none
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise ArtifactError(
            f"{Path(os.fsdecode(tar.name or '')).name} holds {member.name!r}, which does not belong "
            "in a distribution of jars: it was not unpacked."
        )
    if member.isdir():
        (directory / path).mkdir(parents=True, exist_ok=True)
        return
    (directory / path).parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source:
        with source, (directory / path).open("wb") as file:
            shutil.copyfileobj(source, file)


def _download(cache: Path, artifacts: Iterable[Artifact], progress: Progress | None = None) -> None:
    downloads = [
        Download(
            url=f"{repository_url()}/{artifact.path}",
            target=_location(cache, artifact),
            sha256=artifact.sha256,
            size=artifact.size,
        )
        for artifact in artifacts
    ]
    download_all(downloads, progress=progress)


def _location(cache: Path, artifact: Artifact) -> Path:
    return cache / "java" / "repository" / artifact.path


def _is_present(cache: Path, artifact: Artifact) -> bool:
    try:
        return _location(cache, artifact).stat().st_size == artifact.size
    except OSError:
        return False


def _registry_archive() -> Artifact:
    (archive,) = read()["registry"]
    return archive


def registry_home(cache: Path) -> Path:
    """The directory of the registry's distribution, which is there once it was unpacked."""
    archive = _registry_archive()
    return cache / "java" / "registry" / f"{archive.version}-{archive.sha256[:12]}"


def _require_space(cache: Path, wanted: list[Artifact]) -> None:
    needed = sum(artifact.size for artifact in wanted)
    if not registry_home(cache).is_dir():
        needed += int(_registry_archive().size * UNPACKED_RATIO)
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise ArtifactError(
            f"The disk of {cache} has {free / 1e6:.0f} MB free but the Java parts need "
            f"{needed / 1e6:.0f} MB: free some space or set TAILRACE_CACHE to another disk."
        )


@contextmanager
def _explained(cache: Path) -> Iterator[None]:
    """Say in one sentence what the operating system complains about."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ArtifactError(
                f"The disk of {cache} is full, so the Java parts could not be stored: free some "
                "space or set TAILRACE_CACHE to another disk; what has arrived is kept."
            ) from error
        raise ArtifactError(
            f"The Java parts could not be stored in {cache} ({error.strerror or error}): make it "
            "writable or set TAILRACE_CACHE to a directory that is."
        ) from error
    except tarfile.TarError as error:
        raise ArtifactError(
            f"The registry's archive in {cache} cannot be unpacked ({error}): delete "
            f"{cache / 'java'} and run the command again."
        ) from error
