"""Real supervisord with small programs: what happens when they, or supervisord itself, are killed."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.local import starter
from infra.local.doctor.machine import machine_checks
from infra.local.doctor.parts import part_checks
from infra.local.parts import Part
from infra.local.probe import wait_until
from infra.local.program import Program
from infra.local.starter import Starter
from infra.local.status import status
from infra.local.stop import stop_everything
from infra.local.supervision import leftovers, transport
from infra.local.supervision.client import Supervisor, SupervisorError, SupervisorStuckError
from infra.local.supervision.conf import MARKER_VARIABLE, pid_path, socket_path
from infra.local.supervision.frozen import families, frozen, stands_still
from infra.local.up import _end_leftovers
from infra.operations.doctor.check import examine
from tests.stack import own_settings

SERVE = "import os, signal; print('serving', os.environ.get('WHO'), flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(15, signal.SIG_IGN); [signal.pause() for _ in iter(int, 1)]"
)

PARENT = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
def end(*_):
    child.terminate()
    print("child ended with", child.wait(), flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("serving", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    for name in ("supervisor", "logs"):
        (tmp_path / name).mkdir()
    yield tmp_path
    Supervisor(tmp_path).shutdown()
    leftovers.end(tmp_path)


def program(home: Path, name: str, code: str = SERVE, **changes: object) -> Program:
    values: dict[str, object] = {
        "name": name,
        "argv": (sys.executable, "-c", code),
        "env": {"WHO": name},
        "directory": home,
        "stage": 10,
        "fingerprint": name,
    }
    return Program(**values | changes)  # type: ignore[arg-type]


def started(home: Path, *programs: Program) -> Supervisor:
    supervisor = Supervisor(home)
    supervisor.start_daemon(programs)
    for each in programs:
        assert supervisor.start(each.name)
        wait_for_log(supervisor, each.name)
    return supervisor


def wait_for_log(supervisor: Supervisor, name: str) -> None:
    wait_until(f"{name} says nothing", lambda: bool(supervisor.log_tail(name)), timeout_s=20)


def test_nothing_starts_by_itself_and_what_runs_is_not_started_twice(home: Path) -> None:
    supervisor = Supervisor(home)
    assert supervisor.processes() == {}
    supervisor.start_daemon([program(home, "one")])
    assert supervisor.processes()["one"].state == "STOPPED"
    assert supervisor.start("one")
    pid = supervisor.processes()["one"].pid
    assert not supervisor.start("one")
    assert supervisor.processes()["one"].pid == pid


def test_a_killed_process_is_started_again_and_counted(home: Path) -> None:
    supervisor = started(home, program(home, "one"))
    before = supervisor.processes()["one"]
    assert before.restarts == 0
    os.kill(before.pid, signal.SIGKILL)

    def is_back() -> bool:
        now = supervisor.processes()["one"]
        return now.is_alive and now.pid not in (0, before.pid)

    wait_until("it is not started again", is_back, timeout_s=20)
    assert supervisor.processes()["one"].restarts == 1


def test_a_process_that_cannot_start_is_backed_off(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.start_daemon([program(home, "broken", "raise SystemExit('no wings')")])
    supervisor.start("broken")
    wait_until(
        "it is not backed off", lambda: supervisor.processes()["broken"].restarts >= 2, timeout_s=20
    )
    wait_until(
        "it never waits", lambda: supervisor.processes()["broken"].state == "BACKOFF", timeout_s=20
    )
    assert supervisor.log_tail("broken") == ["no wings"]
    assert supervisor.stop(["broken"]) == ["broken"]
    assert supervisor.processes()["broken"].state == "STOPPED"


def test_a_process_that_ignores_the_signal_is_killed(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.start_daemon([program(home, "stubborn", STUBBORN, stop_wait_s=1)])
    supervisor.start("stubborn")
    pid = supervisor.processes()["stubborn"].pid
    supervisor.stop(["stubborn"])
    assert not psutil.pid_exists(pid)


def test_what_is_killed_for_good_has_no_last_word_and_stays_down(home: Path) -> None:
    path = home / "parent.py"
    path.write_text(PARENT)
    supervisor = started(home, program(home, "parent", argv=(sys.executable, str(path))))
    family = families([supervisor.processes()["parent"].pid])
    supervisor.kill("parent")
    supervisor.kill("parent")  # nothing is left to kill
    found = supervisor.processes()["parent"]
    assert (found.state, found.pid, found.restarts) == ("STOPPED", 0, 0)
    assert supervisor.log_tail("parent") == ["serving"]
    assert not any(lives(process) for members in family.values() for process in members)
    assert supervisor.start("parent")


def lives(process: psutil.Process) -> bool:
    """Tell whether a process has not ended, be it that nobody has asked how."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_only_changed_programs_are_disturbed(home: Path) -> None:
    supervisor = started(home, program(home, "one"), program(home, "two"))
    before = supervisor.processes()
    changed = program(home, "two", env={"WHO": "somebody else"})
    assert supervisor.apply([program(home, "one"), changed, program(home, "three")]) == ["two"]
    after = supervisor.processes()
    assert after["one"] == before["one"]
    assert (after["two"].state, after["three"].state) == ("STOPPED", "STOPPED")
    assert supervisor.apply([program(home, "one")]) == []
    assert supervisor.processes().keys() == {"one"}


def test_programs_inherit_little(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    supervisor = started(home, program(home, "one"))
    environment = psutil.Process(supervisor.processes()["one"].pid).environ()
    assert "PGPASSWORD" not in environment
    assert environment[MARKER_VARIABLE] == str(home)


def test_shutdown_waits_until_everything_is_gone(home: Path) -> None:
    supervisor = started(home, program(home, "one"))
    pids = [supervisor.pid(), supervisor.processes()["one"].pid]
    supervisor.shutdown()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(SupervisorError, match="does not answer"):
        supervisor.pid()


def test_what_outlives_supervisord_is_found_and_ended(home: Path) -> None:
    supervisor = started(home, program(home, "one"), program(home, "two"))
    orphans = {process.pid for process in supervisor.processes().values()}
    daemon = psutil.Process(supervisor.pid())
    daemon.kill()
    daemon.wait(10)
    assert {process.pid for process in leftovers.find(home)} == orphans
    assert leftovers.end(home) == 2
    assert leftovers.find(home) == []


def test_a_supervisord_that_lost_its_socket_is_ended_with_its_programs(home: Path) -> None:
    supervisor = started(home, program(home, "one"))
    socket_path(home).unlink()
    assert not supervisor.is_running()
    assert leftovers.end(home) == 2
    assert leftovers.find(home) == []


def test_a_supervisord_that_stands_still_is_no_leftover_and_keeps_nobody_waiting(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ANSWER_S", 0.5)
    supervisor = started(home, program(home, "one"))
    daemon = psutil.Process(supervisor.pid())
    daemon.suspend()
    settings = own_settings(home)
    try:
        questions: tuple[Callable[[], object], ...] = (
            supervisor.is_running,
            supervisor.processes,
            supervisor.shutdown,
            lambda: supervisor.apply([]),
            lambda: _end_leftovers(settings, supervisor),
            lambda: stop_everything(settings, supervisor),
            lambda: status(settings),
        )
        for ask in questions:
            with pytest.raises(SupervisorStuckError, match=rf"kill -CONT {daemon.pid}`"):
                ask()
        checks = (*machine_checks(settings), *part_checks(settings))
        told = {each.name: each for each in examine(checks, "")}
        assert "stands still" in told["supervision"].detail
        assert {told[name].state for name in ("postgres", "kafka", "ports")} == {"unknown"}
    finally:
        daemon.resume()
    assert supervisor.processes()["one"].is_alive


def test_a_supervisord_that_is_busy_is_not_called_frozen(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when so many wait for it already that nobody else may."""
    monkeypatch.setattr(transport, "ANSWER_S", 0.2)
    pid_path(home).write_text(f"{os.getpid()}\n")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(socket_path(home)))
        server.listen(0)
        for _ in range(3):  # of whom all but the first find no place to wait in
            with pytest.raises(SupervisorStuckError, match=rf"kill {os.getpid()}` has it stop"):
                Supervisor(home).is_running()
        pid_path(home).unlink()
        with pytest.raises(SupervisorStuckError, match=r"see .*supervisord\.log"):
            Supervisor(home).is_running()
    assert not Supervisor(home).is_running()


def test_a_stack_with_a_long_home_runs_in_every_shell(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = home / ("x" * 100)
    for name in ("supervisor", "logs"):
        (long / name).mkdir(parents=True)
    supervisor = started(long, program(long, "one"))
    before = supervisor.processes()
    try:
        for name in ("other", "another", "third"):
            place = tmp_path_factory.mktemp(name)
            monkeypatch.setattr("tempfile.gettempdir", lambda place=place: str(place))
            assert supervisor.processes() == before
            assert _end_leftovers(own_settings(long), supervisor) == []
    finally:
        supervisor.shutdown()


def test_another_stack_is_left_alone(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    supervisor = started(home, program(home, "one"))
    assert leftovers.end(tmp_path_factory.mktemp("other")) == 0
    assert supervisor.processes()["one"].is_alive


def test_what_is_frozen_is_seen_and_ends_in_good_order(home: Path) -> None:
    """A child of another process group too, which a kill of the whole group would leave behind."""
    path = home / "parent.py"
    path.write_text(PARENT)
    supervisor = started(home, program(home, "parent", argv=(sys.executable, str(path))))
    pid = supervisor.processes()["parent"].pid
    family = families([pid])[pid]
    assert [process.pid for process in family[1:]] == [child.pid for child in family[0].children()]
    assert frozen(family) == []
    for process in family:
        process.suspend()
    wait_until("they do not stand still", lambda: frozen(family) == family, timeout_s=10)
    supervisor.stop(["parent"])
    assert supervisor.log_tail("parent") == ["child ended with -15"]
    assert not any(process.is_running() for process in family)


def test_a_part_that_stands_still_is_started_anew_at_once(home: Path) -> None:
    supervisor = started(home, program(home, "server"))
    before = supervisor.processes()["server"].pid
    os.kill(before, signal.SIGSTOP)
    wait_until("it goes on", lambda: stands_still(before), timeout_s=20)
    begun = Starter(own_settings(home), supervisor)
    assert begun.bring_up(part(home, ready=lambda: True)) == "stood still, started anew"
    assert supervisor.processes()["server"].pid != before
    assert begun.started == ["server"]


def test_a_part_that_does_not_answer_is_given_time_and_then_started_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "HANGING_TIMEOUT_S", 0.5)
    supervisor = started(home, program(home, "server"))
    before = supervisor.processes()["server"].pid
    begun = Starter(own_settings(home), supervisor)
    answers = part(home, ready=lambda: supervisor.processes()["server"].pid != before)
    assert begun.bring_up(answers) == "did not answer, started anew"
    assert begun.bring_up(answers) == ""
    again = Starter(own_settings(home), supervisor)
    assert again.bring_up(answers) == "was running"
    assert again.started == []


def test_a_part_that_says_that_it_cannot_is_started_anew_while_it_is_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "FAILING_S", 0.2)
    supervisor = started(home, program(home, "server"))
    supervisor.stop(["server"])
    begun = Starter(own_settings(home), supervisor)
    pids: list[int] = []

    def ready() -> bool:
        pids.append(supervisor.processes()["server"].pid)
        return len(set(pids)) > 1

    assert begun.bring_up(part(home, ready=ready, failed=lambda: not ready())) == ""
    assert len(set(pids)) == 2


def part(
    home: Path, *, ready: Callable[[], bool], failed: Callable[[], bool] = lambda: False
) -> Part:
    return Part(
        name="server",
        prepare=lambda _: program(home, "server"),
        is_ready=lambda _: ready(),
        has_failed=lambda _: failed(),
        url=lambda _: None,
    )
