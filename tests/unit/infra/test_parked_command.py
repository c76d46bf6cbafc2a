"""The commands `tailrace parked` and `tailrace lag` as far as they go without a stack: what they refuse to do."""

from importlib import import_module
from pathlib import Path

import click
import pytest

from infra import cli
from infra.cli.parked import COMMANDS
from infra.settings import REPOSITORY
from tests.stack import own_settings


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str | int | None:
    """Return what the process would end with: an exit code, or the sentence that means 1."""
    monkeypatch.setattr("sys.argv", ["tailrace", "parked", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_explains_itself_and_speaks_json(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.help
    assert "--json" in {each for parameter in command.params for each in parameter.opts}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["retry", "--why", "x"], "Say which messages are meant"),
        (["skip", "--why", "x"], "Say which messages are meant"),
        (["skip", "--waiting", "--why", "x"], "Say which messages are meant"),
        (["retry", "--all"], "Missing option '--why'"),
        (["skip", "a/0/1"], "Missing option '--why'"),
        (["edit", "a/0/1", "--set", "a=1"], "Missing option '--why'"),
        (["retry", "--all", "--why", " "], "is not a text of 1 to 1,000 characters"),
        (["retry", "--all", "--why", "x", "--who", ""], "is not a text of 1 to 1,000 characters"),
        (["retry", "a/0/1", "--key", "k", "--why", "x"], "A PLACE is one message"),
        (["retry", "a/0/1", "--all", "--why", "x"], "A PLACE is one message"),
        (["skip", "a/0/1", "--waiting", "--why", "x"], "A PLACE is one message"),
        (["retry", "a/0", "--why", "x"], "'a/0' is no place such as"),
        (["retry", "--all", "--rate", "0", "--why", "x"], '"0" is not a number from 0.001 to'),
        (["list", "--older-than", "2y"], "'2y' is no age such as"),
        (["list", "--key", "\\xzz"], "Invalid value for '--key'"),
        (["list", "--status", "asleep"], "'asleep' is not one of 'dead', 'retrying'"),
        (["list", "--limit", "0"], '"0" is not a whole number from 1 to'),
        (["history", "a/0/1", "--topic", "a"], "A PLACE names its topic already"),
        (["edit", "a/0/1", "--why", "x"], "Say what to change, in one way"),
        (["edit", "a/0/1", "--set", "a=1", "--editor", "--why", "x"], "in one way"),
        (["edit", "a/0/1", "--set", "a", "--why", "x"], "a is no path=value such as"),
        (["edit", "a/0/1", "--file", "no-such-file", "--why", "x"], "does not exist"),
    ],
)
def test_wrong_usage_ends_with_two(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_without_a_database_they_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in own_settings(tmp_path / "home").environment().items():
        monkeypatch.setenv(name, value)
    for arguments in (
        ["list"],
        ["show", "a/0/1"],
        ["retry", "--all", "--why", "x"],
        ["edit", "a/0/1", "--set", "a=1", "--why", "x"],
    ):
        ended = str(run(monkeypatch, *arguments))
        assert ended.startswith("tailrace: ")
        assert "`tailrace doctor` tells what does not answer" in ended
    assert not (tmp_path / "home").exists()


def test_the_page_shows_every_command() -> None:
    page = (REPOSITORY / "docs/how-to/work-the-dead-letters.md").read_text()
    assert all(f"tailrace parked {name}" in page for name in COMMANDS)
