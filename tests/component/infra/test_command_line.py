import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from infra.cli import COMMANDS
from infra.errors import TailraceError, explain
from infra.local.passwords import ensure_password
from infra.settings import REPOSITORY
from tests import commands
from tests.stack import own_settings
from tests.terminal import ENOUGH, WIDTHS, lost, on_terminal

TIMEOUT_S = 60


def tailrace(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = own_settings(home)
    return commands.run(
        "infra.cli",
        arguments,
        directory=REPOSITORY,
        environment=os.environ | settings.environment() | environment,
        timeout_s=TIMEOUT_S,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_and_explains_itself(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.help


def test_help_lists_the_commands_and_imports_none_of_them() -> None:
    code = (
        "import sys; from infra.cli import cli; cli.main(['--help'], standalone_mode=False);"
        "print('HEAVY' if {'psycopg', 'rich', 'pydantic', 'confluent_kafka'} & set(sys.modules) else 'LIGHT')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout.endswith("LIGHT\n")
    assert all(f"\n  {name} " in result.stdout for name in COMMANDS)


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert tailrace(tmp_path / "home", "fly").returncode == 2
    assert tailrace(tmp_path / "home", "logs", "nobody").returncode == 2
    assert tailrace(tmp_path / "home", "up", "--fast").returncode == 2


def test_a_bad_setting_is_one_sentence_and_ends_with_2(tmp_path: Path) -> None:
    result = tailrace(tmp_path / "home", "status", TAILRACE_KAFKA_PORT="many")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("tailrace: TAILRACE_KAFKA_PORT is 'many' but should be")
    assert result.stderr.count("\n") == 1


def test_status_works_when_nothing_was_ever_started(tmp_path: Path) -> None:
    result = tailrace(tmp_path / "home", "status", "--json")
    parts = json.loads(result.stdout)
    assert result.returncode == 1
    assert {part["state"] for part in parts} == {"stopped"}
    assert {"name", "program", "state", "pid", "url", "uptime_s", "restarts", "memory_mb"} == parts[
        0
    ].keys()
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "deployment show",
        "schema list",
        "size --events-per-s 200000",
    ],
)
@pytest.mark.parametrize("columns", WIDTHS)
def test_a_narrow_terminal_is_shown_every_value(tmp_path: Path, command: str, columns: int) -> None:
    environment = os.environ | own_settings(tmp_path / "home").environment()
    sides = [on_terminal(each, command.split(), environment) for each in (columns, ENOUGH)]
    (code, narrow, said), (_, wide, _) = sides
    assert (code, said) == (1 if command == "status" else 0, "")
    gone = lost(narrow, wide)
    assert [word for word in gone if "127.0.0.1" not in word or command != "status"] == []


def test_down_and_logs_work_when_nothing_was_ever_started(tmp_path: Path) -> None:
    assert tailrace(tmp_path / "home", "down").stdout == "Nothing was running.\n"
    result = tailrace(tmp_path / "home", "logs", "kafka")
    assert result.returncode == 1
    assert "run `make up` first" in result.stderr


def test_doctor_says_what_is_missing_when_nothing_was_ever_started(tmp_path: Path) -> None:
    result = tailrace(tmp_path / "home", "doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert result.returncode == 1
    assert findings["python"]["state"] == "ok"
    assert findings["kafka"] == {
        "name": "kafka",
        "state": "wrong",
        "detail": "is not running",
        "remedy": "run `make up`",
    }
    assert findings["topics"]["state"] == "unknown"


def test_reset_asks_and_cannot_without_a_terminal(tmp_path: Path) -> None:
    home = tmp_path / "home"
    result = tailrace(home, "reset")
    assert result.returncode == 2
    assert "--yes" in result.stderr


def test_reset_deletes_a_home_and_nothing_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    ensure_password(home, "letters")
    result = tailrace(home, "reset", "--yes")
    assert result.returncode == 1
    assert "is not a home of Tailrace" in result.stderr
    assert (home / "letters.password").exists()


LOST_INTERRUPT = """
import contextlib, signal, time, weakref
from infra.cli.interrupt import reraise_lost_interrupts

class Thing: pass

def interrupted(reference):
    signal.raise_signal(signal.SIGINT)
    print("never", flush=True)

with {manager}:
    thing = Thing()
    reference = weakref.ref(thing, interrupted)
    del thing
    print("lost", flush=True)
    time.sleep(1)
    print("went on", flush=True)
"""


@pytest.mark.parametrize(
    ("manager", "printed", "code"),
    [
        ("contextlib.nullcontext()", "lost\nwent on\n", 0),
        ("reraise_lost_interrupts()", "lost\n", -signal.SIGINT),
    ],
)
def test_an_interrupt_that_nobody_could_catch_is_raised_again(
    manager: str, printed: str, code: int
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LOST_INTERRUPT.format(manager=manager)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.returncode) == (printed, code)


# a signal that arrives while text is compiled is raised inside of what runs next, which is that text
INTERRUPTED_IN_TEXT = """
import signal
import infra.cli

def run():
    exec("import signal; signal.raise_signal(signal.SIGINT)")

infra.cli._run = run
if {forgets}:
    infra.cli.main()
infra.cli.forget_interrupt = lambda: None
infra.cli.main()
"""


@pytest.mark.parametrize(("forgets", "code"), [(True, 1), (False, -signal.SIGINT)])
def test_an_interrupt_that_was_caught_does_not_end_the_process_by_a_signal(
    *, forgets: bool, code: int, tmp_path: Path
) -> None:
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_IN_TEXT.format(forgets=forgets))
    result = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stderr, result.returncode) == ("Interrupted.\n", code)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TailraceError("The disk is full."), "The disk is full."),
        (OSError(28, "No space left on device", "/x"), "No space left on device: /x."),
        (ZeroDivisionError("x"), None),
    ],
)
def test_errors_for_the_user_are_sentences(error: Exception, sentence: str | None) -> None:
    assert explain(error) == sentence
