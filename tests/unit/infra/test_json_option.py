"""Which commands have their results in JSON is what the documents say."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from infra.cli import cli
from infra.repository import REPOSITORY


def without_json(command: click.Command, context: click.Context, name: str = "") -> Iterator[str]:
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            below = click.Context(found, parent=context, info_name=each)
            yield from without_json(found, below, f"{name} {each}".strip())
        if not command.invoke_without_command:
            return
    if not any("--json" in option.opts for option in command.params):
        yield name


def test_the_documents_name_the_commands_without_json() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    told = re.search(r"Every command takes `--json`, but (.*?) prints JSON anyway", text, re.DOTALL)
    assert told is not None
    assert set(re.findall("`(.*?)`", told[1])) == set(without_json(cli, click.Context(cli)))


def test_a_reset_says_in_json_what_it_deleted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-m", "infra.cli", "reset", "--yes", "--json"],
        env={**os.environ, "TAILRACE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"deleted": str(home)}
