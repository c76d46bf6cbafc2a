"""Replays into sandboxes that go on by themselves, whoever asked for them: each a process, whose files tell of it."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cdc.reconciliation import Progress
from consumers.replay.state import RUN_ID, new_run_id
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError
from infra.interpreter import module_command
from infra.operations.replay.request import ReplayRequest
from infra.replay import UnknownConsumerError, find_worker
from schemas.files import read_json, replace_file

MOST_AT_ONCE = 2
KEPT = 30
"""Of so many jobs it is known what they were."""
ROWS = 200
"""Rows of each table that differ, unless it is said how many."""
TOLD_EVERY_S = 0.3
LONGEST_COMPLAINT = 4000

ASKED, PROGRESS, RESULT, ENDED, COMPLAINT, LOCK = (
    "asked.json",
    "progress.json",
    "result.json",
    "ended.json",
    "complaint.txt",
    "lock",
)
LARGEST_RESULT = 32 * 2**20
"""Bytes of a result that are read: every message that would have been sent is in it."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

State = Literal["running", "same", "differs", "counted", "failed"]


class NoSuchJobError(TailraceError):
    """No replay has the id that was named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A replay that goes on, or has ended."""

    job_id: str
    words: Sequence[str]  # arguments of `tailrace replay`
    dry_run: bool
    who: str
    why: str
    begun_at: datetime
    kept_at: str  # directory of its files
    state: State
    doing: str = ""
    done: int = 0
    total: int = 0
    complaint: str = ""
    # what `tailrace replay --json` tells; None of one that goes on, in a list, and where it is too large to be shown
    result: Mapping[str, Any] | None = None

    @property
    def command(self) -> str:
        dry = ["--dry-run"] if self.dry_run else []
        return " ".join(["tailrace replay", *self.words, *dry])


def start(deployment: Deployment, request: ReplayRequest) -> Job:
    """Begin a replay into a sandbox, or the counting of what it would replay, in a process of its own."""
    if request.to_topic or request.live or request.resume:
        raise RequestError("Only a replay into a sandbox goes on by itself; the others ask first.")
    if not request.consumer:
        raise RequestError("Say whose handlers are called: --consumer analytics.")
    _require_known(request)
    root = _root(deployment)
    with _alone(root):
        running = [each for each in jobs(deployment) if each.state == "running"]
        if len(running) >= MOST_AT_ONCE:
            raise RequestError(
                f"{MOST_AT_ONCE} replays are at work already: wait for {running[-1].job_id}, or stop it."
            )
        _forget_old(root)
        return _spawn(deployment, root, request)


def jobs(deployment: Deployment) -> list[Job]:
    """Return those that are known, newest first."""
    root = _root(deployment)
    names = sorted((each.name for each in root.iterdir()), reverse=True) if root.is_dir() else []
    found = []
    for name in filter(RUN_ID.fullmatch, names):
        with contextlib.suppress(FileNotFoundError):  # of one that is begun or forgotten just now
            found.append(_read(root / name))
    return found


def job(deployment: Deployment, job_id: str) -> Job:
    directory = _root(deployment) / job_id
    if not (RUN_ID.fullmatch(job_id) and (directory / ASKED).is_file()):
        raise NoSuchJobError(
            f"There is no replay {job_id!r}; `tailrace replay jobs` shows those there are."
        )
    found = _read(directory)
    path = directory / RESULT
    if found.state in {"running", "failed"} or path.stat().st_size > LARGEST_RESULT:
        return found
    return replace(found, result=json.loads(path.read_text()))


def stop(deployment: Deployment, job_id: str) -> Job:
    """Interrupt a replay as Ctrl-C would; where it stands is remembered."""
    found = job(deployment, job_id)
    directory = _root(deployment) / job_id
    if found.state == "running":
        pid = json.loads((directory / ASKED).read_text())["pid"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    return found


def telling(path: Path) -> Progress:
    """Return what writes into a file how far an operation is."""

    @contextmanager
    def progress(words: str, total: int) -> Iterator[Any]:
        told_at = 0.0

        def show(done: int) -> None:
            nonlocal told_at
            if done and done < total and time.monotonic() - told_at < TOLD_EVERY_S:
                return
            told_at = time.monotonic()
            _write(path, {"doing": words, "done": done, "total": total})

        show(0)
        yield show

    return progress


def _require_known(request: ReplayRequest) -> None:
    """Refuse at once what the process could not do."""
    try:
        find_worker(request.consumer or "")
    except UnknownConsumerError as error:
        raise RequestError(str(error)) from error
    if request.topics:
        request.selection()


def _root(deployment: Deployment) -> Path:
    return deployment.state / "replay-jobs"


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _spawn(deployment: Deployment, root: Path, request: ReplayRequest) -> Job:
    job_id = new_run_id()
    directory = root / job_id
    directory.mkdir(mode=0o700)
    words = request.words()
    words += [f"--code={request.code}"] if request.code else []
    words += [] if request.rows is not None else [f"--rows={ROWS}"]
    options = ["--json", f"--progress={directory / PROGRESS}"]
    options += ["--dry-run"] if request.dry_run else []
    with (
        (directory / LOCK).open("w") as lock,
        (directory / RESULT).open("w") as result,
        (directory / COMPLAINT).open("w") as complaint,
    ):
        # held by the process, through whatever becomes of us, until it ends
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            module_command("infra.cli", "replay", *words, *options),
            env=os.environ | dict(deployment.variables),
            stdin=subprocess.DEVNULL,
            stdout=result,
            stderr=complaint,
            pass_fds=(lock.fileno(),),
            start_new_session=True,
        )
    asked = {
        "words": words,
        "dry_run": request.dry_run,
        "who": request.who,
        "why": request.why or "",
        "begun_at": datetime.now(UTC).isoformat(),
        "pid": process.pid,
    }
    _write(directory / ASKED, asked)
    return _read(directory)


def _read(directory: Path) -> Job:
    asked = json.loads((directory / ASKED).read_text())
    is_running = _is_held(directory / LOCK)
    complaint = COLOUR.sub("", (directory / COMPLAINT).read_text(errors="replace")).strip()
    return Job(
        job_id=directory.name,
        words=asked["words"],
        dry_run=asked["dry_run"],
        who=asked["who"],
        why=asked["why"],
        begun_at=datetime.fromisoformat(asked["begun_at"]),
        kept_at=str(directory),
        state="running" if is_running else _ended(directory, dry_run=asked["dry_run"]),
        complaint=complaint[-LONGEST_COMPLAINT:],
        **(read_json(directory / PROGRESS) or {}),
    )


def _ended(directory: Path, *, dry_run: bool) -> State:
    """Return what came of one that has ended; its result, which may be large, is read for that only once."""
    if (known := read_json(directory / ENDED)) is None:
        known = {"state": _judged(read_json(directory / RESULT), dry_run=dry_run)}
        _write(directory / ENDED, known)
    state: State = known["state"]
    return state


def _judged(result: Mapping[str, Any] | None, *, dry_run: bool) -> State:
    if result is None:
        return "failed"
    if dry_run:
        return "counted"
    return "same" if result["equal"] else "differs"


def _is_held(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:  # its process was killed before it had one
        return False
    except BlockingIOError:
        return True
    return False


def _write(path: Path, content: Mapping[str, Any]) -> None:
    replace_file(path, json.dumps(content), 0o666)


def _forget_old(root: Path) -> None:
    ended = sorted(each for each in root.iterdir() if RUN_ID.fullmatch(each.name))[: -KEPT + 1]
    for directory in ended:
        if not _is_held(directory / LOCK):
            shutil.rmtree(directory, ignore_errors=True)
