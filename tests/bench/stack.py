"""The stack that a benchmark runs on: its own, with nothing at work that is not measured, and gone at the end."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from infra.local.down import reset
from infra.local.parts import parts_of
from infra.local.supervision.client import Supervisor
from infra.services import SUPERUSER
from infra.settings import REPOSITORY
from tests.bench.errors import BenchError
from tests.stack import RunningStack, make_directory, own_settings

LOGS_KEPT = REPOSITORY / "build" / "bench-logs"


@contextmanager
def own_stack(*needed: str, **changes: object) -> Iterator[RunningStack]:
    """Start a stack of its own, with its home and ports, and delete it whatever happens.

    Args:
        needed: Names of the parts to leave running, none for all; the others are stopped once the pipeline stands.
        changes: Settings that differ, such as `publisher`.
    """
    directory = make_directory()
    try:
        # Debezium as `make up` runs it, and not thrifty as beside other stacks; each consumer's time by itself
        given = {"cdc_profile": "default", "workers": "apart"} | changes
        settings = own_settings(directory / "home", **given)
        stack = RunningStack(settings)
        try:
            _start(stack)
            if needed:
                quieten(stack, needed)
            yield stack
        except BaseException:
            keep_logs(stack)
            raise
        finally:
            _delete(stack)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _start(stack: RunningStack) -> None:
    # In a session of its own Ctrl-C does not reach it: it is interrupted once, by us, and takes back in peace what it
    # has started. Its progress on standard error is ours.
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.cli", "up", "--json"],
        cwd=REPOSITORY,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise
    if code != 0:
        raise BenchError(f"The stack did not come up; its logs are in {LOGS_KEPT}.")


def quieten(stack: RunningStack, needed: Sequence[str]) -> None:
    """Stop what would take processor time; a slot that nobody reads any more would hold back the WAL."""
    settings = stack.settings
    names = {part.name for part in parts_of(settings)}
    Supervisor(stack.settings.home).stop(names - set(needed))
    if "connect" in needed:
        return
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active"
        )


def keep_logs(stack: RunningStack) -> None:
    """Copy the logs of a stack to where they stay."""
    logs = stack.settings.home / "logs"
    shutil.rmtree(LOGS_KEPT, ignore_errors=True)
    if logs.is_dir():
        shutil.copytree(logs, LOGS_KEPT)


def _delete(stack: RunningStack) -> None:
    """Delete the stack; whoever interrupts once more does not keep it from going."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        reset(stack.settings)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
