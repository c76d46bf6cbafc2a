"""What a change is compared with: the contracts of a git revision and its history, or the registry's versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.gate import git
from schemas.gate.lineage import Lineage, Older
from schemas.gate.tree import PATHS, Files, is_contract, path_of

Ask = Callable[[str], Mapping[int, str]]
"""Returns the texts of all versions of a subject by their numbers, oldest first."""
History = Callable[[str], tuple[Older, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What there was before the change.

    Args:
        name: How the user named it: `git:main` or `registry`.
        commit: Its commit; None for the registry.
        prefix: Path of the contracts below the root of the repository, with a slash at its end.
        files: The contract files; of the registry there are the messages' latest schemas alone.
        history: Returns all schemas that a message ever had, oldest first; the last is that in `files`.
        notes: What the user should know about how complete this is, as sentences.
    """

    name: str
    commit: str | None
    prefix: str
    files: Files
    history: History
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it has all contracts, so that what it lacks was not there."""
        return self.commit is not None

    @property
    def title(self) -> str:
        """The name, with the commit that it stands for."""
        return f"{self.name} ({self.commit[: git.SHORT]})" if self.commit else self.name


def from_git(directory: Path, ref: str) -> Baseline:
    """Return the contracts as they were at a revision, and every schema that its main line ever had.

    Args:
        directory: The `schemas/` directory of the working tree.
        ref: Branch, tag or other revision.

    Raises:
        GitError: there is no such revision, or no repository.
    """
    revision = git.find(directory, ref)
    found = [each for each in git.changes(revision, directory, PATHS) if is_contract(each.path)]
    texts = git.blobs(directory, (each.blob for each in found if each.blob))
    latest = {each.path: each.blob for each in reversed(found)}
    return Baseline(
        name=f"git:{revision.name}",
        commit=revision.commit,
        prefix=revision.prefix,
        files={path: texts[blob] for path, blob in latest.items() if blob},
        history=Lineage(found, texts).of,
        notes=(_SHALLOW,) if revision.is_shallow else (),
    )


def from_registry(directory: Path, messages: Iterable[str], ask: Ask) -> Baseline:
    """Return the registry's versions of some messages.

    Args:
        directory: The `schemas/` directory of the working tree.
        messages: Full names of the messages, which are also their subjects.
        ask: Where the versions come from.
    """
    history = {
        name: tuple(Older(f"version {number}", text) for number, text in versions.items())
        for name in messages
        if (versions := ask(name))
    }
    return Baseline(
        name="registry",
        commit=None,
        prefix=_prefix(directory),
        files={path_of(name): versions[-1].text for name, versions in history.items()},
        history=lambda name: history.get(name, ()),
    )


_SHALLOW = (
    "This clone is shallow, so the oldest schemas may be missing from the comparison; "
    "`git fetch --unshallow` brings them."
)


def _prefix(directory: Path) -> str:
    try:
        return git.location(directory)
    except git.GitError:
        return f"{directory.name}/"
