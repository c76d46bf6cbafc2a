"""What commands print: text from outside is shown as it is, by escapes, whatever way it takes to the screen."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from rich.table import Table
from rich.text import Text

from cdc.logs import KeyValueFormatter
from cdc.text import printable, text_of
from infra.cli.output import console, emit
from infra.cli.screen import MARK, Screen, style
from infra.settings import REPOSITORY
from tests.terminal import on_terminal

HOSTILE = "a\x1b]0;x\x07b\rc\x9bd\u202ee\u200bf\udc80g\ud800h[red]i:heart:j"
SHOWN = r"a\x1b]0;x\x07b\rc\x9bd\u202ee\u200bf\x80g\ud800h[red]i:heart:j"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def colourful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture(params=[io.StringIO, Terminal])
def stream(request: pytest.FixtureRequest) -> io.StringIO:
    made: io.StringIO = request.param()
    return made


@contextmanager
def screened(stream: io.StringIO) -> Iterator[None]:
    """Stand a screen before a stream; pytest has its own streams between the setup of a test and the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", Screen(stream))
        yield


def test_what_is_echoed_is_escaped(stream: io.StringIO) -> None:
    with screened(stream):
        click.echo(f"{HOSTILE}\n\tä", color=True)
    assert stream.getvalue() == f"{SHOWN}\n\tä\n"


def test_our_styles_are_told_from_those_of_others(stream: io.StringIO) -> None:
    with screened(stream):
        click.echo(style(HOSTILE, bold=True) + "\x1b[31m", color=True)
    bold, plain = ("\x1b[1m", "\x1b[0m") if stream.isatty() else ("", "")
    assert stream.getvalue() == f"{bold}{SHOWN}{plain}\\x1b[31m\n"


@pytest.mark.parametrize(
    ("name", "value", "is_colourful"),
    [
        *(("NO_COLOR", "1", False), ("NO_COLOR", "0", False), ("NO_COLOR", "", True)),
        *(("TERM", "dumb", False), ("TERM", "unknown", False), ("TERM", "vt100", True)),
    ],
)
def test_no_colour_is_sent_to_who_wants_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, *, is_colourful: bool
) -> None:
    monkeypatch.setenv(name, value)
    terminal = Terminal()
    with screened(terminal):
        click.echo(style("told", fg="red"), color=True)
        console().print(Text("told", "red"))
    sent = terminal.getvalue().splitlines()
    assert [line != "told" for line in sent] == [is_colourful, is_colourful]


def test_nobody_can_know_the_mark_of_our_styles() -> None:
    code = "from infra.cli.screen import MARK; print(ascii(MARK))"
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() != ascii(MARK)


def test_tables_and_lines_of_the_console_are_escaped(stream: io.StringIO) -> None:
    table = Table(HOSTILE, box=None)
    table.add_row(HOSTILE)
    with screened(stream):
        out = console()
        out.width = 200
        out.print(table)
        out.print(HOSTILE, soft_wrap=True)
    lines = stream.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    assert [line.strip() for line in lines] == [SHOWN] * 3


def test_json_loses_nothing(stream: io.StringIO) -> None:
    with screened(stream):
        emit({HOSTILE: HOSTILE})
    assert json.loads(stream.getvalue()) == {HOSTILE: HOSTILE}


@pytest.mark.parametrize(
    "character", "\x00\x1f\x7f\x85\xa0\xad\u200d\u2028\u2066\ufeff\ue000\ufdd0\U000e0001"
)
def test_no_character_hides_moves_or_ends_a_line(character: str) -> None:
    assert printable(character).isascii()


def test_bytes_that_are_no_text_are_shown_whole() -> None:
    assert text_of("ä".encode()) == "ä"
    assert text_of(b"\xff\x00") == r"\xff00"


def test_log_lines_cannot_be_forged_or_hidden() -> None:
    with pytest.raises(ValueError, match="forged") as raised:
        int(HOSTILE + "\nlevel=info forged")
    error = (raised.type, raised.value, raised.tb)
    record = logging.LogRecord("x", logging.INFO, "x", 1, "event", (), error)
    record.fields = {"type": HOSTILE, "other": "\u202e"}
    text = KeyValueFormatter("tests").format(record)
    assert all(printable(line) == line for line in text.split("\n"))


def run(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.cli", *arguments],
        cwd=REPOSITORY,
        env=os.environ | options,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_a_stream_that_knows_ascii_only_gets_escapes(environment: dict[str, str]) -> None:
    result = run("events", "show", "ördér\x1b[31m", "1", **environment)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert r"r\x1b[31m" in result.stderr
    assert result.stderr.isascii()


def test_a_reader_that_has_seen_enough_ends_it_without_a_word() -> None:
    command = f"{sys.executable} -m infra.cli --help | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["/bin/bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stderr == ""
    assert result.stdout in {"0\n", "1\n"}


@pytest.mark.parametrize("columns", ["1", "20", "nonsense"])
def test_a_narrow_terminal_breaks_nothing(tmp_path: Path, columns: str) -> None:
    home = {"TAILRACE_HOME": str(tmp_path / "home")}
    code, _, said = on_terminal(columns, ["status"], os.environ | home)
    assert (code, said) == (1, "")
