"""A stack of the tests' own: other ports and another home than any `make up` of the same machine."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from infra.deployment import Deployment
from infra.local.account import substitute
from infra.local.down import reset, take_down
from infra.local.groups import wait_for_groups
from infra.local.parts import PARTS, PORT_SETTINGS
from infra.local.probe import ProbeTimeoutError, port_is_free, wait_until
from infra.local.programs import program_of
from infra.local.starter import Starter
from infra.local.status import PartStatus, all_run
from infra.local.status import status as part_status
from infra.local.supervision import leftovers
from infra.local.supervision.client import Supervisor, tail
from infra.local.supervision.conf import log_path
from infra.pipeline import GROUPS
from infra.settings import REPOSITORY, Publisher, Settings, Workers, load_settings
from tests import commands
from tests.side_by_side import PROCESS, own_ports

LOGS_KEPT = REPOSITORY / "build" / "test-logs"
ROOM: Path | None = None
"""Where the directories of stacks are made when several processes run tests; whoever leads them clears it."""
COMMAND_TIMEOUT_S = 600
PASSING = frozenset({"running", "stopped", "starting", "restarting"})
"""States of parts that need no more than to be started, or time."""
HANGING = frozenset({"frozen", "unresponsive"})
MENDING_S = 20.0


def own_settings(home: Path, **changes: object) -> Settings:
    """Return settings with free ports of this process, for a stack in `home`."""
    candidates = random.sample(own_ports(), 200)
    free = (port for port in candidates if port_is_free(port))
    ports = {name: next(free) for name in PORT_SETTINGS}
    fixed = {
        "home": home,
        "profile": "single",
        "publisher": "cdc",
        "workers": "shared",
        "cdc_profile": "thrifty",
        "aot": "existing",
        "min_free_disk_mb": 512,
        "webhook_receivers": "loopback",
        "webhook_timeout_s": 2,
    }
    return load_settings(**ports | fixed | changes)


def make_directory() -> Path:
    """Return a new directory which the account of the database may enter, unlike pytest's own."""
    prefix = f"{PROCESS}-" if ROOM else "tailrace-test-"
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=ROOM))
    if substitute():
        directory.chmod(0o711)
    return directory


def clear(room: Path) -> None:
    """Delete a room, and end whatever is left of the stacks in it; their logs are kept."""
    for home in room.glob("*/home"):
        leftovers.end(home)
        _keep_logs(home, room)
    shutil.rmtree(room, ignore_errors=True)


def _keep_logs(home: Path, room: Path | None) -> None:
    """Keep the logs of a stack, beside those of the others of its room; those of earlier runs are deleted."""
    for earlier in LOGS_KEPT.glob("*"):
        if earlier.is_file():
            earlier.unlink(missing_ok=True)
        elif room is None or earlier.name != room.name:
            shutil.rmtree(earlier, ignore_errors=True)
    if (home / "logs").is_dir():
        kept = LOGS_KEPT / room.name / home.parent.name if room else LOGS_KEPT
        shutil.copytree(home / "logs", kept, dirs_exist_ok=True)


class RunningStack:
    """A stack under test, steered by the command line like any other.

    Args:
        settings: Its settings.
        code: Another copy of the repository that it is run from.
    """

    def __init__(self, settings: Settings, code: Path | None = None) -> None:
        self.settings = settings
        self._code = code
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith("TAILRACE_")
        }
        self.environment = inherited | settings.environment()
        self._supervisor = Supervisor(settings.home)
        self._at_work: dict[str, int] = {}
        """Process ids of programs when all were last seen to do their work, and nobody had a signal sent since."""

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `tailrace` against this stack."""
        result = self._run(arguments)
        if check and result.returncode != 0:
            raise AssertionError(
                f"tailrace {' '.join(arguments)} ended with {result.returncode}\n{result.stdout}\n{result.stderr}"
            )
        return result

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if self._code is None:
            return commands.run(
                "infra.cli",
                arguments,
                directory=REPOSITORY,
                environment=self.environment,
                timeout_s=COMMAND_TIMEOUT_S,
            )
        # not forked from one that has imported this repository
        return subprocess.run(
            [sys.executable, "-m", "infra.cli", *arguments],
            cwd=self._code,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def publish_by(self, publisher: Publisher) -> None:
        """Have the outbox published by another publisher; nothing happens when it is this one."""
        self.change(publisher=publisher)

    def run_workers(self, workers: Workers) -> None:
        """Have the consumers run in one process, or each in its own; nothing happens when they do already."""
        self.change(workers=workers)

    def slow_cards(self, latency_ms: int) -> None:
        """Have the card processor take its time with every answer; 0 for none."""
        self.change(card_latency_ms=latency_ms)

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """Have every trace recorded, in a Zipkin of the stack, while the block runs."""
        self.change(traces="zipkin")
        try:
            yield
        finally:
            self.change(traces="off")

    @contextlib.contextmanager
    def telling_of_jvms(self) -> Iterator[None]:
        """Have the JVMs of Kafka and Connect tell metrics while the block runs."""
        self.change(jvm_metrics="on")
        try:
            yield
        finally:
            self.change(jvm_metrics="off")

    @contextlib.contextmanager
    def one_order_at_a_time(self) -> Iterator[None]:
        """Have a customer's card asked for one orchestrated order at a time while the block runs."""
        self.change(one_order_at_a_time=True)
        try:
            yield
        finally:
            self.change(one_order_at_a_time=False)

    def change(self, **changes: object) -> None:
        """Have the stack run by other settings; nothing happens when it does already."""
        if all(getattr(self.settings, name) == value for name, value in changes.items()):
            return
        self.settings = self.settings.model_copy(update=changes)
        self.environment |= self.settings.environment()
        self.cli("up")

    @property
    def deployment(self) -> Deployment:
        """The stack as operations are told of it."""
        return self.settings.deployment()

    def database_url(self, role: str, database: str = "tailrace") -> str:
        """Return the libpq URL of a role."""
        return self.settings.database_url(role, database)

    def status(self) -> dict[str, PartStatus]:
        """Return the state of every part by name."""
        return {part.name: part for part in part_status(self.settings)}

    def is_running(self) -> bool:
        """Tell whether every part does its work."""
        pids = self._pids()
        self._at_work = pids if (runs := all_run(self.settings)) else {}
        return runs

    def is_untouched(self) -> bool:
        """Tell whether all processes are those that were last seen at work; costs a tenth of asking each of them."""
        return bool(self._at_work) and self._pids() == self._at_work

    def mend(self) -> None:
        """Start what is stopped, and wait for what is on its way; `up`, which does far more, sees to the rest.

        What hangs by then is stopped, as its watchdog would do after two minutes, and `up` after a while.
        """
        parts = self.status().values()
        states = {part.state for part in parts}
        if "running" in states and states <= PASSING:
            for part in parts:
                if part.state == "stopped":
                    self._supervisor.start(part.program)
            with contextlib.suppress(ProbeTimeoutError):
                wait_until_running(self, timeout_s=MENDING_S)
                return
        hanging = {part.program for part in self.status().values() if part.state in HANGING}
        self._supervisor.stop(hanging)
        self.cli("up")

    def _pids(self) -> dict[str, int]:
        return {name: each.pid for name, each in self._supervisor.processes().items()}

    @contextlib.contextmanager
    def frozen(self, part: str) -> Iterator[None]:
        """Stop a part's clock while the block runs."""
        self.kill(part, signal.SIGSTOP)
        try:
            yield
        finally:
            self.kill(part, signal.SIGCONT)

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the part's process a signal and return its id; supervision is not told."""
        pid = self.status()[part].pid
        assert pid is not None, f"{part} is not running"
        self._at_work = {}
        os.kill(pid, number)
        if number == signal.SIGKILL:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).wait(10)
        return pid

    def stop(self, part: str) -> None:
        """Stop the part in good order; it stays stopped."""
        self._supervisor.stop([part])

    def lose(self, part: str) -> float:
        """Kill the part as the loss of its machine would, and return when that was; it stays down."""
        self._at_work = {}
        take_down(self.settings, part, kill=True)
        return time.monotonic()

    def start(self, part: str) -> None:
        """Start the part if it is stopped, and wait until it is ready."""
        self._supervisor.start(part)
        self.wait_ready(part)

    def restart(self, part: str) -> None:
        """Stop the part in good order, start it and wait until it is ready."""
        self.cli("restart", part)

    def wait_ready(self, part: str) -> None:
        """Wait until the part does its work."""
        definition = next(definition for definition in PARTS if definition.name == part)
        starter = Starter(self.settings, self._supervisor)
        starter.wait_ready(definition)
        if part in GROUPS:
            wait_for_groups(self.settings, starter.cancelled, [part])

    def log(self, part: str) -> str:
        """Return what the part has written, or those that share a process with it."""
        return self._log_path(part).read_text(errors="replace")

    def _log_path(self, part: str) -> Path:
        return log_path(self.settings.home, program_of(part, self.settings))

    def troubles(self) -> str:
        """Describe the parts that do not run as they should, each with the end of its log."""
        lines = []
        for part in self.status().values():
            if part.is_running and not part.restarts:
                continue
            lines.append(
                f"{part.name} is {part.state}, restarted {part.restarts} times; its log ends:"
            )
            lines += [f"    {line}" for line in tail(self._log_path(part.name), 15)]
        return "\n".join(lines)

    def delete(self) -> None:
        """Stop everything, keep the logs and delete the rest."""
        _keep_logs(self.settings.home, ROOM)
        reset(self.settings)


def wait_until_running(stack: RunningStack, *, timeout_s: float = 60.0) -> None:
    """Wait until every part does its work."""
    wait_until("not every part runs again", stack.is_running, timeout_s=timeout_s, interval_s=0.5)
