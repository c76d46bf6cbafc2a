"""Absurd values at every parameter of every command: a sentence and 2, before anything begins. Good ones are taken.

Commands and parameters are found by themselves; a new one must be of a kind that is known here.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click
import pytest

from cdc.event_log import AsOf
from infra.cli import cli
from infra.cli.events import AS_OF
from infra.cli.values import MOMENT, Existing

NUMBERS = (
    *("", " ", "NaN", "nan", "inf", "-Infinity", "1e400", "-1e400", "1,5", "1.5.5", "0x10", "1_0", "--1"),
    *("99999999999999999999", "-99999999999999999999", "9" * 5000, "\u0663", "\uff15", "+1", "five", "\udcff"),
)  # fmt: skip
NAMES = ("", " ", "a b", "../a", "a\x1b]0;x\x07", "a\n", "\u202ea", "\udcff", "a" * 300, "a\0")
TIMES = (
    *("", "now", "NaN", "0001-01-01T00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9999-12-31"),
    *("1970-01-01", "99999w", "999999w", "9999999s", "-1h", "2026-13-01", "2026-02-30T00:00", "\u0661h", "\udcff"),
)  # fmt: skip
TEXTS = ("", " ", "\udcff", "a\0", "a" * 2000)
ABSURD = {
    "N": NUMBERS,
    "DAYS": NUMBERS,
    "SECONDS": NUMBERS,
    "TEXT": TEXTS,
    "TIME": TIMES,
    "TIME|P:OFFSET": (*TIMES, "0:", ":0", "-1:0", "0:-1", "0:99999999999999999999", "9999999999:0"),
    "AGE": ("", "5", "5y", "-5m", "1.5h", "NaN", "\u0661h", "999999w", "9999999s", "\udcff"),
    "KEY": ("", "\\xzz", "\\x0"),
    "PLACE": ("", "a", "a/0", "a/x/0", "a/-1/0", "a/0/-1", "a/0/99999999999999999999", "a/9999999999/0", "/0/0"),
    "PARTS": (*NAMES, "kafka,", ",kafka", "kafka,nobody", "kafka kafka"),
    "TOPIC": (*NAMES, ".", ".."),
    "CONSUMER": NAMES,
    "SUBJECT": NAMES,
    "NAME": (*NAMES, "public; drop", "A"),
    "RUN": NAMES,
    "OWNER": NAMES,
    "SCOPE": (*NAMES, "orders:", ":read", "orders:*", "orders:read orders:write", "ORDERS:READ"),
    "KEY_ID": (*NAMES, "trk_4fW0qLZkT2bD", "4fW0qLZkT2b"),
    "REF": ("", " ", "-x", "--upload-pack=x", "a b", "a\n", "a\x1b[31m", "a" * 300),
    "CODE": ("", "XXX", "EURO", "\u20ac", "eu"),
    "CONDITION": (
        *("", "a", "=", "=1", "a=", "a>>b", "a=>b", "a==b", "a=!b", "a<>b", "a.=1", ".a=1", "1=1"),
        *("total>NaN", "total<=sNaN", "total>-inf", "a='b", 'a="'),
    ),
    "SERVICE|URL": ("", " ", "nobody", "http://", "dns://x", "static://a:99999", "ftp://a:1", "\udcff"),
    "VERSION|TIME": (*TIMES, "0", "-1", "99999999999999999999", "1.5"),
    "path=value": ("", "a", "=1", "a..b=1"),
    "name=value": ("", "a", "=1", " =1"),
    "FIELD=COLUMN": ("", "x", "who=x", "="),
    "git:REF|registry": ("", "main", "git:", "registry:x", "git:-x", "git: ", "git:a\x1b[31m", "\udcff"),
    "choice": ("", "nobody", "\udcff", "a\x1b[31m"),
    "uuid": ("", "x", "0", "\udcff", "00000000-0000-0000-0000-00000000000g"),
    "FILE": ("", " ", "/", "/no/such/directory/x.sarif", "a\0"),
    "DIRECTORY": ("", " ", "/dev/null", "a\0"),
    "path": ("", " ", "/no/such/file", "\udcff"),
}  # fmt: skip
GOOD = {
    "PLACE": "order.events/0/0",
    "NAME": "stock",
    "TEXT": "x",
    "TOPIC": "a",
    "PARTS": "kafka",
    "CONSUMER": "a",
    "SUBJECT": "a.B",
    "OWNER": "shop",
    "SCOPE": "orders:read",
    "KEY_ID": "4fW0qLZkT2bD",
    "DIRECTORY": "build/observability",
    "N": "1",
    "RUN": "last",
    "FILE": "users.toml",
    "path": __file__,
    "SERVICE|URL": "orders",
    "uuid": "00000000-0000-0000-0000-000000000000",
}


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))
    yield " ".join(path), command


def kind(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, Existing):
        return "path"
    return parameter.type.name


def takes_a_value(parameter: click.Parameter) -> bool:
    return not (isinstance(parameter, click.Option) and parameter.is_flag)


PARAMETERS = [
    pytest.param(command, parameter, id=f"{name} {parameter.opts[0]}")
    for name, command in commands(cli)
    for parameter in command.params
    if takes_a_value(parameter)
]


def words(parameter: click.Parameter, value: str) -> list[str]:
    if isinstance(parameter, click.Argument):
        return ["--", value]
    return [f"{max(parameter.opts, key=len)}={value}"]


def good(parameter: click.Parameter) -> list[str]:
    if isinstance(parameter.type, click.Choice):
        return words(parameter, str(parameter.type.choices[0]))
    return words(parameter, GOOD[kind(parameter)])


def required(
    command: click.Command, but: click.Parameter | None = None
) -> tuple[list[str], list[str]]:
    """Return good options and arguments for what a command cannot do without."""
    options: list[str] = []
    arguments: list[str] = []
    for each in command.params:
        if each is not but and each.required:
            (arguments if isinstance(each, click.Argument) else options).extend(good(each))
    return options, arguments


@pytest.mark.parametrize(
    "command", [pytest.param(command, id=name) for name, command in commands(cli)]
)
def test_what_is_required_is_enough(command: click.Command) -> None:
    """A default goes through the same check as what somebody has typed."""
    if isinstance(command, click.Group):
        return
    options, arguments = required(command)
    command.make_context("x", [*options, "--", *(each for each in arguments if each != "--")])


@pytest.mark.parametrize(("command", "parameter"), PARAMETERS)
def test_absurd_values_are_wrong_usage(command: click.Command, parameter: click.Parameter) -> None:
    options, arguments = required(command, but=parameter)
    assert kind(parameter) in ABSURD, (
        f"{parameter.opts} takes {kind(parameter)}, which is of no known kind"
    )
    for value in ABSURD[kind(parameter)]:
        if isinstance(parameter, click.Argument):
            before = command.params.index(parameter)
            position = sum(isinstance(each, click.Argument) for each in command.params[:before])
            others = [each for each in arguments if each != "--"]
            call = [*options, "--", *others[:position], value, *others[position:]]
        else:
            call = [*options, *words(parameter, value), *arguments]
        with pytest.raises(click.UsageError) as refused:
            command.make_context("x", call)
        told = refused.value.format_message()
        metavar = parameter.make_metavar(click.Context(command))
        named = (*parameter.opts, metavar, "No such option: -")
        assert (refused.value.exit_code, "\n" in told) == (2, False)
        assert any(name in told for name in named), told


@pytest.mark.parametrize(
    "zone", ["Asia/Tokyo", "America/Adak", "Pacific/Kiritimati", "nonsense", ""]
)
@pytest.mark.parametrize(
    "time_", ["1971-01-01", "2999-12-31T23:59:59", "2999-12-31T23:59:59-14:00"]
)
def test_no_time_zone_makes_a_time_that_cannot_be(
    zone: str, time_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for kind_ in (MOMENT, AS_OF):
            found: Any = kind_.convert(time_, None, None)
            moment = found.time if isinstance(found, AsOf) else found
            assert isinstance(moment, datetime)
            assert moment.astimezone(UTC) == moment.astimezone()
    finally:
        monkeypatch.undo()
        time.tzset()
