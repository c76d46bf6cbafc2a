"""The stack in containers: what it shows of itself, what it keeps to itself, and what it keeps."""

import json
from collections.abc import Iterator

import pytest

from infra.compose import images
from infra.compose.addresses import PREPARING
from infra.compose.engine import Container
from tests.containers.container_stack import ContainerStack
from tests.orders import find, place, wait_until_decided

SERVERS = {
    "postgres": images.POSTGRES,
    "kafka": images.KAFKA,
    "registry": images.REGISTRY,
    "connect": images.CONNECT,
}


def ours(stack: ContainerStack) -> Iterator[Container]:
    found = stack.engine.containers()
    return (each for name, each in found.items() if name not in {*SERVERS, *PREPARING})


def test_every_part_runs_and_status_and_logs_show_it(stack: ContainerStack) -> None:
    parts = {each["name"]: each for each in json.loads(stack.cli("status", "--json").stdout)}
    assert {each["state"] for each in parts.values()} == {"running"}
    assert parts["payments-worker"]["program"] == "workers"
    log = stack.cli("logs", "payments-worker", "-n", "5").stdout
    assert log
    assert all("service=payments-worker" in line for line in log.splitlines())
    assert stack.cli("logs", "database").stdout


def test_up_again_leaves_running_containers_alone(stack: ContainerStack) -> None:
    before = {name: each.id for name, each in stack.engine.containers().items()}
    result = json.loads(stack.cli("up", "--json").stdout)
    after = {name: each.id for name, each in stack.engine.containers().items()}
    assert result["started"] == []
    assert {name: after[name] for name in before} == before


def test_the_doctor_finds_nothing(stack: ContainerStack) -> None:
    findings = json.loads(stack.cli("doctor", "--json", check=False).stdout)
    assert [each for each in findings if each["state"] != "ok"] == []
    assert {"postgres", "connector", "replication slot", "pipeline"} <= {
        each["name"] for each in findings
    }


def test_the_demo_ends_with_balanced_books_and_can_be_replayed(stack: ContainerStack) -> None:
    figures = json.loads(stack.cli("demo", "--orders", "60", "--json").stdout)
    assert figures["ok"], figures
    assert figures["placed"] == 60
    assert figures["confirmed"] + figures["cancelled"] == 60
    replayed = stack.cli("replay", "--consumer", "analytics", "--topic", "order.events").stdout
    assert "0 parked" in replayed
    assert "the same as live" in replayed
    stack.cli("outbox", "verify", "--topic", "payment.events")


def test_ports_are_published_to_this_machine_alone(stack: ContainerStack) -> None:
    bound = [
        binding["HostIp"]
        for container in stack.engine.containers().values()
        for bindings in stack.inspect(container)["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    ]
    assert len(bound) > len(SERVERS)
    assert set(bound) == {"127.0.0.1"}


def test_our_containers_are_not_root_and_write_to_no_root(stack: ContainerStack) -> None:
    for container in ours(stack):
        told = stack.inspect(container)
        assert told["HostConfig"]["ReadonlyRootfs"], container.name
        assert told["HostConfig"]["CapDrop"] == ["ALL"], container.name
        assert told["HostConfig"]["Memory"] > 0, container.name
        assert told["Config"]["Image"] == stack.engine.image
        identity = stack.docker("exec", container.id, "id", "-u").strip()
        assert identity != "0", container.name
        tried = "touch /opt/tailrace/there 2>/dev/null || echo refused"
        assert stack.docker("exec", container.id, "sh", "-c", tried).strip() == "refused"


def test_servers_run_the_images_that_are_named(stack: ContainerStack) -> None:
    found = stack.engine.containers()
    named = {name: stack.inspect(found[name])["Config"]["Image"] for name in SERVERS}
    assert named == SERVERS
    version = stack.docker("exec", found["postgres"].id, "postgres", "--version")
    assert images.POSTGRES.partition(":")[2].partition("-")[0] in version


def test_no_secret_is_shown(stack: ContainerStack) -> None:
    files = [*stack.settings.secrets.glob("*.password")]
    secrets = {path.name: path.read_text() for path in files}
    assert len(secrets) > len(SERVERS)
    for name, container in stack.engine.containers().items():
        told = json.dumps(stack.inspect(container))
        log = "\n".join(stack.engine.log(container, lines=100_000))
        shown = [each for each, secret in secrets.items() if secret in told or secret in log]
        assert shown == [], name


def test_a_service_has_the_passwords_of_its_own_roles_alone(stack: ContainerStack) -> None:
    container = stack.engine.containers()["orders"]
    assert stack.docker("exec", container.id, "ls", "/run/secrets").split() == ["orders.pgpass"]


def test_what_is_about_processes_says_so(stack: ContainerStack) -> None:
    refused = stack.cli("demo", "--crash", "payments-worker", check=False)
    assert refused.returncode == 2
    assert "containers" in refused.stderr


def test_down_and_up_keeps_the_data(stack: ContainerStack) -> None:
    order_id = place(stack)["order_id"]
    wait_until_decided(stack, [order_id])
    decided = find(stack, order_id)
    assert "Stopped" in stack.cli("down").stdout
    assert stack.engine.containers() == {}
    assert stack.cli("status", check=False).returncode == 1
    stack.cli("up")
    assert find(stack, order_id) == decided
    again = place(stack)["order_id"]
    assert wait_until_decided(stack, [again]) == {"confirmed": 1}


@pytest.mark.parametrize("option", [("PROFILE", "cluster"), ("PUBLISHER", "relay")])
def test_what_containers_do_not_do_is_refused(
    stack: ContainerStack, option: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, value = option
    monkeypatch.setitem(stack.environment, f"TAILRACE_{name}", value)
    refused = stack.cli("up", check=False)
    assert refused.returncode == 2
    assert name in refused.stderr
