"""The description of one JVM process, ready to be run by a supervisor."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process that is configured and can be started.

    Args:
        name: name of the part, e.g. "kafka".
        argv: command line; holds no secret.
        env: variables added to the inherited environment; holds no secret.
        directory: working directory, which exists.
        files: the configuration files the process reads at its start.
    """

    name: str
    argv: list[str]
    env: dict[str, str]
    directory: Path
    files: tuple[Path, ...]
