"""The commands that tests run in forked processes do as they do when a user runs them."""

import os
import subprocess
import sys

import pytest

from infra.settings import REPOSITORY
from tests import commands


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["schema", "list"], 0),
        (["status"], 1),
        (["outbox", "verify", "--topic"], 2),
        (["frobnicate"], 2),
    ],
)
def test_a_forked_command_says_the_same_and_ends_the_same(
    arguments: list[str], status: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = os.environ | {"TAILRACE_HOME": str(tmp_path_factory.getbasetemp() / "nowhere")}
    plain = subprocess.run(
        [sys.executable, "-m", "infra.cli", *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    forked = commands.run(
        "infra.cli", arguments, directory=REPOSITORY, environment=environment, timeout_s=60
    )
    assert plain.returncode == status
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        plain.returncode,
        plain.stdout,
        plain.stderr,
    )


def test_one_that_takes_too_long_is_killed() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        commands.run(
            "timeit",
            ["import time; time.sleep(60)"],
            directory=REPOSITORY,
            environment=os.environ,
            timeout_s=0.5,
        )
