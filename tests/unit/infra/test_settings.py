from pathlib import Path

import pytest
from pydantic import BaseModel

from infra import settings as module
from infra.local.parts import PORT_SETTINGS, parts_of
from infra.service_settings import OWN
from infra.settings import SettingsError, load_settings, with_services
from infra.shapes import CLUSTER_PORTS
from infra.stack_deployment import second_deployment_of
from schemas.registry_settings import RegistrySettings, RegistrySettingsError

OWN_PORTS = {name: number for number, name in enumerate(PORT_SETTINGS, 1001)}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in module.SettingsWithServices.model_fields:
        monkeypatch.delenv(f"TAILRACE_{name.upper()}", raising=False)


def test_every_service_and_part_has_a_port(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, profile="cluster", jvm_metrics="on")
    assert settings.ports().keys() == OWN_PORTS.keys()
    assert settings.postgres_port == 15432


def test_ports_of_a_cluster_are_nobodys_business_without_one(tmp_path: Path) -> None:
    clash = {"home": tmp_path, "kafka_2_port": 15432, "jvm_metrics": "on"}
    assert OWN_PORTS.keys() - load_settings(**clash).ports().keys() == CLUSTER_PORTS
    with pytest.raises(SettingsError, match="both 15432"):
        load_settings(**clash, profile="cluster")


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_POSTGRES_PORT", "25432")
    assert load_settings().postgres_port == 25432


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_POSTGRES_PORT", "25432")
    assert load_settings(postgres_port=3).postgres_port == 3


def test_urls_follow_the_ports() -> None:
    ports = {"kafka_port": 101, "registry_port": 102, "connect_port": 103, "orders_port": 104}
    settings = load_settings(home="/home of tests", **OWN_PORTS | ports)
    assert settings.kafka_bootstrap == "127.0.0.1:101"
    assert settings.registry_url == "http://127.0.0.1:102/apis/ccompat/v7"
    assert settings.connect_url == "http://127.0.0.1:103"
    assert settings.url_of("orders") == "http://127.0.0.1:104"


def test_a_cluster_is_reached_by_each_of_its_brokers_and_workers(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, profile="cluster")
    assert settings.kafka_bootstrap == "127.0.0.1:19092,127.0.0.1:19094,127.0.0.1:19096"
    assert settings.connect_url == "http://127.0.0.1:18083,http://127.0.0.1:18084"
    deployment = settings.deployment()
    assert (deployment.kafka_bootstrap, deployment.kafka_replication) == (
        settings.kafka_bootstrap,
        3,
    )
    first, second = (
        each.address_of("payments-worker") for each in (deployment, second_deployment_of(settings))
    )
    assert (first.port, second.port) == (18011, 18111)


@pytest.mark.parametrize(
    ("profile", "broker", "shape"),
    [
        ("auto", None, "single"),
        ("auto", "kafka", "single"),
        ("auto", "kafka-1", "cluster"),
        ("auto", "kafka-3", "cluster"),
        ("cluster", None, "cluster"),
        ("cluster", "kafka", "single"),
        ("single", "kafka-1", "cluster"),
    ],
)
def test_a_stack_is_what_its_data_are(
    profile: str, broker: str | None, shape: str, tmp_path: Path
) -> None:
    if broker:
        (tmp_path / broker / "data").mkdir(parents=True)
        (tmp_path / broker / "data" / "meta.properties").touch()
    settings = load_settings(home=tmp_path, profile=profile)
    assert settings.shape == shape
    assert settings.shape_of_data == (shape if broker else None)


def test_database_url_names_the_passfile_and_holds_no_password() -> None:
    settings = load_settings(home="/home of tests", **OWN_PORTS | {"postgres_port": 3})
    expected = (
        "postgresql://orders@127.0.0.1:3/tailrace?passfile=/home%20of%20tests/secrets/orders.pgpass"
    )
    assert settings.database_url("orders") == expected
    assert settings.database_url("registry", "registry").startswith(
        "postgresql://registry@127.0.0.1:3/registry?"
    )


def test_environment_reproduces_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(home="/elsewhere", aot="off", **OWN_PORTS)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "POSTGRES_PORT",
            "abc",
            r"^TAILRACE_POSTGRES_PORT is 'abc' but should be a valid integer.*\.$",
        ),
        ("KAFKA_PORT", "99999", r"^TAILRACE_KAFKA_PORT is '99999' but .* 65535\.$"),
        ("AOT", "maybe", r"^TAILRACE_AOT is 'maybe' but should be 'auto', 'existing' or 'off'\.$"),
        ("PROFILE", "three", r"^TAILRACE_PROFILE is 'three' but .* 'single' or 'cluster'\.$"),
        ("HOME", "data", r"^TAILRACE_HOME is 'data' but must be an absolute path\.$"),
        ("HOME", "/a;b", r"^TAILRACE_HOME is '/a;b' but must not hold quotes.*\.$"),
        ("HOME", "/Projects, 2026/home", r"^TAILRACE_HOME is .* must not hold .* , : \{ \}\.$"),
        ("CACHE", "/mnt/c:/cache", r"^TAILRACE_CACHE is .* must not hold .*\.$"),
        ("HOME", "/srv/{team}", r"^TAILRACE_HOME is .* must not hold .*\.$"),
        ("HOME", "~nosuchuser/x", r"^TAILRACE_HOME is .* begin with ~nosuchuser, as there is no"),
        (
            "CACHE",
            "~no.such.user",
            r"^TAILRACE_CACHE is .* begin with ~no\.such\.user, as there is",
        ),
        ("WEBHOOK_PORTS", "[443, 0]", r"^TAILRACE_WEBHOOK_PORTS is 0 but .* equal to 1\.$"),
        (
            "WEBHOOK_PORTS",
            "443,8443",
            r"^TAILRACE_WEBHOOK_PORTS is '443,8443' but .* \[443,8443\]\.$",
        ),
        (
            "DATABASES",
            "payments=tailrace",
            r"^The settings contradict each other: databases gives tailrace and main one .*\.$",
        ),
        ("DATABASES", "x", r"^TAILRACE_DATABASES has the part 'x': write .*\.$"),
        ("DATABASES", "x=y", r"^TAILRACE_DATABASES names the context 'x', which is none: .*\.$"),
        ("DATABASES", "orders=Y", r"^TAILRACE_DATABASES names a database 'Y': use .*\.$"),
        ("SHARDS", "x", r"^TAILRACE_SHARDS is 'x' but must say how many shards .*\.$"),
        ("AUTH", "x", r"^TAILRACE_AUTH is 'x': it is off, keys, jwt, or keys,jwt\.$"),
        (
            "TRACES_SAMPLE_RATE",
            "2",
            r"^TAILRACE_TRACES_SAMPLE_RATE is '2' but should be less .*\.$",
        ),
        ("KAFKA_PORT", "15432", r"^The settings contradict each other: .* both 15432.*\.$"),
    ],
)
def test_a_bad_value_gives_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"TAILRACE_{name}", value)
    with pytest.raises(SettingsError, match=sentence):
        load_settings()


def test_a_home_is_where_symbolic_links_lead_to(tmp_path: Path) -> None:
    real, odd = tmp_path / "real", tmp_path / "a,b"
    for each, link in ((real, "first"), (tmp_path / "first", "second"), (odd, "third")):
        each.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(each)
    for named in (tmp_path / "first", tmp_path / "second", tmp_path / "second" / ".." / "real"):
        settings = load_settings(home=named, cache=named / "cache")
        assert (settings.home, settings.cache) == (real, real / "cache")
    with pytest.raises(SettingsError, match=rf"TAILRACE_HOME .*as {odd}/x does, to which it leads"):
        load_settings(home=tmp_path / "third" / "x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SettingsError, match="lead to itself"):
        load_settings(home=tmp_path / "loop")


def test_a_default_that_cannot_be_used_is_told_with_what_sets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "default_home", lambda stack: Path("/clones/a,b"))
    with pytest.raises(
        SettingsError, match=r"^TAILRACE_HOME is by default '/clones/a,b' .* set it"
    ):
        load_settings()


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            lambda text: text + "\nspeed = 3\n",
            r"^tailrace\.toml sets speed, which is not a setting",
        ),
        (
            lambda text: text.replace("postgres_port", "# "),
            r"^tailrace\.toml has no line for postgres_port",
        ),
        (lambda text: text + "\naot =\n", r"^tailrace\.toml cannot be read: .*line"),
    ],
)
def test_a_bad_file_gives_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: object, sentence: str
) -> None:
    assert callable(edit)
    file = tmp_path / "tailrace.toml"
    file.write_text(edit(module.SETTINGS_FILE.read_text()))
    monkeypatch.setitem(module.SettingsWithServices.model_config, "toml_file", file)
    with pytest.raises(SettingsError, match=sentence):
        load_settings()


def test_without_a_file_it_is_said_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        module.SettingsWithServices.model_config, "toml_file", tmp_path / "tailrace.toml"
    )
    with pytest.raises(
        SettingsError, match=rf"^There is no tailrace\.toml in {tmp_path}, .*: put "
    ):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("URL", "nope"), ("URL", "http://["), ("TIMEOUT_S", "soon"), ("KEY_FILE", "/not/there")],
)
def test_bad_settings_of_the_registry_end_as_other_bad_settings_do(name: str, value: str) -> None:
    environment = {"TAILRACE_REGISTRY_URL": "http://registry", f"TAILRACE_REGISTRY_{name}": value}
    with pytest.raises(RegistrySettingsError) as raised:
        RegistrySettings.from_environment(environment)
    assert raised.value.exit_code == SettingsError.exit_code == 2


def test_root_gets_a_home_that_other_accounts_can_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    home = load_settings().home
    assert home.parent == Path("/var/lib/tailrace")
    assert home.name.startswith(f"{module.REPOSITORY.name}-")


def test_an_ordinary_user_gets_a_home_in_the_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert load_settings().home == module.REPOSITORY / ".tailrace"


def test_traces_are_off_until_somebody_wants_them(tmp_path: Path) -> None:
    plain = load_settings(home=tmp_path)
    assert plain.deployment().told_all == {}
    assert plain.deployment().trace_page is None
    assert "zipkin" not in {part.name for part in parts_of(plain)}


def test_with_zipkin_every_service_sends_its_spans_there(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, traces="zipkin", zipkin_port=1234)
    assert settings.deployment().told_all == {
        "TRACES_URL": "http://127.0.0.1:1234/api/v2/spans",
        "TRACES_FORMAT": "zipkin",
        "TRACES_SAMPLE_RATE": "1.0",
    }
    assert settings.deployment().trace_page == "http://127.0.0.1:1234/zipkin/traces/{trace_id}"
    assert "zipkin" in {part.name for part in parts_of(settings)}


def test_another_collector_takes_no_part_of_the_stack(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, traces="http://collector:4318")
    assert settings.deployment().told_all["TRACES_URL"] == "http://collector:4318"
    assert "zipkin" not in {part.name for part in parts_of(settings)}


@pytest.mark.parametrize("wrong", ["1", "on", "collector:4318", "http://me:secret@collector"])
def test_traces_that_lead_nowhere_are_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="must be off, zipkin, or the URL of a collector"):
        load_settings(traces=wrong)


def test_a_stack_in_containers_records_none_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a stack in containers records none"):
        load_settings(home=tmp_path, stack="containers", traces="zipkin")


def test_jvms_tell_nothing_and_take_no_port_unless_they_are_to(tmp_path: Path) -> None:
    plain = load_settings(home=tmp_path, kafka_metrics_port=15432)
    assert not plain.jvm_metrics_ports
    assert not plain.deployment().jvms
    with pytest.raises(SettingsError, match="both 15432"):
        load_settings(home=tmp_path, kafka_metrics_port=15432, jvm_metrics="on")


@pytest.mark.parametrize(
    ("changes", "jvms"),
    [
        ({}, {"kafka": 18091, "connect": 18092}),
        ({"publisher": "relay"}, {"kafka": 18091}),
        (
            {"profile": "cluster"},
            {
                "kafka-1": 18091,
                "kafka-2": 18093,
                "kafka-3": 18094,
                "connect-1": 18092,
                "connect-2": 18095,
            },
        ),
    ],
)
def test_each_broker_and_worker_of_connect_tells_at_a_port_of_its_own(
    changes: dict[str, str], jvms: dict[str, int], tmp_path: Path
) -> None:
    settings = load_settings(home=tmp_path, jvm_metrics="on", **changes)
    found = settings.deployment().jvms
    assert found == {name: f"127.0.0.1:{port}" for name, port in jvms.items()}
    ports = {part.name: part.ports for part in parts_of(settings)}
    for name, port in jvms.items():
        assert port in {settings.ports()[setting] for setting in ports[name]}


def test_jvms_in_containers_are_given_no_agent(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="JVMs in containers are given no agent"):
        load_settings(home=tmp_path, stack="containers", jvm_metrics="on")


class Shared(BaseModel):
    smtp_port: int = 25


class Own(Shared):
    senders: frozenset[str] = frozenset({"shop"})


class Greedy(BaseModel):
    kafka_port: int = 1


def test_what_services_declare_becomes_settings_of_the_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = with_services([*OWN.values(), Shared, Own], mail_worker_port=18099)
    monkeypatch.setenv("TAILRACE_SENDERS", '["shop", "billing"]')
    settings = made(home=tmp_path)
    assert (settings.smtp_port, settings.mail_worker_port) == (25, 18099)  # type: ignore[attr-defined]
    assert settings.senders == {"shop", "billing"}  # type: ignore[attr-defined]
    assert "mail_worker_port" in settings.ports()
    assert "smtp_port" not in settings.ports(), "the stack does not listen there"


def test_a_setting_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice: kafka_port"):
        with_services([Greedy])


def test_a_secret_that_nobody_names_is_the_stacks_own(tmp_path: Path) -> None:
    for given, told in (
        (None, tmp_path / "secrets" / "webhooks-key.password"),
        (tmp_path / "k", tmp_path / "k"),
    ):
        settings = load_settings(home=tmp_path, webhook_key_file=given)
        for name in ("webhooks", "webhooks-worker"):
            assert settings.deployment().told[name]["WEBHOOK_KEY_FILE"] == str(told)
