"""The topic catalogue: what it declares, and what it refuses."""

import time

import pytest

from schemas.catalogue import catalogue, parse
from schemas.contracts import avsc

TOPIC = """
[topics."a.events"]
owner = "a"
aggregate = "a"
partitions = 1
retention_hours = 1
messages = ["a.Happened"]
"""


def replies(owner: str) -> str:
    """Return a topic of replies to a service."""
    return TOPIC.replace("a.events", f"{owner}.replies") + 'kind = "replies"\n'


def test_every_message_of_the_catalogue_has_a_schema_of_its_name() -> None:
    for name in catalogue().messages:
        schema = avsc(name)
        assert f"{schema['namespace']}.{schema['name']}" == name


def test_a_message_leads_to_its_topic() -> None:
    assert catalogue().topic_of("orders.OrderCreated").name == "order.events"


def test_an_unknown_message_is_an_error_that_names_it() -> None:
    with pytest.raises(LookupError, match=r"orders\.OrderEaten"):
        catalogue().topic_of("orders.OrderEaten")


def test_an_event_on_two_topics_is_refused() -> None:
    with pytest.raises(ValueError, match=r"more than one topic of events: a\.Happened"):
        parse(TOPIC + TOPIC.replace("a.events", "b.events"))


def test_a_reply_may_go_to_whoever_has_asked() -> None:
    declared = parse(TOPIC + replies("b") + replies("c"))
    assert [topic.name for topic in declared.topics_of("a.Happened")] == [
        "a.events",
        "b.replies",
        "c.replies",
    ]
    assert declared.messages == ("a.Happened",)
    assert declared.topic_of("a.Happened").name == "a.events"
    assert declared.event_topic_of("a.Happened").name == "a.events"
    assert declared.topic_for("a.Happened", "c.replies").name == "c.replies"
    with pytest.raises(
        ValueError, match=r"is on a\.events and b\.replies and c\.replies, and has to be told"
    ):
        declared.topic_for("a.Happened")
    with pytest.raises(ValueError, match=r"not on d\.replies"):
        declared.topic_for("a.Happened", "d.replies")
    declared.require_replies("b.replies")
    with pytest.raises(
        ValueError, match=r"a\.events is no topic of replies; the catalogue has b\.replies, c"
    ):
        declared.require_replies("a.events")


def test_what_is_a_reply_alone_is_no_event() -> None:
    with pytest.raises(ValueError, match=r"is on b\.replies, which has replies"):
        parse(replies("b")).event_topic_of("a.Happened")


def test_a_command_has_one_receiver() -> None:
    two = '[topics."a.commands".consumers]\none = ["a.DoIt"]\ntwo = ["a.DoIt"]'
    commands = TOPIC.replace("a.events", "a.commands").replace("a.Happened", "a.DoIt")
    with pytest.raises(ValueError, match=r"a\.commands has one receiver, and not one and two"):
        parse(commands + 'kind = "commands"\n' + two)


def test_a_request_is_asked_on_one_topic_and_taken_by_nobody() -> None:
    requests = TOPIC.replace("a.events", "b.requests") + 'kind = "requests"\n'
    read = requests + '[topics."b.requests".consumers]\nb-worker = ["a.Happened"]'
    declared = parse(TOPIC + read)
    topic = declared.request_topic_of("a.Happened")
    assert (topic.name, list(topic.consumers), dict(topic.takers)) == (
        "b.requests",
        ["b-worker"],
        {},
    )
    assert declared.consumers_of("a.Happened") == ("b-worker",)
    with pytest.raises(ValueError, match="one topic of requests, and is on none"):
        parse(TOPIC).request_topic_of("a.Happened")
    with pytest.raises(ValueError, match=r"is on b\.requests and c\.requests"):
        parse(requests + requests.replace("b.", "c.")).request_topic_of("a.Happened")


@pytest.mark.parametrize(
    ("kind", "consumer", "way"),
    [
        ("events", "a-worker", "outbox"),
        ("commands", "a-worker", "outbox"),
        ("replies", "a-worker", "outbox"),
        ("replies", "a", "direct"),
        ("requests", "a-worker", "direct"),
    ],
)
def test_what_goes_past_the_outbox_is_known(kind: str, consumer: str, way: str) -> None:
    name = f"a.{kind}"
    declared = TOPIC.replace("a.events", name) + f'kind = "{kind}"\n'
    read = f'[topics."{name}".consumers]\n{consumer} = ["a.Happened"]'
    assert parse(declared + read).topics[name].is_direct is (way == "direct")


@pytest.mark.parametrize("line", ['owner = "a"', "partitions = 1", 'messages = ["a.Happened"]'])
def test_a_topic_without_a_needed_key_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"a\.events"):
        parse(TOPIC.replace(line, ""))


def test_a_topic_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="retension"):
        parse(TOPIC + "retension = 3")


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("partitions = 1", "partitions = 0", "partitions is not a whole number from 1"),
        ("partitions = 1", "partitions = -6", "partitions is not a whole number from 1"),
        ("partitions = 1", "partitions = true", "partitions is not a whole number from 1"),
        ("partitions = 1", "partitions = 1_000_000_000_000", "partitions is not a whole number"),
        ("hours = 1", "hours = 0", "retention_hours is not a whole number from 1, or -1"),
        ("hours = 1", "hours = -2", "retention_hours is not a whole number from 1, or -1"),
        ("hours = 1", "hours = -1.0", "retention_hours is not a whole number from 1, or -1"),
        ("hours = 1", "hours = 0.5", "retention_hours is not a whole number from 1, or -1"),
        ('owner = "a"', 'owner = ""', "owner is not a text"),
        ('aggregate = "a"', 'aggregate = "  "', "aggregate is not a text"),
        ('["a.Happened"]', '["a.Happened", "a.Happened"]', "messages is not a list of names, each"),
        ("a.events", "a events", "Kafka takes at most 249"),
        ("a.events", "ä.events", "Kafka takes at most 249"),
        ("a.events", "..", "Kafka takes at most 249"),
        ("a.events", "a" * 250, "Kafka takes at most 249"),
    ],
)
def test_a_topic_that_makes_no_sense_is_refused(before: str, after: str, problem: str) -> None:
    assert TOPIC.count(before) == 1
    with pytest.raises(ValueError, match=problem):
        parse(TOPIC.replace(before, after))


def test_a_consumer_handles_a_message_once() -> None:
    with pytest.raises(ValueError, match="consumers is not a table of consumer groups"):
        parse(TOPIC + '[topics."a.events".consumers]\nb = ["a.Happened", "a.Happened"]')


@pytest.mark.parametrize("name", [".a", "a" * 249, "A_b-c.9", "..."])
def test_a_topic_is_called_as_kafka_lets_it(name: str) -> None:
    assert [*parse(TOPIC.replace("a.events", name)).topics] == [name]


def test_a_topic_may_be_kept_for_ever() -> None:
    assert parse(TOPIC.replace("hours = 1", "hours = -1")).topics["a.events"].retention_hours == -1


@pytest.mark.parametrize(
    "table",
    [
        '[message."a.Happened"]\ncompatibility = "NONE"',
        '[topic."b.events"]\nowner = "b"',
        "[limit]\nmessage_bytes = 100_000",
        "[topics_]",
    ],
)
def test_a_table_of_another_name_is_not_passed_over(table: str) -> None:
    with pytest.raises(ValueError, match=r"it takes no .*, but limits, topics, messages"):
        parse(TOPIC + table)
    with pytest.raises(ValueError, match="it takes no version"):
        parse("version = 2\n" + TOPIC)


@pytest.mark.parametrize("given", ['"1MB"', "1e6", "true", "65_535", "[]"])
def test_what_is_no_number_of_bytes_is_refused_at_once(given: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="take message_bytes, from 65536 to 67108864"):
        parse(f"{TOPIC}[limits]\nmessage_bytes = {given}")
    assert time.process_time() - began < 0.5


def test_a_topic_carries_events_unless_it_says_otherwise() -> None:
    assert parse(TOPIC).addressed == frozenset()
    assert parse(TOPIC + 'kind = "commands"').addressed == {"a.events"}
    assert parse(TOPIC + 'kind = "replies"').addressed == {"a.events"}
    with pytest.raises(ValueError, match="kind is not events, commands, requests or replies"):
        parse(TOPIC + 'kind = "wishes"')


def test_a_message_promises_what_the_catalogue_says() -> None:
    said = parse(TOPIC + '[messages."a.Happened"]\ncompatibility = "BACKWARD"')
    assert said.compatibility_of("a.Happened") == "BACKWARD"
    assert parse(TOPIC).compatibility_of("a.Happened") == "FULL_TRANSITIVE"


@pytest.mark.parametrize(
    "table",
    [
        '[messages."a.Happened"]\ncompatibility = "SOMETIMES"',
        '[messages."a.Gone"]\ncompatibility = "NONE"',
    ],
)
def test_an_impossible_promise_is_refused(table: str) -> None:
    with pytest.raises(ValueError, match=r"a\.(Happened|Gone)"):
        parse(TOPIC + table)


def test_a_message_leads_to_those_who_handle_it() -> None:
    found = catalogue().consumers_of("orders.OrderConfirmed")
    assert {"analytics-worker", "inventory-worker"} <= set(found)
    assert len(set(found)) == len(found)
    assert "payments-worker" not in found
    assert catalogue().consumers_of("canary.CanaryEmitted") == ()


def test_a_consumer_of_a_message_that_the_topic_does_not_carry_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.Else"):
        parse(TOPIC + '[topics."a.events".consumers]\nb = ["a.Else"]')
