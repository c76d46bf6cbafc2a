"""What is given to commands and makes no sense together, or is no text, is refused in a sentence."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli import cli
from infra.errors import explain

NO_TEXT = b'{"name": "\xff\xfe"}'


def told(*arguments: str, given: bytes = b"") -> str:
    done = CliRunner().invoke(cli, arguments, input=given)
    failed = done.exception is not None and not isinstance(done.exception, SystemExit)
    return (explain(done.exception) if failed and done.exception else "") or done.output


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("topics", "search", "order.events"), "--until"),
        (("replay", "--consumer=payments"), "--from"),
        (("replay", "--consumer=payments"), "--to"),
    ],
)
def test_two_times_for_one_end(arguments: tuple[str, ...], option: str) -> None:
    said = told(*arguments, f"{option}=2h", f"{option}=3h")
    assert f"{option}: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("schema", "propose", "orders.OrderCreated", "--against=git:HEAD"),
        ("parked", "edit", "order.events/0/1", "--why=x"),
    ],
)
def test_bytes_that_are_no_text(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (file := tmp_path / "given").write_bytes(NO_TEXT)
    said = [told(*arguments, f"--file={file}"), told(*arguments, "--file=-", given=NO_TEXT)]
    assert said[0] == said[1]
    assert said[0].strip()
    assert "Traceback" not in said[0]
