"""The gate on topics: messages that are on several, and what may change of a topic that carries some."""

from pathlib import Path

import pytest

from schemas.gate import tree
from schemas.gate.baseline import from_git
from schemas.gate.impact import impact
from tests.unit.schemas.gate.contract_repository import CATALOGUE, ContractRepository

CANCELLED = "avro/orders/OrderCancelled.avsc"
ANSWERS = """
[topics."{name}.replies"]
kind = "replies"
owner = "{name}"
aggregate = "order"
partitions = 6
retention_hours = 24
messages = ["orders.OrderCancelled"{more}]

[topics."{name}.replies".consumers]
{name}-worker = ["orders.OrderCancelled"]
"""
SAGA, DESK = (ANSWERS.format(name=name, more="") for name in ("saga", "desk"))
BOTH = CATALOGUE + SAGA
NOWHERE = "gets no more of it"


@pytest.fixture
def repository(tmp_path: Path) -> ContractRepository:
    return ContractRepository.make(tmp_path / "clone")


def changed(repository: ContractRepository, before: str, after: str) -> list[tuple[str, str]]:
    """Return rules and problems of a catalogue that takes the place of another."""
    repository.write("catalogue.toml", before)
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "Before")
    repository.write("catalogue.toml", after)
    return [(each.rule, each.problem) for each in repository.check().findings]


def withdrawn(*messages: str) -> str:
    return "".join(f'\n[messages."{each}"]\ncompatibility = "NONE"\n' for each in messages)


def without_cancelled(text: str) -> str:
    return text.replace(', "orders.OrderCancelled"]', "]")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(BOTH, SAGA + CATALOGUE, id="another order of the file"),
        pytest.param(CATALOGUE, BOTH, id="answers a saga besides"),
        pytest.param(CATALOGUE, SAGA + DESK + CATALOGUE, id="answers two besides"),
    ],
)
def test_a_message_that_stays_where_it_was_did_not_move(
    repository: ContractRepository, before: str, after: str
) -> None:
    assert changed(repository, before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "problems"),
    [
        pytest.param(
            BOTH,
            CATALOGUE,
            [
                "no longer on saga.replies; as deployed, saga-worker waits for it in saga.replies and "
                + NOWHERE
            ],
            id="answers alone",
        ),
        pytest.param(
            BOTH,
            without_cancelled(BOTH),
            [
                "no longer on order.events; as deployed, analytics-worker waits for it in order.events and "
                + NOWHERE
            ],
            id="events alone",
        ),
        pytest.param(
            BOTH + DESK,
            CATALOGUE,
            [
                f"no longer on {name}.replies; as deployed, {name}-worker waits for it in {name}.replies and {NOWHERE}"
                for name in ("saga", "desk")
            ],
            id="both answers",
        ),
        pytest.param(
            BOTH,
            CATALOGUE + DESK,
            [
                (
                    "moved from saga.replies to desk.replies; as deployed, saga-worker waits for it in saga.replies "
                    f"and {NOWHERE}, and its events are no longer in one order with the others"
                )
            ],
            id="to another who asks",
        ),
    ],
)
def test_each_topic_that_carries_a_message_no_longer_is_told(
    repository: ContractRepository, before: str, after: str, problems: list[str]
) -> None:
    assert changed(repository, before, after) == [("message-moved", each) for each in problems]
    assert changed(repository, before, after + withdrawn("orders.OrderCancelled")) == []
    assert [f"orders.OrderCancelled {each}." for each in problems] == [
        note for note in repository.check().notes if "promised" not in note
    ]


def test_a_message_that_goes_is_missed_on_each_of_its_topics(
    repository: ContractRepository,
) -> None:
    kept = DESK.replace("orders.OrderCancelled", "orders.OrderCreated")
    (repository.schemas / CANCELLED).unlink()
    found = changed(repository, BOTH, without_cancelled(CATALOGUE) + kept)
    assert found[0] == (
        "message-removed",
        (
            "the message was removed; order.events keeps its events for 168 h and saga.replies keeps its events for 24 "
            "h, and they are handled by analytics-worker and saga-worker"
        ),
    )


def test_impact_names_the_readers_of_each_topic(repository: ContractRepository) -> None:
    changed(repository, SAGA + CATALOGUE, SAGA + CATALOGUE)
    repository.add_field('{"name": "note", "type": "string", "default": ""}', CANCELLED)
    found = impact(tree.read(repository.schemas), from_git(repository.schemas, "main"))
    assert [(each.topic, [one.consumer for one in each.effects]) for each in found] == [
        ("saga.replies", ["saga-worker"]),
        ("order.events", ["analytics-worker"]),
    ]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (
            'kind = "replies"',
            'kind = "requests"',
            "topic-kind-changed: it had replies and now has requests",
        ),
        ('kind = "replies"\n', "", "topic-kind-changed: it had replies and now has events"),
        (
            "partitions = 6",
            "partitions = 5",
            "topic-partitions-reduced: partitions were reduced from 6 to 5",
        ),
    ],
)
def test_what_a_topic_is_stays_unless_its_messages_promise_nothing(
    repository: ContractRepository, before: str, after: str, found: str
) -> None:
    alone = without_cancelled(CATALOGUE)
    old, new = alone + SAGA, alone + SAGA.replace(before, after)
    [(rule, problem)] = changed(repository, old, new)
    assert f"{rule}: {problem}".startswith(found)
    [finding] = repository.check().findings
    assert finding.file == "schemas/catalogue.toml"
    assert new.splitlines()[(finding.line or 0) - 1] == '[topics."saga.replies"]'
    assert changed(repository, old, new + withdrawn("orders.OrderCancelled")) == []
    assert any(
        note.startswith(f"saga.replies: {problem}. Leave") for note in repository.check().notes
    )


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        (
            "partitions = 6",
            "partitions = 12",
            (
                "order.events: partitions were raised from 6 to 12; keys move to other ones by that. Stop its writers "
                "and let its consumers come to the end before `tailrace topics apply --add-partitions`."
            ),
        ),
        (
            'owner = "orders"',
            'owner = "shop"',
            "order.events: owner was orders and is shop; its messages come from",
        ),
        (
            'aggregate = "order"',
            'aggregate = "basket"',
            "order.events: aggregate was order and is basket; keys",
        ),
    ],
)
def test_what_is_done_with_care_passes_and_is_told(
    repository: ContractRepository, before: str, after: str, note: str
) -> None:
    assert changed(repository, CATALOGUE, CATALOGUE.replace(before, after)) == []
    [told] = repository.check().notes
    assert told.startswith(note)


def test_a_topic_that_carried_nothing_may_become_anything(repository: ContractRepository) -> None:
    empty = SAGA.replace('"orders.OrderCancelled"', "").replace("saga-worker = []", "")
    other = empty.replace('"replies"', '"commands"').replace("partitions = 6", "partitions = 1")
    assert changed(repository, CATALOGUE + empty, CATALOGUE + other) == []
    assert repository.check().notes == ()
