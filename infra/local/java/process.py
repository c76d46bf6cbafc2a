"""The description of one JVM process, ready to be run by a supervisor."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process that is configured and can be started; neither its command line nor its environment holds a secret."""

    name: str
    argv: list[str]
    env: dict[str, str]  # variables added to the inherited environment
    directory: Path
    files: tuple[Path, ...]  # the configuration files the process reads at its start
