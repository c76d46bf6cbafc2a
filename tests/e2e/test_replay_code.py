"""A handler is broken, found by its effects, mended, and tried on the same messages before it ships."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Publisher
from tests.orders import place, wait_until_decided
from tests.replays import BackgroundReplay, keys, sandboxes
from tests.stack import RunningStack
from tests.working_tree import copy_to

# what is read again was published before, and records are the same: tests/integration/test_records.py
PUBLISHERS: tuple[Publisher, ...] = ("cdc",)
HANDLER = "consumers/payments/handlers.py"
RIGHT, WRONG = (
    "amount=each.message.total,",
    "amount=each.message.total * 2,",
)


def git(clone: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=clone, check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the working tree as it is, with a branch on which a handler is broken."""
    directory = tmp_path_factory.mktemp("clone")
    copy_to(directory)
    git(directory, "init", "--initial-branch=main")
    git(directory, "add", ".")
    git(directory, "commit", "-m", "As it is")
    change(directory, "broken", HANDLER, RIGHT, WRONG)
    change(
        directory,
        "other-tables",
        "consumers/payments/migrations/versions/0001_payments.py",
        "Payments.",
        "Every payment.",
    )
    git(directory, "checkout", "-b", "early", "main")
    git(directory, "rm", "-r", "--quiet", "consumers/replay")
    git(directory, "commit", "-m", "Before there was replay")
    git(directory, "checkout", "main")
    return directory


def change(clone: Path, branch: str, file: str, before: str, after: str) -> None:
    """Commit a change on a new branch of main."""
    git(clone, "checkout", "-b", branch, "main")
    text = (clone / file).read_text()
    assert before in text
    (clone / file).write_text(text.replace(before, after))
    git(clone, "commit", "-am", branch)


def replay(stack: RunningStack, clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tailrace replay` of the clone against the stack."""
    return subprocess.run(
        [sys.executable, "-m", "infra.cli", "replay", "--consumer=payments", *arguments],
        cwd=clone,
        env=stack.environment | {"PYTHONPATH": str(clone)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_broken_handler_shows_in_the_diff_and_a_mended_one_does_not(
    stack: RunningStack, clone: Path
) -> None:
    orders = [place(stack, customer_id=name)["order_id"] for name in ("ada", "declined-bob")]
    wait_until_decided(stack, orders)
    broken = replay(stack, clone, "--code=broken", "--json", *keys(orders))
    assert broken.returncode == 1, broken.stderr
    told: dict[str, Any] = json.loads(broken.stdout)
    assert told["code"].startswith("broken (")
    [table] = told["tables"]
    assert (table["different"], table["equal"], table["by_column"]) == (2, 0, {"amount": 2})
    assert {row["columns"]["amount"]["sandbox"] for row in table["rows"]} == {"50.0000"}
    assert {each["payload"]["amount"] for each in told["outgoing"]["messages"]} == {"50.0000"}

    git(clone, "checkout", "-b", "mended", "broken")
    file = clone / HANDLER
    file.write_text(file.read_text().replace(WRONG, RIGHT))
    git(clone, "commit", "-am", "Mend it")
    git(clone, "checkout", "main")
    mended = replay(stack, clone, "--code=mended", "--json", *keys(orders))
    told = json.loads(mended.stdout)
    assert (mended.returncode, told["equal"]) == (0, True)
    assert {each["payload"]["amount"] for each in told["outgoing"]["messages"]} == {"25.0000"}
    assert not sandboxes(stack)
    listed = subprocess.run(
        ["git", "worktree", "list"], cwd=clone, check=True, capture_output=True, text=True
    )
    assert len(listed.stdout.splitlines()) == 1


def test_a_replay_goes_on_with_the_commit_that_it_was_begun_with(
    stack: RunningStack, clone: Path
) -> None:
    orders = [place(stack)["order_id"] for _ in range(6)]
    wait_until_decided(stack, orders)
    change(clone, "moving", HANDLER, RIGHT, WRONG)
    git(clone, "checkout", "main")
    asked = ("--consumer=payments", "--code=moving", "--rate=2", *keys(orders))
    begun = BackgroundReplay(stack, *asked, code=clone)
    begun.wait_for_effects()
    assert "--resume" in begun.end(signal.SIGINT)
    git(clone, "branch", "--force", "moving", "main")
    resumed = replay(stack, clone, "--resume", "--rate=1000", "--json")
    assert resumed.returncode == 1, resumed.stderr
    told = json.loads(resumed.stdout)
    assert told["code"].startswith("moving (")
    assert [table["different"] for table in told["tables"]] == [6]
    assert not sandboxes(stack)


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("other-tables", "makes other tables than the working tree does"),
        ("early", "knows no replay yet"),
        ("nowhere", "There is no code at nowhere"),
    ],
)
def test_code_that_cannot_be_compared_is_refused(
    stack: RunningStack, clone: Path, ref: str, why: str
) -> None:
    done = replay(stack, clone, f"--code={ref}", "--from=1h")
    assert (done.returncode, why in done.stderr) == (1, True), done.stderr
