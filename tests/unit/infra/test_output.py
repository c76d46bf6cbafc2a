"""Results as JSON, or in what tells of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from uuid import UUID

import click
import pytest
from rich.console import RenderableType

from infra.cli.output import emit, json_option, tell
from infra.settings import REPOSITORY
from infra.tables import table


class Kind(StrEnum):
    GOOD = "good"


@dataclass(frozen=True)
class Inner:
    number: int | None
    at: datetime


@dataclass(frozen=True)
class Outer:
    inner: tuple[Inner, ...]
    counts: Mapping[Kind, int]
    ids: list[UUID]
    rest: tuple[object, ...]


class Own:
    def as_json(self) -> dict[str, object]:
        return {"own": Inner(1, datetime(2026, 1, 2, tzinfo=UTC))}


def test_dataclasses_are_told_by_their_fields_and_ids_and_moments_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moment = datetime(2026, 11, 23, 10, tzinfo=UTC)
    result = Outer(
        inner=(Inner(None, moment),),
        counts={Kind.GOOD: 3},
        ids=[UUID(int=1)],
        rest=(date(2026, 1, 2), Decimal("1.50"), True, 0.5, Kind.GOOD, Own()),
    )
    emit(result)
    assert json.loads(capsys.readouterr().out) == {
        "inner": [{"number": None, "at": "2026-11-23T10:00:00+00:00"}],
        "counts": {"good": 3},
        "ids": ["00000000-0000-0000-0000-000000000001"],
        "rest": [
            *("2026-01-02", "1.50", True, 0.5, "good"),
            {"own": {"number": 1, "at": "2026-01-02T00:00:00+00:00"}},
        ],
    }


@click.command()
@json_option
@click.option("--by-itself", is_flag=True)
def lines(*, by_itself: bool) -> None:
    shown: list[RenderableType] = [table(("a", "b"), [("c", "d")]), "a line"]
    tell({"e": 1}, partial(click.echo, "itself") if by_itself else shown)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "a   b\nc   d\na line\n"),
        (["--by-itself"], "itself\n"),
        (["--json"], '{\n  "e": 1\n}\n'),
        (["--json", "--by-itself"], '{\n  "e": 1\n}\n'),
    ],
)
def test_a_result_is_json_or_lines_and_tables_or_what_a_function_prints(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    lines.main(arguments, standalone_mode=False)
    assert capsys.readouterr().out == told


def test_outside_of_a_command_nobody_wants_json(capsys: pytest.CaptureFixture[str]) -> None:
    tell({"e": 1}, ["a line"])
    assert capsys.readouterr().out == "a line\n"


def test_nothing_is_written_as_markup_which_no_console_here_reads() -> None:
    style = re.compile(r"\[/?(bold|dim|italic|underline|red|green|yellow|cyan)\]")
    sources = [
        path for path in (REPOSITORY / "infra").rglob("*.py") if style.search(path.read_text())
    ]
    assert sources == []
