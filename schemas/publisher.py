"""Who publishes, and from which state of the repository."""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.gate import git

NAMES = ("TAILRACE_PUBLISHER_NAME", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID")
"""Variables with the name of whoever set the publishing in motion, the first that is set; the rest are CI systems'."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes."""

    name: str
    # Git commit of the schemas, `-dirty` behind it when they differ from it; None outside a repository
    revision: str | None


def present(
    environment: Mapping[str, str] = os.environ, directory: Path = Path(__file__).parent
) -> Publisher:
    """Return who runs this process, and the revision of the schemas that it publishes."""
    named = (environment[variable] for variable in NAMES if environment.get(variable))
    return Publisher(next(named, None) or _user(), revision(directory))


def revision(directory: Path) -> str | None:
    """Return the commit of a directory, `-dirty` behind it when something in it is changed or new."""
    commit = _git(directory, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    return f"{commit}-dirty" if _git(directory, "status", "--porcelain", "--", ".") else commit


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        return git.run(directory, *arguments).decode().strip()
    except git.GitError:
        return None
