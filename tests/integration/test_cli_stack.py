"""`tailrace` against a running stack: repairing, restarting, stopping, and what it says when things are wrong."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest
from confluent_kafka.admin import AdminClient

from cdc.connector import NAME as CONNECTOR
from infra.local.home import prepare_home
from infra.local.probe import wait_until
from infra.local.supervision import leftovers
from infra.settings import HOST, REPOSITORY
from tests import plain_http
from tests.doctor import findings
from tests.orders import place
from tests.stack import RunningStack, make_directory, own_settings, wait_until_running
from tests.terminal import ENOUGH, WIDTHS, lost, on_terminal


@pytest.fixture
def second() -> Iterator[RunningStack]:
    """A stack beside the shared one that is not running."""
    directory = make_directory()
    stack = RunningStack(own_settings(directory / "home"))
    yield stack
    stack.cli("reset", "--yes")
    directory.rmdir()


def pids(stack: RunningStack) -> dict[str, int | None]:
    return {name: part.pid for name, part in stack.status().items()}


def test_up_again_changes_nothing(stack: RunningStack) -> None:
    before = pids(stack)
    result = json.loads(stack.cli("up", "--json").stdout)
    assert result["started"] == []
    assert pids(stack) == before
    assert {part["state"] for part in result["parts"]} == {"running"}


def test_up_starts_only_what_is_missing_and_prints_where_things_are_and_what_to_try(
    stack: RunningStack,
) -> None:
    before = pids(stack)
    stack.stop("storefront")
    assert stack.status()["storefront"].state == "stopped"
    output = stack.cli("up").stdout
    after = pids(stack)
    assert [name for name in after if after[name] != before[name]] == ["storefront"]
    for wanted in (
        *stack.status(),
        f"curl -s {stack.settings.url_of('storefront')}/v1/orders",
        "make down",
    ):
        assert wanted in output


def test_up_mends_a_paused_connector_a_deleted_topic_and_a_hanging_part(
    stack: RunningStack,
) -> None:
    pause_connector(stack)
    delete_topic(stack, "canary.events")
    pid = stack.kill("storefront", signal.SIGSTOP)
    found = findings(stack)
    assert found["connector"]["state"] == "wrong"
    assert found["topics"]["detail"] == "topic canary.events is missing, and is declared as there"
    assert json.loads(stack.cli("up", "--json").stdout)["started"] == ["storefront"]
    assert stack.status()["storefront"].pid != pid
    # the doctor finds nothing when all is well
    result = stack.cli("doctor")
    assert all(line.startswith("OK ") for line in result.stdout.splitlines()), result.stdout


def pause_connector(stack: RunningStack) -> None:
    base = f"{stack.settings.connect_url}/connectors/{CONNECTOR}"
    assert httpx2.put(f"{base}/pause").status_code == httpx2.codes.ACCEPTED
    wait_until(
        "the connector does not pause",
        lambda: plain_http.get(f"{base}/status").json()["connector"]["state"] == "PAUSED",
        timeout_s=20,
    )


def delete_topic(stack: RunningStack, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    admin.delete_topics([name])[name].result(20)
    wait_until(
        "the topic is not deleted",
        lambda: name not in admin.list_topics(timeout=10).topics,
        timeout_s=20,
    )


def test_a_killed_part_comes_back_and_status_counts_it(stack: RunningStack) -> None:
    before = stack.status()["orders"]
    pid = stack.kill("orders")
    wait_until_running(stack)
    after = stack.status()["orders"]
    assert after.pid != pid
    assert after.restarts == before.restarts + 1
    shown = json.loads(stack.cli("status", "--json").stdout)
    assert {"name": "orders", "restarts": after.restarts}.items() <= next(
        part for part in shown if part["name"] == "orders"
    ).items()


def test_restart_gives_one_part_a_new_process(stack: RunningStack) -> None:
    before = pids(stack)
    assert "storefront is ready after" in stack.cli("restart", "storefront").stdout
    after = pids(stack)
    assert [name for name in after if after[name] != before[name]] == ["storefront"]


@pytest.mark.parametrize(("option", "told"), [((), "is stopped"), (("--kill",), "is killed")])
def test_one_part_is_taken_down_and_stays_down_until_up(
    stack: RunningStack, option: tuple[str, ...], told: str
) -> None:
    before = stack.status()["storefront"]
    done = stack.cli("down", "storefront", *option).stdout
    assert done == f"storefront {told}; `tailrace up` starts it again.\n"
    after = stack.status()
    assert {name for name, part in after.items() if not part.is_running} == {"storefront"}
    assert (after["storefront"].state, after["storefront"].restarts) == ("stopped", before.restarts)
    assert json.loads(stack.cli("up", "--json").stdout)["started"] == ["storefront"]


def test_nothing_is_killed_unless_it_is_named(stack: RunningStack) -> None:
    refused = stack.cli("down", "--kill", check=False)
    assert refused.returncode == 2
    assert "say which part is to be killed" in refused.stderr
    assert "is no part of this stack" in stack.cli("down", "kafka-2", check=False).stderr
    assert stack.is_running()


def test_doctor_names_what_is_wrong_and_how_to_mend_it(stack: RunningStack) -> None:
    (stack.settings.secrets / "orders.password").chmod(0o644)
    stack.stop("connect")
    found = findings(stack)
    assert found["connect"]["remedy"] == "run `make up`"
    assert found["connector"]["state"] == "unknown"
    assert "orders.password is open to other accounts (644)" in found["secrets"]["detail"]
    (stack.settings.secrets / "orders.password").chmod(0o600)


def test_logs_shows_the_end_of_a_log(stack: RunningStack) -> None:
    lines = stack.cli("logs", "postgres", "-n", "3").stdout.splitlines()
    assert lines == stack.log("postgres").splitlines()[-3:]


def test_a_taken_port_is_one_sentence_and_nothing_is_started(second: RunningStack) -> None:
    with socket.create_server((HOST, second.settings.registry_port)):
        result = second.cli("up", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(
        f"tailrace: Port {second.settings.registry_port}, wanted by registry, is taken"
    )
    assert result.stderr.count("\n") == 1
    assert leftovers.find(second.settings.home) == []


def test_a_full_disk_is_one_sentence_and_nothing_is_made(second: RunningStack) -> None:
    second.environment["TAILRACE_MIN_FREE_DISK_MB"] = str(10**9)
    result = second.cli("up", check=False)
    assert result.returncode == 1
    assert "MB are wanted" in result.stderr
    assert not second.settings.home.exists()


def test_a_part_that_cannot_start_takes_the_others_back(second: RunningStack) -> None:
    prepare_home(second.settings.home)
    storage = second.settings.home / "kafka" / "data"
    storage.mkdir(parents=True)
    (storage / "meta.properties").write_text("version=of-another-time\n")
    result = second.cli("up", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(
        "tailrace: kafka keeps ending while it starts; its log ends with: "
    )
    assert result.stderr.count("\n") == 1
    assert leftovers.find(second.settings.home) == []


def test_an_interrupted_up_takes_everything_back(second: RunningStack) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.cli", "up"],
        cwd=REPOSITORY,
        env=second.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(
        "postgres is not started",
        lambda: second.status()["postgres"].state == "running",
        timeout_s=60,
    )
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 1
    assert complaint.strip() == "Interrupted."
    assert leftovers.find(second.settings.home) == []


def test_a_failing_up_leaves_alone_what_ran_before(stack: RunningStack) -> None:
    stack.stop("storefront")
    before = pids(stack)
    with socket.create_server((HOST, stack.settings.port_of("storefront"))):
        assert stack.cli("up", check=False).returncode == 1
    assert pids(stack) == before


def test_down_ends_everything_even_without_supervisord(stack: RunningStack) -> None:
    found = leftovers.find(stack.settings.home)
    daemon = next(process for process in found if "supervisor.supervisord" in process.cmdline())
    daemon.kill()
    daemon.wait(10)
    parts = {part.state for part in stack.status().values()}
    assert parts == {"stopped"}
    assert "processes that nobody supervised" in stack.cli("down").stdout
    assert leftovers.find(stack.settings.home) == []
    assert not any(process.is_running() for process in found)
    assert stack.cli("status", check=False).returncode == 1
    stack.cli("up")
    assert stack.is_running()


@pytest.mark.parametrize(
    "command",
    [
        "lag",
        "lag --partitions",
        "outbox stats",
        "saga list --limit 5",
        "keys list --all",
        "topics list",
        "projections list",
        "replay --consumer analytics --topic order.events --dry-run",
    ],
)
def test_tables_cut_no_value_on_a_narrow_terminal(stack: RunningStack, command: str) -> None:
    place(stack)
    *narrow, wide = (
        on_terminal(columns, command.split(), stack.environment)[1] for columns in (*WIDTHS, ENOUGH)
    )
    for shown in narrow:
        assert "…" not in shown
        # figures come on meanwhile
        assert not [word for word in lost(shown, wide) if word.isalpha()]
