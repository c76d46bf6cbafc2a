"""Replaying with the handlers of another revision: a worktree of it, and this command run in there."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from consumers.replay.state import RunState
from infra.deployment import Deployment
from infra.errors import TailraceError
from infra.operations.replay.request import ReplayRequest
from infra.replay import find_worker
from infra.repository import REPOSITORY
from infra.services import MIGRATIONS, REPLAYS
from schemas.gate import git

VARIABLE = "TAILRACE_REPLAY_CODE"  # tells the command in the worktree what its revision is called
COMMIT = "TAILRACE_REPLAY_COMMIT"  # and which one it is, whatever becomes of the branch

TABLES = (
    "cdc/migrations",
    "cdc/retention/ddl",
    "cdc/event_log/ddl",
    "cdc/bounds/ddl",
    "consumers/runtime/ddl",
    "consumers/sagas/ddl",
)


class CodeError(TailraceError):
    """The handlers of a revision cannot be replayed."""


@dataclass(frozen=True, slots=True)
class Code:
    """A revision whose handlers are tried."""

    name: str  # with the commit that it was
    commit: str


def current_code() -> str | None:
    """Return what the revision that this process was started for is called, None for that of the working tree."""
    return os.environ.get(VARIABLE)


def current_commit() -> str | None:
    """Return the commit that this process was started for."""
    return os.environ.get(COMMIT)


def find_code(ref: str) -> Code:
    """Return the revision that is called so now."""
    commit = _commit_of(ref)
    return Code(ref if ref == commit else f"{ref} ({commit[: git.SHORT]})", commit)


def other_code(state: RunState) -> Code | None:
    """Return with what a replay that was interrupted has to go on, None if that is what this process has.

    Raises:
        CodeError: this process was started for another revision.
    """
    if state.code == current_code():
        return None
    if state.code is None or current_code() is not None:
        raise CodeError(
            f"The replay {state.run_id} was begun with the handlers of {state.code or 'the working tree'}, and these "
            f"are of {current_code()}: nothing was replayed."
        )
    # code of before noted no more than the name
    return Code(state.code, _commit_of(state.commit or state.code.rpartition("(")[2].rstrip(")")))


def replay_with(
    deployment: Deployment,
    code: Code,
    request: ReplayRequest,
    consumer: str | None,
    options: Sequence[str] = (),
) -> int:
    """Replay into a sandbox with the handlers of another revision, and return the exit code."""
    _require_replay(code)
    if consumer:
        _require_same_tables(code, str(find_worker(consumer).role))
    with _worktree(code.commit) as directory:
        variables = os.environ | dict(deployment.variables)
        variables |= {
            "PYTHONPATH": str(directory),
            VARIABLE: code.name,
            COMMIT: code.commit,
        }
        command = [sys.executable, "-m", "infra.cli", "replay", *request.words(), *options]
        return _run(command, directory, variables)


def _commit_of(ref: str) -> str:
    try:
        return git.find(REPOSITORY / "schemas", ref).commit
    except git.GitError as error:
        raise CodeError(
            f"There is no code at {ref}, as git knows no such branch, tag or commit here; `git log --all` lists them."
        ) from error


def _require_replay(code: Code) -> None:
    try:
        git.run(REPOSITORY, "cat-file", "-e", f"{code.commit}:consumers/replay")
    except git.GitError as error:
        raise CodeError(
            f"The code at {code.name} knows no replay yet: put the change that you want to try on top of one that does."
        ) from error


def _require_same_tables(code: Code, role: str) -> None:
    """Refuse a revision whose migrations are others, for its tables could not be compared with the live ones."""
    paths = [
        *TABLES,
        *(f"{each.replace('.', '/')}/versions" for each in MIGRATIONS[role] if each != REPLAYS),
    ]
    try:
        changed = git.run(REPOSITORY, "diff", "--name-only", code.commit, "--", *paths).decode()
    except git.GitError as error:
        raise CodeError(f"{code.name} is not compared with the working tree: {error}") from error
    if changed:
        files = ", ".join(changed.split())
        raise CodeError(
            f"The code at {code.name} makes other tables than the working tree does ({files}), so that they cannot be "
            "compared with the live ones: migrate first, or try the handlers without the change of tables."
        )


@contextmanager
def _worktree(commit: str) -> Iterator[Path]:
    """Check a commit out into a directory of its own until the block ends."""
    parent = Path(tempfile.mkdtemp(prefix="tailrace-code-"))
    directory = parent / "tailrace"
    try:
        try:
            git.run(REPOSITORY, "worktree", "add", "--detach", str(directory), commit)
        except git.GitError as error:
            raise CodeError(f"{commit} is not checked out: {error}") from error
        yield directory
    finally:
        with suppress(git.GitError):
            git.run(REPOSITORY, "worktree", "remove", "--force", str(directory))
        shutil.rmtree(parent, ignore_errors=True)


def _run(argv: Sequence[str], directory: Path, variables: Mapping[str, str]) -> int:
    """Run the command; whoever interrupts us interrupts it, once, and it comes to its end."""
    # In a session of its own, the terminal's Ctrl-C reaches us only.
    with subprocess.Popen(argv, cwd=directory, env=variables, start_new_session=True) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
