"""What the commands share: questions stand on standard error, and what an operation refuses is wrong usage."""

import io
from pathlib import Path

import click
import pytest

from consumers.replay.errors import ChoiceError
from infra import cli
from infra.cli.common import Command, ask, confirm
from infra.cli.parked.edit import _open_editor
from infra.errors import RequestError
from schemas.json_form import FormError
from tests.unit.infra.test_absurd_options import commands

SKIP = ("relay", "skip", "00000000-0000-0000-0000-000000000000", "--json")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "default", "answer"),
    [
        ("y\n", False, True),
        ("Yes\n", False, True),
        ("n\n", True, False),
        ("\n", False, False),
        ("\n", True, True),
        ("what\nno\n", True, False),
    ],
)
def test_a_question_is_on_standard_error_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    *,
    default: bool,
    answer: bool,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert ask("Go on?", default=default) is answer
    told = capsys.readouterr()
    assert (told.out, told.err[:14]) == ("", f"Go on? [{'Y/n' if default else 'y/N'}]: ")


@pytest.mark.parametrize("typed", ["", "n\n", "\n"])
def test_whoever_does_not_say_yes_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    with pytest.raises(click.Abort):
        confirm("Go on?", yes=False)


def test_a_password_is_asked_for_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: "long enough a password")
    users = ["console", "add-user", "ada", "--role", "act", "--users", str(tmp_path / "users.toml")]
    cli.cli.main(users, standalone_mode=False)
    assert capsys.readouterr().out == "ada may sign in to act.\n"


def test_whether_to_edit_again_is_asked_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    with pytest.raises(click.Abort):
        _open_editor("{}", FormError("it is no JSON"))
    assert capsys.readouterr().out == ""


def test_nobody_to_ask_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tailrace", *SKIP])
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "say --yes if you mean it" in capsys.readouterr().err


def test_yes_is_said_alike_everywhere() -> None:
    said = {
        tuple(option.opts)
        for _, command in commands(cli.cli)
        for option in command.params
        if "--yes" in option.opts
    }
    assert said == {("-y", "--yes")}


@pytest.mark.parametrize(
    ("error", "told"), [(RequestError("No."), "No."), (ChoiceError("Nothing so"), "Nothing so.")]
)
def test_what_an_operation_refuses_is_wrong_usage_of_the_command(
    error: Exception, told: str
) -> None:
    def refuse() -> None:
        raise error

    context = click.Context(Command("do", callback=refuse))
    with pytest.raises(click.UsageError) as refused:
        context.command.invoke(context)
    assert (refused.value.format_message(), refused.value.ctx) == (told, context)


def test_no_command_forgets_it() -> None:
    assert [name for name, each in commands(cli.cli) if not isinstance(each, Command)] == []
