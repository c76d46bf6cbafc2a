"""Commands that are not about local processes work on a deployment file, with no more credentials than they need."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local.probe import wait_until
from infra.services import OUTBOXES, SERVICES, SUPERUSER
from infra.settings import HOST, REPOSITORY
from tests import commands, plain_http
from tests.orders import place, wait_until_decided
from tests.services import free_port, wait_until_healthy
from tests.stack import COMMAND_TIMEOUT_S, RunningStack

HOUR = "1h"


@dataclass(frozen=True)
class House:
    """Somebody's own servers, as a file describes them; the home of a local stack is empty."""

    file: Path
    passwords: Path
    environment: dict[str, str]
    secrets: tuple[str, ...]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        result = commands.run(
            "infra.cli",
            arguments,
            directory=REPOSITORY,
            environment=self.environment,
            timeout_s=COMMAND_TIMEOUT_S,
        )
        told = result.stdout + result.stderr
        assert not any(secret in told for secret in self.secrets)
        assert result.returncode == 0 or not check, f"{arguments}: {told}"
        return result

    def ask(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def house(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> House:
    room = tmp_path_factory.mktemp("house")
    settings = stack.settings
    passwords = room / "passwords"
    passwords.mkdir(mode=0o700)
    for file in settings.secrets.glob("*.pgpass"):
        if file.stem != SUPERUSER:
            shutil.copy(file, passwords)
    shutil.copy(settings.secrets / "publisher.password", passwords)
    services = "".join(
        f'[services.{service.name}]\nurl = "{settings.url_of(service.name)}"\n'
        for service in SERVICES
    )
    file = room / "deployment.toml"
    file.write_text(
        f"""
        kafka_bootstrap = "{settings.kafka_bootstrap}"
        registry_url = "{settings.registry_url}"
        registry_writer_user = "publisher"
        registry_writer_password_file = "passwords/publisher.password"
        connect_url = "{settings.connect_url}"
        connector_password = "${{directory:{settings.connect_secrets}:tailrace_capture.password}}"
        database_host = "{HOST}"
        database_port = {settings.postgres_port}
        password_files = "passwords"
        state = "state"
        cdc_profile = "{settings.cdc_profile}"
        {services}
        """
    )
    empty = room / "home"
    empty.mkdir()
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")
    }
    told = {"TAILRACE_HOME": str(empty), "TAILRACE_DEPLOYMENT": str(file)}
    secrets = tuple(each.read_text() for each in settings.secrets.glob("*.password"))
    return House(file, passwords, inherited | told, secrets)


@pytest.fixture(scope="module")
def order(stack: RunningStack) -> str:
    placed = str(place(stack)["order_id"])
    assert wait_until_decided(stack, [placed]) == {"confirmed": 1}
    return placed


def test_its_console_shows_what_can_be_asked_from_here(house: House) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "infra.cli", "console", "--port", str(port), "--look"]
    with subprocess.Popen(argv, cwd=REPOSITORY, env=house.environment, text=True) as process:
        try:
            wait_until_healthy(process, port)
            wait_until(
                "not all is well",
                lambda: "all is well" in plain_http.get(url).text,
                timeout_s=60,
                interval_s=0.2,
            )
            page = plain_http.get(url).text
        finally:
            process.terminate()
    assert process.returncode == 0
    assert str(house.file) in page
    assert "for looking only" in page
    assert "not known" not in page
    assert not any(secret in page for secret in house.secrets)


def test_what_is_in_kafka_and_in_the_outbox(house: House, order: str) -> None:
    lags = house.ask("lag")
    assert {each["consumer"] for each in lags} >= {"payments-worker", "analytics-worker"}
    tailed = house.run("topics", "tail", "order.events", "--key", order, "--json").stdout
    assert [json.loads(line)["type"] for line in tailed.splitlines()] == [
        "orders.OrderCreated",
        "orders.OrderConfirmed",
    ]
    assert {each["name"] for each in house.ask("topics", "list")} >= {"order.events"}
    assert house.ask("events", "show", "order", order)["state"]["version"] == 2
    stats = house.ask("outbox", "stats")
    assert {each["schema"] for each in stats["outboxes"]} == set(OUTBOXES)
    assert stats["published_by"] == "cdc"
    assert "kept for good" in house.run("outbox", "stats").stdout
    house.run("outbox", "prune", "--dry-run")


def test_that_rows_events_and_inboxes_agree(house: House, order: str) -> None:
    assert house.ask("outbox", "verify")["kinds"]
    assert house.ask("outbox", "verify", "--topic", "order.events", "--from", HOUR)["ok"]
    assert house.run("outbox", "backfill", "--dry-run").returncode == 0


def test_what_was_parked_and_what_was_replayed(house: House, order: str) -> None:
    assert isinstance(house.ask("parked", "list"), list | dict)
    consumer = ("--topic", "order.events", "--from", HOUR, "--consumer", "analytics")
    assert house.ask("replay", *consumer, "--dry-run")["messages"] >= 2
    replayed = house.ask("replay", "--consumer", "analytics", "--from", HOUR, "--key", order)
    assert replayed["parked"] == 0
    assert house.ask("replay", "sandboxes") == []
    assert house.ask("projections", "list")


def test_the_connector_is_the_one_that_the_file_describes(house: House) -> None:
    status = house.ask("connector", "status")
    assert (status["running"], status["differences"]) == (True, [])
    assert house.ask("connector", "apply")["result"] == "unchanged"
    rendered = json.loads(house.run("connector", "show", "--rendered").stdout)
    assert rendered == json.loads(house.run("connector", "show").stdout)
    relay = house.run("relay", "status", check=False)
    assert relay.returncode == 1
    assert "not the relay that publishes" in relay.stdout


def test_schemas_against_a_registry_and_topics_of_the_house(house: House) -> None:
    house.run("schema", "check", "--against", "registry", "--data", "20")
    assert all(each["version"] for each in house.ask("schema", "list", "--registry"))
    assert {each["state"] for each in house.ask("schema", "publish")} == {"unchanged"}
    assert house.ask("schema", "history", "orders.OrderCreated")


def test_orders_are_sent_to_its_storefront(house: House) -> None:
    result = house.ask("demo", "--orders", "3")
    assert (result["placed"], result["unfinished"]) == (3, 0)


def test_the_doctor_needs_the_superuser_and_says_so(house: House, stack: RunningStack) -> None:
    ended = house.run("doctor", "--json", check=False)
    findings = {each["name"]: each for each in json.loads(ended.stdout)}
    assert findings["postgres"]["state"] == findings["orders"]["state"] == "ok"
    assert findings["pipeline"]["state"] == "unknown"
    assert f"for the role {SUPERUSER}" in findings["roles"]["detail"]
    shutil.copy(stack.settings.secrets / f"{SUPERUSER}.pgpass", house.passwords)
    try:
        output = house.run("doctor").stdout
        assert all(line.startswith("OK ") for line in output.splitlines()), output
        assert house.run("migrate").stdout == "Everything is as declared.\n"
    finally:
        (house.passwords / f"{SUPERUSER}.pgpass").unlink()


def test_processes_are_left_to_whoever_runs_them(house: House) -> None:
    for words in (["up"], ["down"], ["reset", "--yes"], ["status"], ["logs", "kafka"]):
        result = house.run(*words, check=False)
        assert result.returncode == 2
        assert str(house.file) in result.stderr
        assert "local stack" in result.stderr


def test_a_service_is_told_the_same_wherever_it_runs(house: House) -> None:
    told = house.ask("deployment", "env", "orders")
    assert told["TAILRACE_PORT"] == "18001"
    assert told["TAILRACE_DATABASE_URL"].endswith(f"passfile={house.passwords}/orders.pgpass")
    assert house.ask("deployment", "show")["source"] == str(house.file)


def test_nothing_was_looked_for_in_a_home(house: House) -> None:
    assert list(Path(house.environment["TAILRACE_HOME"]).iterdir()) == []
