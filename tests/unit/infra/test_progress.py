import io

import pytest
from rich.console import Console

from infra.cli.output import PlainConsole
from infra.cli.progress import counting, terminal_report
from infra.text import duration

MEGABYTE = 2**20


@pytest.fixture
def pipe() -> Console:
    return PlainConsole(file=io.StringIO(), width=200, force_terminal=False)


def written(pipe: Console) -> list[str]:
    assert isinstance(pipe.file, io.StringIO)
    return [line.strip() for line in pipe.file.getvalue().splitlines() if line.strip()]


def test_a_pipe_gets_a_line_for_every_stage(pipe: Console) -> None:
    with terminal_report(pipe) as report:
        report.started("kafka")
        report.started("postgres")
        report.finished("postgres", 0.25, "was [running]")
        report.finished("kafka", 3.5, "")
    assert written(pipe) == [
        "ok  postgres             0.2 s  was [running]",
        "ok  kafka                3.5 s",
    ]


def test_a_pipe_gets_a_line_for_every_tenth_of_a_download(pipe: Console) -> None:
    with terminal_report(pipe) as report:
        report.started("java artifacts")
        for done in range(0, 201, 5):
            report.downloading("kafka.jar", done * MEGABYTE, 200 * MEGABYTE)
    lines = written(pipe)
    assert len(lines) == 10
    assert (lines[0], lines[-1]) == ("downloading 20 of 200 MB", "downloading 200 of 200 MB")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0, "0 s"), (59, "59 s"), (190, "3 min 10 s"), (7500, "2 h 05 min")],
)
def test_durations_are_told_in_words(seconds: int | None, words: str) -> None:
    assert duration(seconds) == words


def test_a_count_is_shown_on_a_terminal_only(pipe: Console) -> None:
    with counting(pipe, "tried again", 2) as show:
        show(1)
        show(2)
    assert written(pipe) == []
    terminal = Console(file=io.StringIO(), width=80, force_terminal=True)
    with counting(terminal, "tried again", 2) as show:
        show(2)
    assert "tried again" in terminal.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
