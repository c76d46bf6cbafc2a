"""Talking to supervisord: start it, tell it what to run, ask it how things are, end it."""

import contextlib
import os
import subprocess
import sys
import xmlrpc.client
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import Faults

from infra.errors import TailraceError
from infra.local.probe import wait_until
from infra.local.program import Program
from infra.local.supervision.conf import (
    MARKER_VARIABLE,
    configuration_path,
    log_path,
    pid_path,
    socket_path,
    write_configuration,
)
from infra.local.supervision.frozen import families, stands_still, wake
from infra.local.supervision.transport import ANSWER_S, UNANSWERED, Transport
from infra.settings import REPOSITORY

# what the programs may inherit; anything else (PGPASSWORD, JAVA_TOOL_OPTIONS, ...) would change them unseen
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")

ALIVE_STATES = frozenset({"STARTING", "RUNNING"})


class SupervisorError(TailraceError):
    """supervisord cannot be started or does not do what it is asked."""


class SupervisorSilentError(SupervisorError):
    """supervisord does not answer, most likely because it does not run."""


class SupervisorStuckError(SupervisorError):
    """supervisord runs and does not answer: what it supervises goes on, and is nobody's leftover."""


@dataclass(frozen=True, slots=True)
class Process:
    """What supervisord knows of a program."""

    name: str
    # supervisord's own word: STOPPED STARTING RUNNING BACKOFF STOPPING EXITED FATAL UNKNOWN
    state: str
    pid: int  # 0 if there is no process
    started_at: int  # seconds since the epoch of the last start, 0 if there was none
    restarts: int  # how often it was started again after it had ended by itself

    @property
    def is_alive(self) -> bool:
        """There is a process, and it is not being stopped."""
        return self.state in ALIVE_STATES


class Supervisor:
    """The supervisord of one home; it may or may not be running."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def is_running(self) -> bool:
        try:
            self._call("supervisor.getState")
        except SupervisorSilentError:
            return False
        return True

    def pid(self) -> int:
        return int(self._call("supervisor.getPID"))

    def processes(self) -> dict[str, Process]:
        """Return all programs by name; none if supervisord does not run."""
        questions = ("tailrace.getRestarts", "supervisor.getAllProcessInfo")
        calls = [{"methodName": question, "params": []} for question in questions]
        try:
            restarts, programs = self._call("system.multicall", calls)
        except SupervisorSilentError:
            return {}
        return {
            info["name"]: Process(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"],
                started_at=info["start"],
                restarts=restarts.get(info["name"], 0),
            )
            for info in programs
        }

    def start_daemon(self, programs: Iterable[Program]) -> None:
        """Start supervisord with these programs, none of them running yet."""
        write_configuration(self._home, programs)
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment[MARKER_VARIABLE] = str(self._home)
        result = subprocess.run(
            [
                sys.executable,
                "-m",
                "supervisor.supervisord",
                "-c",
                str(configuration_path(self._home)),
            ],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            reason = (result.stderr or result.stdout).strip().splitlines()
            raise SupervisorError(
                f"supervisord did not start: {reason[-1] if reason else 'no reason given'}."
            )
        wait_until("supervisord does not answer", self.is_running, timeout_s=10)

    def apply(self, programs: Iterable[Program]) -> list[str]:
        """Make a running supervisord adopt these programs.

        Those whose definition has changed are stopped, left for the caller to start, and returned by name; all
        others go on undisturbed.
        """
        write_configuration(self._home, programs)
        [[added, changed, removed]] = self._call("supervisor.reloadConfig")
        stopped = self.stop([*changed, *removed])
        for name in (*changed, *removed):
            self._call("supervisor.removeProcessGroup", name)
        for name in (*added, *changed):
            self._call("supervisor.addProcessGroup", name)
        return stopped

    def start(self, name: str) -> bool:
        """Start the program unless it is alive; tell whether a start was needed."""
        process = self.processes()[name]
        if process.is_alive:
            return False
        if process.state in {"BACKOFF", "STOPPING"}:
            self.stop([name])  # now, not when its pause is over
        self._call("supervisor.startProcess", name, False)
        return True

    def stop(self, names: Iterable[str], timeout_s: float = 120.0) -> list[str]:
        """Stop the programs side by side and wait; return the names of those that were not stopped already."""
        known = self.processes()
        wanted = {name for name in names if name in known and known[name].state not in _IDLE_STATES}
        for name in wanted:
            self._call("supervisor.stopProcess", name, False, accept=(Faults.NOT_RUNNING,))
            if pid := known[name].pid:
                # a frozen process would be killed in the end, and leave a frozen child behind with what it holds
                wake(pid)

        def all_idle() -> bool:
            processes = self.processes()
            return all(
                processes[name].state in _IDLE_STATES for name in wanted if name in processes
            )

        wait_until(f"{', '.join(sorted(wanted))} did not stop", all_idle, timeout_s=timeout_s)
        return sorted(wanted)

    def kill(self, name: str) -> None:
        """Kill the program with its descendants, and have it stay down; nothing of an orderly end is done."""
        process = self.processes()[name]
        members = families([process.pid])[process.pid] if process.is_alive else []
        for member in members:
            # told to stop below, so that it is not started again, and gone before it has heard of that
            with contextlib.suppress(psutil.NoSuchProcess):
                member.suspend()
        self._call("supervisor.stopProcess", name, False, accept=(Faults.NOT_RUNNING,))
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        wait_until(
            f"{name} did not end",
            lambda: self.processes()[name].state in _IDLE_STATES,
            timeout_s=30,
        )

    def shutdown(self) -> None:
        """End supervisord, with every program that still runs, and wait until it is gone."""
        if not self.is_running():
            return
        pid = self.pid()
        self._call("supervisor.shutdown")
        wait_until("supervisord did not end", lambda: not psutil.pid_exists(pid), timeout_s=120)

    def log_tail(self, name: str, lines: int = 1) -> list[str]:
        return tail(log_path(self._home, name), lines)

    def _call(self, method: str, *arguments: object, accept: tuple[int, ...] = ()) -> Any:
        transport = Transport(socket_path(self._home))
        # the URL is never looked up, the transport knows the socket
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            return getattr(proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in accept:
                return None
            raise SupervisorError(
                f"supervisord refused {method}{arguments}: {fault.faultString}."
            ) from fault
        except UNANSWERED as error:
            raise SupervisorStuckError(_why_stuck(self._home)) from error
        except (OSError, HTTPException, xmlrpc.client.ProtocolError) as error:
            raise SupervisorSilentError(
                f"supervisord does not answer ({error}): run `make up`."
            ) from error
        finally:
            transport.close()


def _why_stuck(home: Path) -> str:
    """Say what keeps supervisord, which does run, from answering."""
    try:
        pid = int(pid_path(home).read_text())
    except (OSError, ValueError):
        return f"supervisord does not answer, and runs: see {home / 'logs' / 'supervisord.log'}."
    if stands_still(pid):
        return (
            f"supervisord (process {pid}) stands still, stopped by a signal or a debugger, so nothing can be asked of "
            f"it: let it go on with `kill -CONT {pid}`, then try again."
        )
    return (
        f"supervisord (process {pid}) runs, and has not answered for {ANSWER_S:g} s: try again when the machine has "
        f"less to do; if it never answers, `kill {pid}` has it stop the stack, and `make up` starts it anew."
    )


_IDLE_STATES = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a text file that hold anything; none if the file is missing."""
    try:
        with path.open(errors="replace") as file:  # of 10 MB at most
            return list(deque((line.rstrip() for line in file if line.strip()), maxlen=lines))
    except FileNotFoundError:
        return []
