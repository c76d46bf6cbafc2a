"""What a change is compared with: the contracts of a git revision and its history, or the registry's versions."""

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
    """What there was before the change."""

    name: str  # how the user named it: `git:main` or `registry`
    commit: str | None  # its commit; None for the registry
    prefix: str
    files: Files
    # returns all schemas that a message ever had, oldest first; the last is that in `files`
    history: History
    # what the user should know about how complete this is, as sentences
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.commit is not None

    @property
    def title(self) -> str:
        return f"{self.name} ({self.commit[: git.SHORT]})" if self.commit else self.name


def from_git(directory: Path, ref: str) -> Baseline:
    """Return the contracts as they were at a revision, and every schema that its main line ever had.

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
