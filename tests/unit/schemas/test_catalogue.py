"""The topic catalogue: what it declares, and what it refuses."""

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


def test_every_message_of_the_catalogue_has_a_schema_of_its_name() -> None:
    for name in catalogue().messages:
        schema = avsc(name)
        assert f"{schema['namespace']}.{schema['name']}" == name


def test_a_message_leads_to_its_topic() -> None:
    assert catalogue().topic_of("orders.OrderCreated").name == "order.events"


def test_an_unknown_message_is_an_error_that_names_it() -> None:
    with pytest.raises(LookupError, match=r"orders\.OrderEaten"):
        catalogue().topic_of("orders.OrderEaten")


def test_a_message_on_two_topics_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.Happened"):
        parse(TOPIC + TOPIC.replace("a.events", "b.events"))


@pytest.mark.parametrize("line", ['owner = "a"', "partitions = 1", 'messages = ["a.Happened"]'])
def test_a_topic_without_a_needed_key_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"a\.events"):
        parse(TOPIC.replace(line, ""))


def test_a_topic_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="retension"):
        parse(TOPIC + "retension = 3")


def test_a_topic_carries_events_unless_it_says_commands() -> None:
    assert parse(TOPIC).kind_of("a.events") == "events"
    assert parse(TOPIC + 'kind = "commands"').kind_of("a.events") == "commands"
    assert parse(TOPIC).kind_of("copy-of-a.events") == "events"
    with pytest.raises(ValueError, match="kind is not events or commands"):
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
    assert catalogue().consumers_of("orders.OrderConfirmed") == ("analytics-worker",)
    assert catalogue().consumers_of("canary.CanaryEmitted") == ()


def test_a_consumer_of_a_message_that_the_topic_does_not_carry_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.Else"):
        parse(TOPIC + '[topics."a.events".consumers]\nb = ["a.Else"]')
