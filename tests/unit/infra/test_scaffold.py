"""What a new context is written as, and what cannot be one."""

import tomllib

import pytest

from infra.scaffold import NewContext, ScaffoldError, written
from infra.scaffold.catalogue import with_consumer, with_message
from infra.settings import REPOSITORY

CATALOGUE = (REPOSITORY / "schemas/catalogue.toml").read_text()


@pytest.mark.parametrize(
    ("name", "consumes", "emits", "sentence"),
    [
        ("orders", ["orders.OrderCreated"], [], "The name orders is taken"),
        ("runtime", ["orders.OrderCreated"], [], "The name runtime is taken"),
        ("postgres", ["orders.OrderCreated"], [], "The name postgres is taken"),
        ("pg_stock", ["orders.OrderCreated"], [], "cannot be a context"),
        ("class", ["orders.OrderCreated"], [], "cannot be a context"),
        ("../stock", ["orders.OrderCreated"], [], "cannot be a context"),
        ("Stock", ["orders.OrderCreated"], [], "cannot be a context"),
        ("stock", [], [], "Say what it consumes"),
        ("stock", ["orders.OrderCreate"], [], "no message orders.OrderCreate;"),
        ("stock", ["orders.OrderCreated"], ["orders.X"], "no event of stock"),
        ("stock", ["orders.OrderCreated"], ["stock.x"], "no event of stock"),
        ("stock", ["orders.OrderCreated"] * 2, [], "name each once"),
        ("stock", ["orders.OrderCreated"], ["stock.OrderCreated"], "name each once"),
    ],
)
def test_what_cannot_be_is_refused(
    name: str, consumes: list[str], emits: list[str], sentence: str
) -> None:
    with pytest.raises(ScaffoldError, match=sentence) as raised:
        written(NewContext(name=name, consumes=consumes, emits=emits), REPOSITORY)
    assert raised.value.exit_code == 2


def test_the_catalogue_keeps_its_comments_and_everything_else() -> None:
    text = with_message(CATALOGUE, "stock.events", "stock", "stock.ItemsReserved")
    text = with_message(text, "stock.events", "stock", "stock.ReservationFailed")
    for message in ("orders.OrderCreated", "orders.OrderConfirmed"):
        text = with_consumer(text, "order.events", "stock-worker", message)
    text = with_consumer(text, "canary.events", "stock-worker", "canary.CanaryEmitted")
    text = with_consumer(text, "stock.events", "stock-worker", "stock.ItemsReserved")
    topics, before = tomllib.loads(text)["topics"], tomllib.loads(CATALOGUE)["topics"]
    assert topics.pop("stock.events") == {
        "owner": "stock",
        "aggregate": "stock",
        "partitions": 6,
        "retention_hours": 168,
        "messages": ["stock.ItemsReserved", "stock.ReservationFailed"],
        "consumers": {"stock-worker": ["stock.ItemsReserved"]},
    }
    consumers = topics["order.events"]["consumers"]
    assert consumers.pop("stock-worker") == ["orders.OrderCreated", "orders.OrderConfirmed"]
    canary = topics["canary.events"]
    assert canary["consumers"].pop("stock-worker") == ["canary.CanaryEmitted"]
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
