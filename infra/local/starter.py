"""Starting parts under supervision, remembering which, so that a failed start can be taken back."""

import threading
import time
from functools import cached_property
from itertools import count

from infra.errors import TailraceError
from infra.local.parts import Part
from infra.local.probe import ProbeTimeoutError, wait_until
from infra.local.supervision.client import Process, Supervisor
from infra.local.supervision.frozen import stands_still
from infra.settings import Settings

READY_TIMEOUT_S = 120.0
HANGING_TIMEOUT_S = 20.0  # for a part that ran before; it may have been restarted a moment ago
FAILING_S = 5.0  # what it waits for may be a moment late
PROBE_INTERVAL_S = 0.1
LOOKS_PER_QUESTION = 5  # a look at a port is cheap, a question to supervisord is not
RESTARTS_TOLERATED = 3


class PartError(TailraceError):
    """A part does not come up."""


class Starter:
    """Starts the parts of one stack during one `up`."""

    def __init__(self, settings: Settings, supervisor: Supervisor) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self.cancelled = threading.Event()  # ends every wait when it is set
        self.started: list[str] = []  # names of programs, of which one may run several parts
        self._one_by_one = threading.Lock()

    def launch(self, part: Part) -> None:
        program = self._program_of(part)
        with self._one_by_one:
            if self._supervisor.start(program):
                self.started.append(program)

    def wait_ready(self, part: Part, timeout_s: float = READY_TIMEOUT_S) -> None:
        program = self._program_of(part)
        before = self._supervisor.processes()[program].restarts
        looks = count(1)
        failing_since: float | None = None

        def probe() -> bool:
            nonlocal failing_since
            ready = part.is_ready(self._settings)
            if ready or not part.has_failed(self._settings):
                failing_since = None
            elif failing_since is None:
                failing_since = time.monotonic()
            elif time.monotonic() - failing_since > FAILING_S:
                self._supervisor.stop([program])
                self._supervisor.start(program)
                failing_since = None
            if not ready and next(looks) % LOOKS_PER_QUESTION:
                return False
            process = self._supervisor.processes()[program]
            self._require_hope(process, process.restarts - before)
            return ready and process.is_alive

        wait_until(
            f"{part.name} runs but does not answer (see `tailrace logs {part.name}`)",
            probe,
            timeout_s=timeout_s,
            interval_s=PROBE_INTERVAL_S,
            cancelled=self.cancelled,
        )

    def bring_up(self, part: Part) -> str:
        """Start the part and wait for it; one that hangs is started anew. Return a few words about it."""
        self.launch(part)
        if self._program_of(part) in self.started:
            self.wait_ready(part)
            return ""
        if not (trouble := self._trouble_of(part)):
            return "was running"
        self._stop_hanging(part)
        self.launch(part)
        self.wait_ready(part)
        return f"{trouble}, started anew"

    def take_back(self) -> None:
        """Stop what was started, latest first."""
        self._supervisor.stop(self.started)

    def _trouble_of(self, part: Part) -> str:
        """Return what is wrong with a part that ran before; empty when it answers in time."""
        process = self._supervisor.processes()[self._program_of(part)]
        if stands_still(process.pid):
            return "stood still"
        try:
            self.wait_ready(part, HANGING_TIMEOUT_S)
        except ProbeTimeoutError:
            return "did not answer"
        return ""

    def _stop_hanging(self, part: Part) -> None:
        program = self._program_of(part)
        with self._one_by_one:
            if program not in self.started:  # which it is when another part of it was found to hang
                self._supervisor.stop([program])

    def _program_of(self, part: Part) -> str:
        return part.program_in(self._names)

    @cached_property
    def _names(self) -> frozenset[str]:
        """Names of the programs, which stay the same once something is started."""
        return frozenset(self._supervisor.processes())

    def _require_hope(self, process: Process, restarts: int) -> None:
        if process.state == "FATAL" or restarts >= RESTARTS_TOLERATED:
            last = self._supervisor.log_tail(process.name)
            raise PartError(
                f"{process.name} keeps ending while it starts; its log ends with: "
                f"{last[0] if last else '(nothing)'} (more with `tailrace logs {process.name}`)."
            )
