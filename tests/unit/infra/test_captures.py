"""Contexts with databases of their own: what follows from the settings, and what is said of those that cannot be."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from cdc import database
from cdc.connector import render
from cdc.database import session_url
from cdc.relay.settings import RelaySettings
from infra.capture import connector_settings, outbox_urls
from infra.deployment import CONTEXTS, Capture, Deployment, DeploymentError
from infra.deployment.file import ENVIRONMENT, read_deployment
from infra.drift.roles import who_connects
from infra.errors import RequestError
from infra.local.probe import port_is_free
from infra.moving import marks as moving_marks
from infra.moving.copying import CopyError, pump
from infra.moving.marks import Held, HomeError, holders, require_at_home, trouble_of
from infra.moving.move import MoveError, Plan, plan, plan_of
from infra.processes import environment_of, settings_of
from infra.retention_access import looked_after
from infra.services import CAPTURE, OWNER, READER, RELAY_SERVICE, RETENTION, SERVICES, find_service
from infra.settings import SettingsError, load_settings
from infra.sharding import marks as sharding_marks
from tests.side_by_side import own_ports

HOUSE = {
    "TAILRACE_KAFKA_BOOTSTRAP": "k:1",
    "TAILRACE_REGISTRY_URL": "http://r",
    "TAILRACE_CONNECT_URL": "http://c",
    "TAILRACE_CONNECTOR_PASSWORD": "${directory:/secrets:tailrace_capture.password}",
    "TAILRACE_DATABASE_HOST": "db",
}


def house(tmp_path: Path, **variables: str) -> Deployment:
    """Return a deployment that the environment describes, with a passfile for everybody."""
    passfile = tmp_path / "passfile"
    passfile.write_text("*:*:*:*:s3cret\n")
    passfile.chmod(0o600)
    places = {"TAILRACE_PASSWORD_FILES": str(passfile), "TAILRACE_STATE": str(tmp_path / "state")}
    return read_deployment(ENVIRONMENT, HOUSE | places | variables)


def test_without_a_word_of_databases_there_is_one_capture(tmp_path: Path) -> None:
    for deployment in (load_settings().deployment(), house(tmp_path)):
        [capture] = deployment.captures
        assert capture.contexts == CONTEXTS
        [shard] = deployment.shards
        assert (shard.slot, shard.connector) == ("tailrace_outbox", "tailrace-outbox")
        assert "canary" in outbox_urls(deployment)


def test_a_context_with_a_database_of_its_own_is_captured_by_itself() -> None:
    deployment = load_settings(databases="payments=ledger, shipping=ledger").deployment()
    main, ledger = deployment.captures
    assert set(main.contexts) == set(CONTEXTS) - {"payments", "shipping"}
    assert ledger.contexts == ("payments", "shipping")
    [shard] = ledger.shards
    assert (shard.slot, shard.connector) == ("tailrace_outbox_ledger", "tailrace-outbox-ledger")
    assert "/ledger?" in deployment.database_url("payments")
    assert "/tailrace?" in deployment.database_url("orders")
    assert outbox_urls(deployment).keys() == {*CONTEXTS, "canary", "canary@ledger"}
    assert "tailrace_access" in main.schemas
    assert "tailrace_access" not in ledger.schemas
    assert {"payments", "tailrace_owner"} <= set(who_connects(ledger))
    assert not {"payments", "tailrace_keys"} & set(who_connects(ledger)) - {"payments"}
    assert "payments" not in who_connects(main)
    told = environment_of(find_service("payments-worker"), deployment)
    assert "/ledger?" in told["TAILRACE_DATABASE_URL"]
    assert [each.split()[:2] for each in looked_after(deployment, "cdc").split(" | ")] == [
        ["slot:tailrace_outbox", ",".join(main.outboxes)],
        ["slot:tailrace_outbox_ledger", "payments,shipping,canary"],
    ]


def test_who_only_looks_is_one_role_in_each_database_and_schema() -> None:
    seen = load_settings(databases="payments=ledger").deployment().to_look()
    urls = [
        *outbox_urls(seen).values(),
        *(each.url(role) for each in seen.captures for role in (OWNER, CAPTURE, RETENTION)),
    ]
    assert {urlsplit(url).username for url in urls} == {READER}
    assert all(READER in who_connects(each) for each in seen.captures)
    path = conninfo_to_dict(session_url(seen.database_url("payments")))
    assert path["dbname"] == "ledger"
    # of settings that are given twice, the last one counts
    found = str(path["options"]).split("search_path=")
    assert found[-1].split()[0] == "payments"
    ledger = str(conninfo_to_dict(outbox_urls(seen)["canary@ledger"])["options"])
    assert ledger == "-c search_path=canary"
    assert "options" not in conninfo_to_dict(seen.main.url(OWNER))


def test_connectors_are_told_apart_by_all_that_they_leave_behind() -> None:
    deployment = load_settings(databases="payments=ledger").deployment()
    configs = [render(connector_settings(deployment, each)) for each in deployment.shards]
    for key in ("name", "slot.name", "topic.prefix", "database.dbname"):
        assert len({config[key] for config in configs}) == 2
    same = {key for key in configs[0] if configs[0][key] == configs[1][key]}
    assert {"publication.name", "database.hostname", "database.user"} <= same


@pytest.mark.parametrize(
    ("databases", "words"),
    [
        ("payment=ledger", "names the context 'payment', which is none: there are loyalty, orders"),
        ("canary=ledger", "names the context 'canary', which is none"),
        ("tailrace_relay=ledger", "names the context 'tailrace_relay', which is none"),
        ("payments=a,payments=b", "gives the context payments more than one database"),
        ("payments=a,payments=a", "gives the context payments more than one database"),
        ("payments", "has the part 'payments': write context=database"),
        ("payments=", "has the part 'payments='"),
        ("payments=Ledger", "names a database 'Ledger': use lower-case"),
        ("payments=le-dger", "names a database 'le-dger'"),
        ("payments=main", "names a database 'main'"),
        ("payments=registry", "names a database 'registry'"),
        (f"payments={'a' * 31}", "names a database 'a+': .* 30 at most"),
    ],
)
def test_what_cannot_be_is_told(databases: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        load_settings(databases=databases)
    assert refused.value.exit_code == 2
    with pytest.raises(DeploymentError, match=words):
        house(tmp_path, TAILRACE_DATABASES=databases)


def test_two_captures_cannot_share_a_database(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="gives tailrace and main one database"):
        load_settings(databases="payments=tailrace")
    with pytest.raises(DeploymentError, match="gives b and a one database, x at db:5432"):
        house(
            tmp_path,
            TAILRACE_DATABASES="payments=a,shipping=b",
            TAILRACE_DATABASE_A_NAME="x",
            TAILRACE_DATABASE_B_NAME="x",
        )


def test_what_does_not_go_with_several_databases_is_told() -> None:
    with pytest.raises(SettingsError, match="the compose file has one database"):
        load_settings(databases="payments=ledger", stack="containers")


def test_a_relay_is_told_of_every_database(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = environment_of(RELAY_SERVICE, load_settings().deployment())
    assert "TAILRACE_RELAY_DATABASES" not in alone
    several = load_settings(databases="payments=ledger,shipping=sales", publisher="relay")
    for name, value in environment_of(RELAY_SERVICE, several.deployment()).items():
        monkeypatch.setenv(name, value)
    relays = RelaySettings().of_each_database()
    found = [each.database_url.partition("?")[0].rpartition("/")[2] for each in relays]
    assert found == ["tailrace", "ledger", "sales"]
    assert {each.kafka_bootstrap for each in relays} == {several.kafka_bootstrap}


def test_a_file_says_where_a_database_is_and_the_environment_wins(tmp_path: Path) -> None:
    found = house(
        tmp_path,
        TAILRACE_DATABASES="payments=ledger",
        TAILRACE_DATABASE_LEDGER_HOST="db2",
        TAILRACE_DATABASE_LEDGER_PORT="6432",
        TAILRACE_DATABASE_LEDGER_CONNECTOR_HOST="db2.inside",
    )
    assert "@db2:6432/ledger?" in found.database_url("payments")
    connector = connector_settings(found, found.find_shard("ledger"))
    assert (connector.host, connector.port, connector.database) == ("db2.inside", 6432, "ledger")
    file = tmp_path / "house.toml"
    lines = [
        f"{name.removeprefix('TAILRACE_').lower()} = {value!r}" for name, value in HOUSE.items()
    ]
    lines += ["password_files = 'passfile'", "state = 'state'", "[databases.books]"]
    file.write_text("\n".join([*lines, "contexts = ['shipping']", "name = 'b'"]))
    read = read_deployment(str(file), {})
    assert read.capture_of("shipping").database.name == "b"
    moved = read_deployment(str(file), {"TAILRACE_DATABASES": "payments=ledger"})
    assert [each.name for each in moved.captures] == ["main", "ledger"]


def test_a_variable_of_a_database_that_nobody_names_is_told(tmp_path: Path) -> None:
    for wrong in ("TAILRACE_DATABASE_LEGDER_HOST", "TAILRACE_DATABASE_LEDGERS_PASSWORD_FILES"):
        with pytest.raises(DeploymentError, match=f"{wrong} is set, and databases name none"):
            house(tmp_path, TAILRACE_DATABASES="payments=ledger", **{wrong: "x"})
    main = house(tmp_path, TAILRACE_DATABASE_SSLMODE="prefer", TAILRACE_DATABASE_NAME="x").database
    assert (main.name, main.tls) == ("x", {"sslmode": "prefer"})


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("[databases.a]\ncontexts = 1", r"databases\.a\.contexts in .* should be a valid list"),
        ("[databases.a]\nhots = 'x'", r"databases\.a\.hots in .* is no key of a deployment"),
        ("[databases]\na = 1", r"databases\.a in .* cannot be used"),
        ("databases = 'payments=a'", r"databases in .* cannot be used"),
        ("[databases.a]\nconnector_password = 'hunter2'", "must be a reference"),
    ],
)
def test_a_bad_table_is_told_by_its_key(lines: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "house.toml"
    known = "\n".join(f"{k.removeprefix('TAILRACE_').lower()} = {v!r}" for k, v in HOUSE.items())
    file.write_text(f"{known}\npassword_files = 'p'\nstate = 's'\n{lines}")
    with pytest.raises(DeploymentError, match=words) as refused:
        read_deployment(str(file), {})
    assert "hunter2" not in str(refused.value)


def test_missing_credentials_and_unknown_captures_are_told(tmp_path: Path) -> None:
    found = house(
        tmp_path,
        TAILRACE_DATABASES="payments=ledger",
        TAILRACE_DATABASE_LEDGER_PASSWORD_FILES=str(tmp_path / "none"),
    )
    assert found.database_url("orders")
    with pytest.raises(DeploymentError, match="for the role payments, which cannot be read"):
        found.database_url("payments")
    with pytest.raises(DeploymentError, match="no capture ledgers; there are main, ledger"):
        found.find_shard("ledgers")


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    [port] = [next(port for port in own_ports() if port_is_free(port))]
    deployment = house(
        tmp_path,
        TAILRACE_DATABASES="payments=ledger",
        TAILRACE_DATABASE_LEDGER_HOST="127.0.0.1",
        TAILRACE_DATABASE_LEDGER_PORT=str(port),
    )
    only_ledger = replace(deployment, captures=deployment.captures[1:])
    with pytest.raises(HomeError, match=f"ledger at 127.0.0.1:{port} cannot be asked") as refused:
        require_at_home(only_ledger)
    assert "correct its address in databases" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "listed", "missing"),
    [
        ("Datenbank »ledger« existiert nicht", False, True),
        ("Verbindung abgelehnt", True, False),
        ("Verbindung abgelehnt", None, False),
        ('database "ledger" does not exist', None, True),
    ],
)
def test_a_database_that_is_missing_is_known_in_every_language(
    monkeypatch: pytest.MonkeyPatch, *, said: str, listed: bool | None, missing: bool
) -> None:
    [_, ledger] = load_settings(databases="payments=ledger").captures

    class Asked:
        def execute(self, query: str, names: list[str]) -> "Asked":
            assert names == ["ledger"]
            return self

        def fetchone(self) -> tuple[()] | None:
            return () if listed else None

    def answer(url: str, **_options: Any) -> AbstractContextManager[Asked]:
        if urlsplit(url).path == "/postgres" and listed is not None:
            return nullcontext(Asked())
        raise psycopg.OperationalError(f"FATAL:  {said}")

    for module in (database, moving_marks, sharding_marks):
        monkeypatch.setattr(module, "connect", answer)
    only: Any = SimpleNamespace(captures=(ledger,))
    if missing:
        assert holders(only, ("payments",)) == {"payments": []}
        assert sharding_marks.dealt(ledger) is None
    else:
        with pytest.raises(HomeError, match="cannot be asked"):
            holders(only, ("payments",))
        with pytest.raises(psycopg.OperationalError):
            sharding_marks.dealt(ledger)


def test_services_are_told_of_a_broker_by_its_address_of_ipv6(tmp_path: Path) -> None:
    deployment = house(tmp_path, TAILRACE_KAFKA_BOOTSTRAP="[::1]:9092")
    for service in SERVICES:
        if service.kind == "consumer":
            kind = import_module(f"{service.package}.bootstrap").Settings
            assert settings_of(service, kind, deployment).kafka_bootstrap == "[::1]:9092"


OLD, NEW, OTHER = (
    replace(each, source=None)
    for each in load_settings(databases="payments=new,shipping=other").captures
)
ALIVE, COPY, MOVED = "", "copy of tailrace", "moved to new"


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ([Held(OLD, ALIVE)], (OLD, False)),
        ([Held(OLD, ALIVE), Held(NEW, COPY)], (OLD, False)),
        ([Held(OLD, MOVED), Held(NEW, COPY)], (OLD, True)),
        ([Held(OLD, MOVED), Held(NEW, ALIVE)], (OLD, True)),
        ([Held(OLD, MOVED), Held(OTHER, ALIVE)], (OTHER, False)),
        ([Held(OLD, ALIVE), Held(NEW, ALIVE)], "has a schema payments that no move has made"),
        ([Held(OLD, ALIVE), Held(OTHER, ALIVE)], "nobody can tell which count"),
        ([Held(NEW, ALIVE)], "no other database has tables"),
        ([Held(OLD, MOVED)], "no other database has tables"),
        ([], "no other database has tables"),
    ],
)
def test_the_databases_tell_what_is_left_to_do(
    held: list[Held], found: tuple[Capture, bool] | str
) -> None:
    if isinstance(found, str):
        with pytest.raises(MoveError, match=found):
            plan_of("payments", NEW, held)
    else:
        source, is_moved = found
        assert plan_of("payments", NEW, held) == Plan("payments", source, NEW, is_moved)


@pytest.mark.parametrize(
    ("home", "held", "words"),
    [
        (OLD, [], ""),
        (OLD, [Held(OLD, ALIVE)], ""),
        (NEW, [Held(OLD, MOVED)], ""),
        (NEW, [Held(OLD, MOVED), Held(NEW, ALIVE)], ""),
        (OLD, [Held(OLD, MOVED)], "was moved to new from the database tailrace"),
        (NEW, [Held(OLD, ALIVE)], "`tailrace context move payments` brings it there"),
        (NEW, [Held(OLD, ALIVE), Held(NEW, COPY)], "`tailrace context move payments` brings it"),
        (NEW, [Held(OLD, MOVED), Held(OTHER, ALIVE)], "is in the database other"),
        (NEW, [Held(OLD, MOVED), Held(NEW, COPY)], "has a copy of tailrace that is not finished"),
        (OTHER, [Held(OLD, MOVED)], "was moved to new, and the settings give it other"),
        (OTHER, [Held(OLD, MOVED), Held(OTHER, ALIVE)], "was moved to new, and the settings"),
    ],
)
def test_a_context_is_at_work_only_where_the_databases_say_that_it_is(
    home: Capture, held: list[Held], words: str
) -> None:
    assert words in trouble_of("payments", home, held)
    assert bool(words) == bool(trouble_of("payments", home, held))


def test_a_context_is_moved_only_to_where_the_settings_say() -> None:
    with pytest.raises(RequestError, match=r"TAILRACE_DATABASES=payments=NAME"):
        plan(load_settings().deployment(), "payments")


def test_half_a_copy_is_never_committed(tmp_path: Path) -> None:
    file = tmp_path / "loaded"
    load = ("sh", "-c", f"cat > {file}")
    pump(("sh", "-c", "echo rows"), load, b"commit")
    assert file.read_text() == "begin;\nrows\ncommit"
    with pytest.raises(CopyError, match="pg_dump failed: pg_dump: error: gone"):
        pump(("sh", "-c", "echo rows; echo pg_dump: error: gone >&2; exit 1"), load, b"commit")
    assert file.read_text() == "begin;\nrows\n"
    full = ("sh", "-c", "echo 'ERROR: disk full' >&2; exit 3")
    with pytest.raises(CopyError, match="psql failed: ERROR: disk full"):
        pump(("sh", "-c", "head -c 10000000 /dev/zero"), full, b"commit")
