"""The command lines and configuration files of the Java parts."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local.java import agent, aot, artifacts, connect, jvm, kafka, registry
from infra.local.java.configuration import write_properties
from infra.local.java.flock import exclusive
from infra.local.java.process import Process
from infra.observability import JVM_RULES

PASSWORD = "never-shown"
PUBLISHER_PASSWORD = "nor-is-this"
ALONE = kafka.Node("kafka", 1, 1, 2)
THREE = [kafka.Node(f"kafka-{number}", number, 10 + number, 20 + number) for number in (1, 2, 3)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose class paths consist of one jar each."""
    cache = tmp_path / "cache"
    cache.mkdir()

    def class_path(_: Path, part: str) -> tuple[Path, ...]:
        jar = cache / f"{part}.jar"
        jar.touch()
        return (jar,)

    monkeypatch.setattr(artifacts, "class_path", class_path)
    return cache


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "secrets").mkdir(parents=True)
    (home / "secrets" / "registry.password").write_text(PASSWORD)
    (home / "secrets" / "publisher.password").write_text(PUBLISHER_PASSWORD)
    (home / "secrets" / "registry-admin.password").write_text(PASSWORD)
    (home / "kafka" / "data").mkdir(parents=True)
    (home / "kafka" / "data" / "meta.properties").touch()  # formatted already
    return home


def prepared(home: Path, cache: Path, *, aot: bool = True) -> list[Process]:
    return [
        kafka.prepare(home=home, cache=cache, node=ALONE, nodes=[ALONE], aot=aot),
        connect.prepare(home=home, cache=cache, port=3, kafka_bootstrap="127.0.0.1:1", aot=aot),
        registry.prepare(
            home=home,
            cache=cache,
            port=4,
            database_url="jdbc:postgresql://127.0.0.1:5/registry",
            aot=aot,
        ),
    ]


def properties(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def test_what_is_written_is_for_its_owner_alone(home: Path, cache: Path) -> None:
    for process in prepared(home, cache):
        assert stat.S_IMODE(process.directory.stat().st_mode) == 0o700
        for path in process.files:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("key", "password"),
    [
        ("apicurio.datasource.password", PASSWORD),
        ("quarkus.security.users.embedded.users.publisher", PUBLISHER_PASSWORD),
    ],
)
def test_a_password_stands_in_the_registrys_file_and_nowhere_else(
    key: str, password: str, home: Path, cache: Path
) -> None:
    *others, last = prepared(home, cache)
    assert properties(last.files[0])[key] == password
    for process in (*others, last):
        assert password not in " ".join([*process.argv, *process.env.values()])
    assert not any(password in path.read_text() for process in others for path in process.files)


def test_to_write_to_the_registry_takes_a_role(home: Path, cache: Path) -> None:
    written = properties(prepared(home, cache)[-1].files[0])
    assert written["apicurio.auth.role-based-authorization"] == "true"
    assert written["quarkus.security.users.embedded.roles.publisher"] == "sr-developer"


@pytest.mark.parametrize("name", ["registry", "publisher"])
def test_a_missing_password_is_said_in_one_sentence(name: str, home: Path, cache: Path) -> None:
    (home / "secrets" / f"{name}.password").unlink()
    with pytest.raises(registry.RegistryError, match="run `make up`"):
        prepared(home, cache)


def test_an_agent_listens_on_loopback_and_has_rules_of_its_own(home: Path, cache: Path) -> None:
    for process in prepared(home, cache)[:2]:
        told = agent.attached(process, cache=cache, port=7)
        [*_, rules] = told.files
        assert rules.read_text() == JVM_RULES.read_text()
        assert stat.S_IMODE(rules.stat().st_mode) == 0o600
        assert told.argv[1] == f"-javaagent:{cache / 'agent.jar'}=127.0.0.1:7:{rules}"
        assert told.argv[2:] == process.argv[1:]


def test_with_an_agent_there_is_no_start_up_cache(home: Path, cache: Path) -> None:
    process = prepared(home, cache)[0]
    java, *rest = process.argv
    cached = replace(process, argv=[java, "-XX:AOTCache=kafka.aot", *rest])
    attached = [agent.attached(each, cache=cache, port=7).argv for each in (cached, process)]
    assert attached[0] == attached[1]


def test_preparing_again_writes_the_same(home: Path, cache: Path) -> None:
    first = {path: path.read_text() for process in prepared(home, cache) for path in process.files}
    assert prepared(home, cache) == prepared(home, cache)
    assert first == {path: path.read_text() for path in first}


def test_everything_listens_on_loopback(home: Path, cache: Path) -> None:
    broker, worker, schemas = (properties(process.files[0]) for process in prepared(home, cache))
    listeners = [*broker["listeners"].split(","), broker["advertised.listeners"]]
    assert all("://127.0.0.1:" in listener for listener in listeners)
    assert worker["listeners"] == "http://127.0.0.1:3"
    assert schemas["quarkus.http.host"] == "127.0.0.1"
    assert schemas["quarkus.management.host-enabled"] == "false"


def test_topics_are_never_created_by_accident(home: Path, cache: Path) -> None:
    assert properties(prepared(home, cache)[0].files[0])["auto.create.topics.enable"] == "false"


def test_a_cluster_survives_the_loss_of_any_one_broker() -> None:
    replicated = (
        *("default.replication.factor", "offsets.topic.replication.factor"),
        *("transaction.state.log.replication.factor",),
        *("share.coordinator.state.topic.replication.factor",),
    )
    needed = (
        *("min.insync.replicas", "transaction.state.log.min.isr"),
        *("share.coordinator.state.topic.min.isr",),
    )
    for node in THREE:
        written = kafka.settings(Path("data"), node=node, nodes=THREE)
        assert {written[name] for name in replicated} == {3}
        assert {written[name] for name in needed} == {2}
        assert written["node.id"] == node.number
        voters = "1@127.0.0.1:21,2@127.0.0.1:22,3@127.0.0.1:23"
        assert written["controller.quorum.voters"] == voters
        assert written["advertised.listeners"] == f"PLAINTEXT://127.0.0.1:{node.port}"
    alone = kafka.settings(Path("data"), node=ALONE, nodes=[ALONE])
    assert {alone[name] for name in (*replicated, *needed)} == {1}


def test_brokers_of_a_home_belong_together_also_one_that_has_lost_its_disk(
    home: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids: list[str] = []
    monkeypatch.setattr(kafka, "_format", lambda *_, cluster_id, **__: ids.append(cluster_id))
    for node in (*THREE, THREE[1]):
        kafka.prepare(home=home, cache=cache, node=node, nodes=THREE)
    kafka.prepare(home=home / "another", cache=cache, node=THREE[0], nodes=THREE)
    assert len(ids) == 5
    assert len(set(ids[:4])) == 1
    assert len(set(ids)) == 2


def test_workers_of_connect_share_what_they_store_and_their_secrets(
    home: Path, cache: Path
) -> None:
    brokers = "127.0.0.1:11,127.0.0.1:12,127.0.0.1:13"
    first, second = (
        connect.prepare(
            home=home, cache=cache, port=port, kafka_bootstrap=brokers, name=name, replicas=3
        )
        for name, port in (("connect-1", 31), ("connect-2", 32))
    )
    assert first.directory != second.directory
    one, other = properties(first.files[0]), properties(second.files[0])
    assert {key for key in one if one[key] != other[key]} == {"listeners", "rest.advertised.port"}
    assert one["bootstrap.servers"] == brokers
    assert {value for key, value in one.items() if "replication.factor" in key} == {"3"}


def test_connectors_may_read_their_own_secrets_only(home: Path, cache: Path) -> None:
    worker = properties(prepared(home, cache)[1].files[0])
    assert worker["config.providers.directory.param.allowed.paths"] == str(
        home / "connect" / "secrets"
    )


def test_a_fitting_start_up_cache_is_used_unless_unwanted(home: Path, cache: Path) -> None:
    jar = cache / "kafka.jar"
    jar.touch()
    archive = jvm.archive_path(cache, "kafka", [jar])
    archive.parent.mkdir(parents=True)
    archive.touch()
    option = f"-XX:AOTCache={archive}"
    assert option in prepared(home, cache)[0].argv
    assert option not in prepared(home, cache, aot=False)[0].argv
    assert not any("-XX:AOTCache=" in word for word in prepared(home, cache)[1].argv)

    jar.write_bytes(b"another one")
    assert not any("-XX:AOTCache=" in word for word in prepared(home, cache)[0].argv)


def test_a_start_up_cache_belongs_to_path_size_and_time_of_each_jar(tmp_path: Path) -> None:
    jars = [tmp_path / "a.jar", tmp_path / "b.jar"]
    for jar in jars:
        jar.write_bytes(b"x")
    found = {jvm.archive_path(tmp_path, "kafka", jars)}
    found.add(jvm.archive_path(tmp_path, "kafka", jars[::-1]))
    os.utime(jars[0], (1, 1))
    found.add(jvm.archive_path(tmp_path, "kafka", jars))
    jars[0].write_bytes(b"xx")
    found.add(jvm.archive_path(tmp_path, "kafka", jars))
    assert len(found) == 4


def test_properties_survive_what_has_a_meaning_in_them(tmp_path: Path) -> None:
    path = write_properties(tmp_path / "p", {"a": "x\\y", "b": " lead", "c": "é𝄞\n", "d": True})
    assert path.read_text().splitlines()[1:] == [
        r"a=x\\y",
        r"b=\ lead",
        r"c=\u00e9\ud834\udd1e\n",
        "d=true",
    ]


def test_nothing_answers_on_a_closed_port() -> None:
    assert not any(part.is_ready(9) for part in (kafka, connect, registry))


def test_training_needs_the_jars(tmp_path: Path) -> None:
    assert not aot.trained(tmp_path)
    with pytest.raises(aot.TrainingError, match="run `make up` first"):
        aot.train(tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_training_at_a_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "missing", lambda _: [])
    with exclusive(cache / "java" / "aot" / ".lock"):
        assert aot.train(cache) == []


def test_a_failed_training_leaves_nothing_behind(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stub_command(*_: object, **__: object) -> list[str]:
        return ["/bin/sh", "-c", "echo 'ERROR no luck'; exit 3"]

    monkeypatch.setattr(artifacts, "missing", lambda _: [])
    monkeypatch.setattr(jvm, "command", stub_command)
    monkeypatch.setattr(jvm, "recording", lambda process, _: process)
    monkeypatch.setattr(kafka, "_format", lambda *_, **__: None)
    with pytest.raises(aot.TrainingError, match="kafka ended in its training"):
        aot.train(cache)
    assert [path.name for path in (cache / "java" / "aot").iterdir()] == [".lock"]
