"""A worker does not start under settings with which it could not keep what it promises, and says why."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import REPOSITORY
from tests.produce import create_topic
from tests.stack import RunningStack

FAILURE = 1
PROGRAM = """
from consumers.runtime import refusals
from tests.workers.ledger import LedgerSettings, create_app
from tests.workers.running import run

refusals.PATIENCE_S = 0

def create(settings):
    return create_app(settings{options})

run(create, LedgerSettings)
"""


@pytest.fixture(scope="module")
def topic(stack: RunningStack) -> str:
    return create_topic(stack, config={"retention.ms": str(36 * 3600 * 1000)})


def refusal(
    stack: RunningStack,
    topic: str,
    directory: Path,
    *,
    options: str = "",
    **variables: str,
) -> str:
    """Start a worker that is expected to refuse, without waiting for topics, and return what it says."""
    environment = {
        **stack.environment,
        "TAILRACE_DATABASE_URL": stack.database_url("analytics"),
        "TAILRACE_KAFKA_BOOTSTRAP": stack.settings.kafka_bootstrap,
        "TAILRACE_REGISTRY_URL": stack.settings.registry_url,
        "TAILRACE_SCHEMA_CACHE": str(stack.settings.schema_cache),
        "TAILRACE_LEDGER_CONSUMER": topic,
        "TAILRACE_LEDGER_TOPICS": json.dumps([topic]),
        "TAILRACE_LEDGER_DIRECTORY": str(directory),
        **variables,
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(options=options)],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == FAILURE, ended.stderr
    assert "Traceback" not in ended.stderr
    warnings, _, said = ended.stderr.partition("cannot start: ")
    assert said, warnings
    return said


EVERYTHING = (
    ", processing_guarantee='exactly_once', value_serializer='pickle', web_enabled=True,"
    " broker_max_poll_interval=300"
)


def test_every_reason_is_told_at_once(stack: RunningStack, topic: str, tmp_path: Path) -> None:
    """Settings of Faust, and an inbox that forgets before Kafka does."""
    told = refusal(stack, topic, tmp_path, options=EVERYTHING, TAILRACE_LEDGER_WINDOW_H="35")
    for reason in (
        "exactly_once is on",
        "A serializer is pickle",
        "/table endpoints",
        "broker_max_poll_interval is 300 s",
        "remembers message ids for 35 hours",
        f"Kafka keeps {topic} for 36 hours",
    ):
        assert reason in told


def test_a_serializer_of_keys(stack: RunningStack, topic: str, tmp_path: Path) -> None:
    told = refusal(stack, topic, tmp_path, options=", key_serializer='binary|pickle'")
    assert "A serializer is pickle" in told
    assert "exactly_once" not in told


def test_what_faust_reads_from_the_environment(
    stack: RunningStack, topic: str, tmp_path: Path
) -> None:
    said = refusal(stack, topic, tmp_path, FAUST_PROCESSING_GUARANTEE="exactly_once")
    assert "exactly_once is on" in said


def test_what_stands_in_the_environment_for_others_is_not_read(
    stack: RunningStack, topic: str, tmp_path: Path
) -> None:
    ambient = {"APP_VERSION": "1.4.2", "BROKER_URL": "kafka://elsewhere:9092"}
    said = refusal(stack, topic, tmp_path, options=", web_enabled=True", **ambient)
    assert said.count("web_enabled") == 1
    assert "elsewhere" not in said


def test_a_topic_that_is_kept_for_ever_asks_for_an_inbox_that_is(
    stack: RunningStack, tmp_path: Path
) -> None:
    kept = create_topic(stack, config={"retention.ms": "-1"})
    assert "None for ever" in refusal(stack, kept, tmp_path)


def test_a_topic_that_is_not_there(stack: RunningStack, tmp_path: Path) -> None:
    assert "no-such-topic" in refusal(stack, "no-such-topic", tmp_path)
