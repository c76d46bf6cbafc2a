"""The commands that the documents show are run, in the order in which they stand there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from infra.cli.metrics import PORT
from infra.local.probe import wait_until
from infra.services import SERVICES
from infra.settings import REPOSITORY
from tests.integration.test_users import signed_up
from tests.orders import place
from tests.stack import RunningStack
from tests.webhooks import register

SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = [
    path
    for path in (
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *REPOSITORY.glob("docs/**/*.md"),
    )
    if SHELL_BLOCK.search(path.read_text())
]
PUBLISHERS = ("cdc",)  # some of the commands are about the connector
CHANGES = re.compile(r"TAILRACE_\w+=\S+ make up")
"""A command after which the stack of the tests is another one."""
LONG = "takes minutes on a stack of its own; tests/chaos/test_faults.py runs the same with fewer faults"
CLUSTER = "needs a cluster, which tests/chaos/test_cluster.py loses the same parts of"
CONTAINERS = "needs Docker; tests/containers does the same"
COPIED = "is run by test_new_context.py, in a copy of the repository"
SLOW = "is done by test_demo.py, with fewer orders"
MOVED = "is done by tests/chaos/test_context_moves.py, on a stack of its own"
DEALT_OUT = "is done by tests/chaos/test_shards.py, on a stack of its own"
REBUILT = "needs a cluster, whose standby tests/chaos/test_cluster.py makes anew"
ELSEWHERE = {
    "make test": "is what runs this test",
    "make test-unit": "is part of what runs this test",
    "make lint typecheck": "judges the source, not the product",
    "make lint typecheck test-unit": "judges the source, not the product",
    ".venv/bin/tailrace new context stock --consumes orders.OrderCreated --emits stock.ItemsReserved": COPIED,
    ".venv/bin/tailrace new context catalog --kind rest --emits catalog.EntryAdded": COPIED,
    ".venv/bin/tailrace new context rates --kind grpc": COPIED,
    ".venv/bin/tailrace new context review --consumes payments.PaymentFlagged": COPIED,
    ".venv/bin/tailrace schema golden payments.PaymentFlagged": COPIED,
    ".venv/bin/tailrace new context dunning --consumes payments.PaymentFailed": COPIED,
    ".venv/bin/tailrace schema golden letters.SendLetter": COPIED,
    ".venv/bin/tailrace schema golden letters.LetterSent": COPIED,
    ".venv/bin/tailrace new context letters --consumes letters.SendLetter": COPIED,
    ".venv/bin/tailrace new context tracking --consumes orders.OrderConfirmed": COPIED,
    ".venv/bin/tailrace schema golden tracking.GetTracking": COPIED,
    ".venv/bin/tailrace schema golden tracking.Tracking": COPIED,
    """curl -sf localhost:18031/v1/catalog -d '{"name": "a red bicycle"}'""": COPIED,
    ".venv/bin/tailrace demo --orders 300 --rate 5 --crash services": SLOW,
    "make down": "is run by test_cli_stack.py, which brings the stack up again",
    "TAILRACE_CARD_LATENCY_MS=2000 make up": SLOW,
    ".venv/bin/tailrace demo --orders 100 --concurrency 100": SLOW,
    "make up TRACES=1": "is done by test_traces.py, and takes a download",
    "make up JVM_METRICS=1": "is done by test_alerts.py, and takes a download",
    "make up PROFILE=cluster": CLUSTER,
    ".venv/bin/tailrace down kafka-2 --kill": CLUSTER,
    ".venv/bin/tailrace down connect-1 --kill": CLUSTER,
    ".venv/bin/tailrace down workers-2 --kill": CLUSTER,
    ".venv/bin/tailrace restart workers-2": CLUSTER,
    "make demo ORDERS=50": CLUSTER,
    "make up STACK=containers": CONTAINERS,
    "make demo STACK=containers": CONTAINERS,
    "make doctor STACK=containers": CONTAINERS,
    "make status STACK=containers": CONTAINERS,
    "make logs STACK=containers SERVICE=payments-worker": CONTAINERS,
    "make down STACK=containers": CONTAINERS,
    "make test-containers": CONTAINERS,
    "export TAILRACE_STACK=containers": CONTAINERS,
    ".venv/bin/tailrace down postgres --kill": CLUSTER,
    ".venv/bin/tailrace postgres promote --yes": CLUSTER,
    ".venv/bin/tailrace postgres rebuild --yes": REBUILT,
    "export TAILRACE_DATABASES=payments=ledger": MOVED,
    ".venv/bin/tailrace context move payments --yes": MOVED,
    ".venv/bin/tailrace context move payments --drop-old --yes": MOVED,
    "export TAILRACE_SHARDS=main=2": DEALT_OUT,
    ".venv/bin/tailrace connector reshard --yes": DEALT_OUT,
    "make chaos": LONG,
    "make chaos SEED=7 FAULTS=200": LONG,
    "make chaos PROFILE=cluster SEED=7 FAULTS=60": CLUSTER,
    "make chaos PROFILE=cluster SEED=7 FAULTS=60 ARGS=--network": CLUSTER,
    'make chaos SEED=7 FAULTS=40 PUBLISHER=relay ARGS="--rate 5 --json"': LONG,
    'make chaos ARGS="--parts kafka,postgres-backend"': LONG,
}


def commands_of(document: Path) -> list[str]:
    return [
        line
        for block in SHELL_BLOCK.findall(document.read_text())
        for line in block.splitlines()
        if line and not line.startswith("#")
    ]


@pytest.fixture(scope="module")
def shown_to_work() -> set[str]:
    """Commands that another document shows, too, and that have worked there."""
    return set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_commands_shown_work(
    stack: RunningStack, document: Path, shown_to_work: set[str]
) -> None:
    ids = {"ORDER_ID": place(stack)["order_id"], "USER_ID": signed_up(stack, 1)[0]}
    if "$ENDPOINT_ID" in document.read_text():
        ids["ENDPOINT_ID"] = register(stack, "http://localhost:9/")["endpoint_id"]
    environment = stack.environment | ids
    commands = [command for command in commands_of(document) if command not in ELSEWHERE]
    is_changed = False
    for command in commands:
        # what was shown to work is needed again where a page goes back to what was before
        if command not in shown_to_work or is_changed:
            # a worker that stands still after the faults of another test is ended by its watchdog after two minutes
            wait_until("the stack is not whole again", lambda: is_whole(stack), timeout_s=180)
            run(command, stack, environment)
            is_changed |= CHANGES.match(command) is not None
    shown_to_work.update(commands)


def is_whole(stack: RunningStack) -> bool:
    return stack.is_untouched() or stack.is_running()


def test_what_is_not_run_here_is_still_shown() -> None:
    shown = {command for document in DOCUMENTS for command in commands_of(document)}
    assert set(ELSEWHERE) <= shown


def run(command: str, stack: RunningStack, environment: dict[str, str]) -> None:
    """Run a command as a reader would, but against the stack of the tests, and with fewer orders."""
    command = command.replace("ORDERS=200", "ORDERS=20")
    for service in SERVICES:
        port = stack.settings.port_of(service.name)
        command = command.replace(f"localhost:{service.port}/", f"localhost:{port}/")
        if metrics_port := stack.settings.metrics_port_of(service):
            declared = f"localhost:{service.metrics_port}/"
            command = command.replace(declared, f"localhost:{metrics_port}/")
    command = command.replace(f"localhost:{PORT}/", f"localhost:{stack.settings.metrics_port}/")
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        cwd=REPOSITORY,
        env=environment | {"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert done.stdout or command.startswith("kill"), f"{command} prints nothing"
