"""What a new context is written as, and what cannot be one."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from infra.scaffold import NewContext, ScaffoldError, written
from infra.scaffold.asked import KINDS, Kind
from infra.scaffold.catalogue import with_consumer, with_message
from infra.settings import REPOSITORY
from schemas.catalogue import catalogue

LONG_NAMES = ("a" + 30 * "b" + "c", "abcdefg_" * 3 + "abcdefgh", "a_" * 13 + "a")
LONG_EVENT = "SomethingHasHappenedToSomebodyWhoDidNotExpectItAtAll"
ALEMBIC_KEEPS = 32  # characters of a revision
CATALOGUE = (REPOSITORY / "schemas/catalogue.toml").read_text()


@pytest.mark.parametrize(
    ("name", "consumes", "emits", "sentence"),
    [
        ("orders", ["orders.OrderCreated"], [], "The name orders is taken"),
        ("runtime", ["orders.OrderCreated"], [], "The name runtime is taken"),
        ("postgres", ["orders.OrderCreated"], [], "The name postgres is taken"),
        ("console", ["orders.OrderCreated"], [], "The name console is taken"),
        ("connect_2", ["orders.OrderCreated"], [], "The name connect_2 is taken"),
        ("pg_ferry", ["orders.OrderCreated"], [], "cannot be a context"),
        ("class", ["orders.OrderCreated"], [], "cannot be a context"),
        ("filter", ["orders.OrderCreated"], [], "cannot be a context"),
        ("hash", ["orders.OrderCreated"], [], "cannot be a context"),
        ("type", ["orders.OrderCreated"], [], "cannot be a context"),
        ("../ferry", ["orders.OrderCreated"], [], "cannot be a context"),
        ("Ferry", ["orders.OrderCreated"], [], "cannot be a context"),
        ("ferry", [], [], "Say what it consumes"),
        ("ferry", ["orders.OrderCreate"], [], "no message orders.OrderCreate;"),
        ("ferry", ["orders.OrderCreated"], ["orders.X"], "no event of ferry"),
        ("ferry", ["orders.OrderCreated"], ["ferry.x"], "no event of ferry"),
        ("ferry", ["orders.OrderCreated"] * 2, [], "name each once"),
        ("ferry", ["orders.OrderCreated"], ["ferry.OrderCreated"], "name each once"),
        ("ferry", ["orders.OrderCreated"], ["ferry.Settings"], "Settings is what something else"),
        ("stack", ["orders.OrderCreated"], [], "tests/integration/test_stack.py is there already"),
        ("consumers", ["orders.OrderCreated"], [], "The name consumers is taken"),
        ("information_schema", ["orders.OrderCreated"], [], "is taken"),
        ("ferry", ["shipping.CreateShipment"], [], "one of the commands to shipping"),
        ("ferry", ["reports.MakeReport"], [], "one of the commands to reports"),
        ("ferry", ["inventory.GetStock"], [], "one of the requests to inventory"),
        ("ferry", ["inventory.Stock"], [], "one of the replies to storefront"),
        ("ferry", ["orders.OrderCreated"], ["ferry.UUID"], "UUID is what something else"),
        ("ferry", ["orders.OrderCreated"], ["ferry.Never"], "Never is what something else"),
        ("ferry", ["orders.OrderCreated"], ["ferry.None"], "None is what something else"),
        ("ferry", ["orders.OrderCreated"], ["ferry.KeyError"], "KeyError is what something else"),
    ],
)
def test_what_cannot_be_is_refused(
    name: str, consumes: list[str], emits: list[str], sentence: str
) -> None:
    with pytest.raises(ScaffoldError, match=sentence) as raised:
        written(NewContext(name=name, consumes=consumes, emits=emits), REPOSITORY)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "consumes", "emits", "sentence"),
    [
        ("storefront", [], ["storefront.Opened"], "The name storefront is taken"),
        ("fields", [], ["fields.Added"], "The name fields is taken"),
        ("kafka", [], ["kafka.Added"], "The name kafka is taken"),
        ("ferry", [], [], "Say what it tells of: --emits ferry.EntryAdded"),
        ("ferry", ["orders.OrderCreated"], ["ferry.Added"], "leave --consumes out"),
        ("ferry", [], ["orders.Added"], "no event of ferry"),
        ("ferry", [], ["ferry.Entry"], "Entry is what something else in a context is called"),
        ("webhooks_worker", [], ["webhooks_worker.Added"], "webhooks-worker of its service is"),
        ("reports_worker_2", [], ["reports_worker_2.Added"], "reports-worker-2 of its service is"),
        ("workers_2", [], ["workers_2.Added"], "workers-2 of its service is taken"),
        ("connector", [], ["connector.Added"], "connector of its service is taken"),
    ],
)
def test_what_cannot_be_a_rest_service_is_refused(
    name: str, consumes: list[str], emits: list[str], sentence: str
) -> None:
    asked = NewContext(name=name, kind="rest", consumes=consumes, emits=emits)
    with pytest.raises(ScaffoldError, match=sentence):
        written(asked, REPOSITORY)


@pytest.mark.parametrize(
    ("name", "consumes", "emits", "sentence"),
    [
        ("loyalty", [], [], "The name loyalty is taken"),
        ("grpc", [], [], "The name grpc is taken"),
        ("google", [], [], "The name google is taken"),
        ("orders_worker", [], [], "orders-worker of its service is taken"),
        ("relay_2", [], [], "relay-2 of its service is taken"),
        ("ferry", ["orders.OrderCreated"], [], "neither consumes nor emits"),
        ("ferry", [], ["ferry.Added"], "neither consumes nor emits"),
    ],
)
def test_what_cannot_be_a_grpc_service_is_refused(
    name: str, consumes: list[str], emits: list[str], sentence: str
) -> None:
    asked = NewContext(name=name, kind="grpc", consumes=consumes, emits=emits)
    with pytest.raises(ScaffoldError, match=sentence):
        written(asked, REPOSITORY)


def test_a_grpc_service_is_called_in_its_proto_as_protos_have_it() -> None:
    asked = NewContext(name="price_list", kind="grpc", consumes=[], emits=[])
    files = {str(path): text for path, text in written(asked, REPOSITORY).items()}
    proto = files["schemas/proto/tailrace/price_list/v1/price_list.proto"]
    assert "package tailrace.price_list.v1;" in proto
    assert "service PriceListService {" in proto
    assert 'name="price-list"' in files["producers/price_list/service.py"]
    assert "schemas/catalogue.toml" not in files


def test_a_rest_service_is_called_in_words_with_hyphens_and_all_its_events_are_declared() -> None:
    emits = ["price_list.Opened", "price_list.Closed"]
    asked = NewContext(name="price_list", kind="rest", consumes=[], emits=emits)
    files = {str(path): text for path, text in written(asked, REPOSITORY).items()}
    assert 'name="price-list"' in files["producers/price_list/service.py"]
    assert '"/price-list/{entry_id}"' in files["producers/price_list/v1.py"]
    assert "events=[Closed, Opened]" in files["producers/price_list/bootstrap.py"]
    assert "event = Opened(" in files["producers/price_list/handlers.py"]


def test_the_catalogue_keeps_its_comments_and_everything_else() -> None:
    text = with_message(CATALOGUE, "ferry.events", "ferry", "ferry.ItemsReserved")
    text = with_message(text, "ferry.events", "ferry", "ferry.ReservationFailed")
    for message in ("orders.OrderCreated", "orders.OrderConfirmed"):
        text = with_consumer(text, "order.events", "ferry-worker", message)
    text = with_consumer(text, "canary.events", "ferry-worker", "canary.CanaryEmitted")
    text = with_consumer(text, "ferry.events", "ferry-worker", "ferry.ItemsReserved")
    topics, before = tomllib.loads(text)["topics"], tomllib.loads(CATALOGUE)["topics"]
    assert topics.pop("ferry.events") == {
        "owner": "ferry",
        "aggregate": "ferry",
        "partitions": 6,
        "retention_hours": 168,
        "messages": ["ferry.ItemsReserved", "ferry.ReservationFailed"],
        "consumers": {"ferry-worker": ["ferry.ItemsReserved"]},
    }
    consumers = topics["order.events"]["consumers"]
    assert consumers.pop("ferry-worker") == ["orders.OrderCreated", "orders.OrderConfirmed"]
    canary = topics["canary.events"]
    assert canary["consumers"].pop("ferry-worker") == ["canary.CanaryEmitted"]
    if not canary["consumers"]:
        del canary["consumers"]
    assert topics == before
    added = [line for line in text.splitlines() if line not in CATALOGUE.splitlines()]
    assert len(text.splitlines()) - len(CATALOGUE.splitlines()) <= len(added) + 8
    comments = [line for line in CATALOGUE.splitlines() if line.startswith("#")]
    assert comments == [line for line in text.splitlines() if line.startswith("#")]


def test_a_list_over_several_lines_grows() -> None:
    text = '[topics."a.events"]\nmessages = [\n    "a.B",\n    "a.C",\n]\n\n[topics."b.events"]\nmessages = []\n'
    for topic, owner, message in (("a.events", "a", "a.D"), ("b.events", "b", "b.E")):
        text = with_message(text, topic, owner, message)
    topics = tomllib.loads(text)["topics"]
    assert topics["a.events"]["messages"] == ["a.B", "a.C", "a.D"]
    assert topics["b.events"]["messages"] == ["b.E"]


@pytest.mark.parametrize(
    ("topic", "owner"),
    [
        (topic.name, topic.owner)
        for topic in catalogue().topics.values()
        if topic.name.endswith(".events") and topic.owner != topic.name.removesuffix(".events")
    ],
)
def test_nobody_begins_on_the_topic_of_somebody_else(topic: str, owner: str) -> None:
    name = topic.removesuffix(".events")
    asked = NewContext(
        name=name, consumes=["orders.OrderCreated"], emits=[f"{name}.SomethingHappened"]
    )
    with pytest.raises(ScaffoldError, match=f"{topic} is the topic of {owner}"):
        written(asked, REPOSITORY)


def new(name: str, kind: Kind) -> dict[str, str]:
    consumes = ["users.UserSignedUp", "orders.OrderCreated"] if kind == "consumer" else []
    emits = [] if kind == "grpc" else [f"{name}.Began", f"{name}.{LONG_EVENT}"]
    asked = NewContext(name=name, kind=kind, consumes=consumes, emits=emits)
    return {str(path): text for path, text in written(asked, REPOSITORY).items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["check", "window", "analyze"])
def test_a_context_may_be_called_like_a_word_of_sql(name: str, kind: Kind) -> None:
    bare = re.compile(rf"\b(into|update|from|join|table|on|to) {name}\b(?!_)(?!\.\w+ import)")
    for path, text in new(name, kind).items():
        code = text.partition('"""\n')[2] if path.endswith(".py") else text
        if path.endswith((".py", ".sql")):
            assert not bare.search(code), path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LONG_NAMES)
def test_what_a_context_of_a_long_name_begins_with_passes_lint(
    name: str, kind: Kind, tmp_path: Path
) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for path, text in new(name, kind).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        if "/migrations/" in path:
            [revision] = re.findall(r'^revision = "(.*)"$', text, re.MULTILINE)
            assert len(revision) <= ALEMBIC_KEEPS
    for package in ("schemas", "cdc", "producers", "consumers", "infra", "tests"):
        (tmp_path / package).mkdir(exist_ok=True)
    ruff = [sys.executable, "-m", "ruff"]
    for command in (
        ["check", "--quiet", "--fix", "--select", "I", "."],
        ["format", "--quiet", "."],
        ["check", "--output-format", "concise", "--extend-ignore", "INP001", "."],
    ):
        done = subprocess.run(
            [*ruff, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
