"""Replays in tests: running the command, and what it leaves behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner

from consumers.replay.sandbox import list_sandboxes
from infra.cli import cli
from infra.errors import explain
from infra.local.probe import wait_until
from infra.settings import REPOSITORY
from tests.stack import RunningStack

TIMEOUT_S = 60.0


def replay(stack: RunningStack, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run `tailrace replay` and return what it says as JSON."""
    done = stack.cli("replay", "--json", *arguments, check=False)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def refused(stack: RunningStack, *arguments: str, code: int) -> str:
    """Run `tailrace replay`, which has to refuse, and return why."""
    before = sandboxes(stack)
    done = CliRunner().invoke(cli, ["replay", *arguments], env=stack.environment)
    failed = done.exception is not None and not isinstance(done.exception, SystemExit)
    why = explain(done.exception) if failed and done.exception else None
    assert (1 if why else done.exit_code) == code, done.output
    assert sandboxes(stack) == before
    return why or done.output


def keys(orders: list[str]) -> list[str]:
    """Return the options that choose orders."""
    return [f"--key={each}" for each in orders]


def sandboxes(stack: RunningStack) -> dict[str, str]:
    """Return the state of each sandbox that there is."""
    listed = list_sandboxes(stack.database_url("tailrace_owner"))
    return {each.info.name: each.state for each in listed}


def query(stack: RunningStack, role: str, statement: str, *parameters: object) -> list[Any]:
    """Run a statement as a role and return its rows."""
    with psycopg.connect(stack.database_url(role)) as connection:
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


class BackgroundReplay:
    """A replay that goes on while the test does something else.

    Args:
        stack: The running stack.
        arguments: Its arguments.
        code: Where its code is.
    """

    def __init__(self, stack: RunningStack, *arguments: str, code: Path = REPOSITORY) -> None:
        self._stack = stack
        self._before = set(sandboxes(stack))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.cli", "replay", *arguments],
            cwd=code,
            env=stack.environment | {"PYTHONPATH": str(code)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_for_effects(self) -> str:
        """Wait until something has taken effect in its sandbox, and return the sandbox's name."""
        wait_until("the sandbox is not at work", lambda: self._applied() > 0, timeout_s=TIMEOUT_S)
        [name] = self._sandboxes()
        return name

    def end(self, number: signal.Signals) -> str:
        """Send it a signal, and return what it said."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=TIMEOUT_S)
        return said

    def _sandboxes(self) -> list[str]:
        assert self.process.poll() is None, self.process.communicate()
        rows = query(
            self._stack,
            "tailrace_owner",
            "select relnamespace::regnamespace::text from pg_class where relname = 'replay_key'",
        )
        return [name for (name,) in rows if name not in self._before]

    def _applied(self) -> int:
        return sum(
            int(
                query(
                    self._stack,
                    "tailrace_owner",
                    f"select coalesce(sum(applied), 0) from {name}.consumer_offset",
                )[0][0]
            )
            for name in self._sandboxes()
        )
