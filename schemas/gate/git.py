"""Reads the contracts of a commit and of all before it from git, with three processes however much there is."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SHORT = 7
"""Digits of a commit that are shown."""
TIMEOUT_S = 60
INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
"""Variables by which a hook that runs the gate would point git to somewhere else."""


class GitError(Exception):
    """Git cannot say how the contracts were: no repository, no such revision, no git."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and where the contracts are in it."""

    name: str  # how it was found, such as `main` or `origin/main`
    commit: str
    # the directory of the contracts below the root of the repository, with a slash at its end
    prefix: str
    is_shallow: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit made of one file: `blob` is the id of its new text, None if the file went."""

    commit: str
    path: str
    blob: str | None


def find(directory: Path, ref: str) -> Revision:
    """Return the commit that a branch, tag or other revision names.

    Args:
        ref: The revision; a branch that exists only at the remote `origin` is found there.

    Raises:
        GitError: there is no such revision, or the directory is in no repository.
    """
    place = run(directory, "rev-parse", "--show-prefix", "--is-shallow-repository").decode()
    prefix, shallow, *_ = place.splitlines()
    for name in (ref, f"origin/{ref}"):
        commit = _commit(directory, name)
        if commit is not None:
            return Revision(name, commit, prefix, shallow == "true")
    kind = "this shallow clone" if shallow == "true" else "the repository"
    branch = ref.removeprefix("origin/")
    raise GitError(
        f"{kind} has no revision {ref}: run `git fetch origin {branch}:refs/remotes/origin/{branch}`, or name another "
        "revision with `--against git:REF`"
    )


def location(directory: Path) -> str:
    """Return a directory's path below the root of its repository, with a slash at its end."""
    return run(directory, "rev-parse", "--show-prefix").decode().rstrip("\n")


def changes(revision: Revision, directory: Path, paths: Iterable[str]) -> list[Change]:
    """Return what the first-parent history of a commit did to the files below some paths, newest first.

    Merged branches count as the one commit that merged them: what was on the main line was published, what was tried
    on the way there was not.
    """
    log = run(
        directory,
        *("log", "-m", "--first-parent", "--raw", "--no-abbrev", "--no-renames", "-z"),
        *("--format=%H", revision.commit, "--", *paths),
    )
    return list(_parse_log(log, revision.prefix))


def blobs(directory: Path, ids: Iterable[str]) -> dict[str, str]:
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    output = run(directory, "cat-file", "--batch", given="\n".join(wanted).encode() + b"\n")
    texts, position = {}, 0
    for each in wanted:
        end = output.index(b"\n", position)
        _, kind, *size = output[position:end].split()
        if kind != b"blob":
            raise GitError(f"the clone lacks the object {each}; run `git fetch --refetch`")
        start, position = end + 1, end + 2 + int(size[0])
        texts[each] = output[start : position - 1].decode(errors="surrogateescape")
    return texts


def _commit(directory: Path, name: str) -> str | None:
    """Return the id of a revision; what would be taken for an option is none."""
    if name.startswith("-"):
        return None
    done = _start(directory, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return done.stdout.decode().strip() if done.returncode == 0 else None


def _parse_log(log: bytes, prefix: str) -> Iterator[Change]:
    """Yield the changes of `log --raw -z`: a commit's id, or `:mode mode id id status` and then a path."""
    tokens = iter(log.decode(errors="surrogateescape").split("\0"))
    commit = ""
    for token in map(str.strip, tokens):
        if not token.startswith(":"):
            commit = token or commit
            continue
        _, mode, _, blob, _ = token[1:].split()
        path = next(tokens).removeprefix(prefix)
        is_file = mode.startswith("100")
        yield Change(commit, path, blob if is_file else None)


def run(directory: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Return what git prints, run for a directory.

    Raises:
        GitError: it refuses, does not answer or is not there.
    """
    done = _start(directory, *arguments, given=given)
    if done.returncode == 0:
        return done.stdout
    reason = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    if "not a git repository" in reason:
        raise GitError(
            f"{directory} is in no git repository, so there is nothing to compare with: run this in a clone, or use "
            "`--against registry`"
        )
    raise GitError(f"git cannot read {directory}: {reason.removeprefix('fatal: ')}")


def _start(
    directory: Path, *arguments: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in INHERITED}
    command = ["git", "-C", str(directory), "-c", "diff.relative=false", *arguments]
    try:
        return subprocess.run(
            command,
            input=given,
            capture_output=True,
            env=environment,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitError(
            "git is not installed, and the gate asks it for the older schemas"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git did not answer within {TIMEOUT_S} s") from error
