"""The lock file `artifacts.lock`: exactly which Maven artifacts each Java part consists of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LOCK_FILE = Path(__file__).with_name("artifacts.lock")

HEADER = """\
# The Java artifacts of the embedded stack, one per line: coordinates, sha256, size in bytes.
# Written by `python -m infra.local.java.lock`; do not edit.
"""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a Maven repository, with the digest it must have."""

    group: str
    name: str  # the artifact id, e.g. "kafka-clients"
    version: str
    sha256: str
    size: int
    packaging: str = "jar"  # file name extension
    classifier: str = ""  # empty for the main file

    @property
    def path(self) -> str:
        """Where the file stands below the root of any Maven repository."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        file = f"{self.name}-{self.version}{classifier}.{self.packaging}"
        return f"{self.group.replace('.', '/')}/{self.name}/{self.version}/{file}"

    @property
    def coordinates(self) -> str:
        """`group:artifact:version`, followed by `:packaging:classifier` unless it is a plain jar."""
        plain = f"{self.group}:{self.name}:{self.version}"
        if (self.packaging, self.classifier) == ("jar", ""):
            return plain
        return f"{plain}:{self.packaging}:{self.classifier}".rstrip(":")

    @classmethod
    def parse(cls, line: str) -> Self:
        coordinates, sha256, size = line.split()
        group, name, version, *rest = coordinates.split(":")
        return cls(group, name, version, sha256, int(size), *rest)

    def __str__(self) -> str:
        return f"{self.coordinates} {self.sha256} {self.size}"


def read(path: Path = LOCK_FILE) -> dict[str, tuple[Artifact, ...]]:
    """Part -> its artifacts in the order of the class path."""
    parts: dict[str, list[Artifact]] = {}
    current: list[Artifact] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            current = parts.setdefault(line.strip("[]"), [])
        else:
            current.append(Artifact.parse(line))
    return {part: tuple(artifacts) for part, artifacts in parts.items()}


def render(parts: Mapping[str, Sequence[Artifact]], header: str = HEADER) -> str:
    sections = (
        "\n".join([f"[{part}]", *(str(artifact) for artifact in artifacts)])
        for part, artifacts in parts.items()
    )
    return header + "".join(f"\n{section}\n" for section in sections)
