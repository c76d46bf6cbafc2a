"""Tables that shared packages keep in the schema of a service are told apart from those of the service itself."""

import re
from importlib import resources

import pytest

from cdc.sql import load_queries

DDL = (
    "cdc.event_log.ddl",
    "consumers.runtime.ddl",
    "consumers.sagas.ddl",
    "producers.rest.migrations",
)
CREATED = re.compile(r"^create (?:unlogged )?table (\w+)", re.MULTILINE)
PASSING = frozenset({"inbox_earlier", "inbox_whole"})
"""Tables that a migration makes for itself."""


def kept() -> set[str]:
    texts = (
        file.read_text()
        for package in DDL
        for file in resources.files(package).iterdir()
        if file.name.endswith(".sql")
    )
    return {name for text in texts for name in CREATED.findall(text)} - PASSING


@pytest.mark.parametrize(
    ("package", "query"), [("consumers.replay", "own_tables"), ("consumers.testing", "tables")]
)
def test_no_table_of_a_shared_package_is_taken_for_one_of_the_service(
    package: str, query: str
) -> None:
    told_apart = load_queries(package)[query].decode()
    assert kept() >= {"inbox", "saga_lock", "saga_unlock", "kept_answer", "aggregate_snapshot"}
    assert {name for name in kept() if f"'{name}'" not in told_apart} == set()
