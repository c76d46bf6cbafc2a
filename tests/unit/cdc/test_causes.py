"""The first cause of a failure, in one line that may be shown."""

import time

import httpx2
import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException

from cdc import causes

TOO_LARGE = """\
org.apache.kafka.connect.errors.ConnectException: Unrecoverable exception from producer send callback
\tat org.apache.kafka.connect.runtime.WorkerSourceTask.maybeThrowProducerSendException(WorkerSourceTask.java:282)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: org.apache.kafka.common.errors.RecordTooLargeException: The message is 1048901 bytes when serialized which \
is larger than 1048576, which is the value of the max.request.size configuration.
"""
FIELD = """\
org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler
\tat org.apache.kafka.connect.runtime.errors.RetryWithToleranceOperator.execAndHandleError(Retry.java:260)
\tSuppressed: java.lang.IllegalStateException: noise
\t\tat a.B.c(B.java:1)
\tCaused by: java.lang.IllegalStateException: of what was suppressed
\t... 12 more
Caused by: org.apache.kafka.connect.errors.DataException: traceparent is not a valid field name
\tat org.apache.kafka.connect.data.Struct.lookupField(Struct.java:254)
\t... 13 more
"""
SLOT = """\
io.debezium.DebeziumException: Failed to start
\tat io.debezium.A.b(A.java:1)
Caused by: org.postgresql.util.PSQLException: ERROR: replication slot "tailrace_outbox" does not exist
  Detail: the second line
  Where: the third
\tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2736)
\t... 2 more
"""
SILENT = """\
io.debezium.DebeziumException: Failed to start
\tat io.debezium.A.b(A.java:1)
Caused by: org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend.
\tat a.B.c(B.java:1)
Caused by: java.io.EOFException
\tat a.B.c(B.java:1)
"""


@pytest.mark.parametrize(
    ("trace", "begins", "advice"),
    [
        (TOO_LARGE, "RecordTooLargeException: The message is 1048901 bytes", "message_bytes"),
        (FIELD, "DataException: traceparent is not a valid field name", "put back the column"),
        (SLOT, 'PSQLException: ERROR: replication slot "tailrace_outbox" does not', "recover`"),
        (SILENT, "EOFException: PSQLException: An I/O error occurred", ""),
        ("java.lang.OutOfMemoryError", "OutOfMemoryError", ""),
        ("a sentence: of somebody", "a sentence: of somebody", ""),
        ("", causes.NO_REASON, ""),
        (None, causes.NO_REASON, ""),
    ],
)
def test_the_innermost_cause_of_a_java_failure(trace: str | None, begins: str, advice: str) -> None:
    cause = causes.of_trace(trace)
    assert cause.text.startswith(begins)
    assert "\n" not in cause.text
    assert advice in (cause.advice or "")


def test_a_message_of_several_lines_is_kept_whole() -> None:
    assert causes.of_trace(SLOT).text.endswith("Detail: the second line Where: the third")


def raised(outer: Exception, inner: BaseException) -> Exception:
    try:
        raise outer from inner
    except type(outer) as error:
        return error


@pytest.mark.parametrize(
    ("error", "text", "advice"),
    [
        (raised(ValueError("x"), ConnectionRefusedError(111, "Connection refused")),
         "ConnectionRefusedError: [Errno 111] Connection refused", "`make up` starts"),
        (raised(httpx2.ConnectError("outer"), TimeoutError()), "TimeoutError: ConnectError: outer", ""),
        (KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)), "KafkaException: MSG_SIZE", "message_bytes"),
        (KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC)), "KafkaException: _UNKNOWN_TOPIC", "topics apply"),
        (psycopg.OperationalError('FATAL:  password authentication failed for user "orders"'),
         'OperationalError: FATAL: password authentication failed for user "orders"', "the password of its file"),
        (psycopg.errors.InsufficientPrivilege("permission denied for table outbox"),
         "InsufficientPrivilege: permission denied", "rights"),
        (KeyError(), "KeyError", ""),
    ],
)  # fmt: skip
def test_the_innermost_cause_of_a_python_failure(error: Exception, text: str, advice: str) -> None:
    cause = causes.of_error(error)
    assert cause.text.startswith(text)
    assert advice in (cause.advice or "")


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert causes.of_error(first).text == "ValueError: second"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://orders:hunter2@127.0.0.1/tailrace",
        "database.password=hunter2, database.user=x",
        'sasl.jaas.config = "... required username="u" password="hunter2";"',
        "{'TAILRACE_REGISTRY_PASSWORD': 'hunter2'}",
        '{"basic.auth.token": "hunter2"}',
        "Authorization: Bearer hunter2hunter2",
        "authorization: Basic aHVudGVyMg==hunter2",
        "host=h user=u password=hunter2 dbname=d",
    ],
)
def test_credentials_are_not_shown(text: str) -> None:
    shown = causes.of_trace(f"a.B: {text}\n\tat a.B.c(B.java:1)").text
    assert "hunter2" not in shown
    assert "***" in shown


def test_nothing_of_a_cause_steers_a_terminal_and_what_is_long_is_cut() -> None:
    shown = causes.in_line("\x1b]0;x\x07\r" + "y" * 1000)
    assert shown.isprintable()
    assert "more characters" in shown
    assert len(shown) < causes.LONGEST + 40


LONG = 20_000
HOSTILE = [
    "x",
    "password",
    "token-",
    "api_key.",
    "://a:",
    "${",
    "bearer ",
    "token='",
    "secret" + 60 * " ",
    "slot ",
    "connection to ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_text_of_somebody_takes_no_longer_than_it_is_long(piece: str) -> None:
    """A text of this length took up to minutes, during which nothing else in the process went on."""
    text = piece * (LONG // len(piece))
    began = time.process_time()
    causes.in_line(text)
    causes.of_error(ValueError(text))
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "harmless",
    [
        "such as `${directory:/secrets:connector_password}`",
        "Basic configuration of the connector",
        "the reference ${file:/run/token:value} stays",
    ],
)
def test_what_is_no_secret_is_shown(harmless: str) -> None:
    assert causes.redacted(harmless) == harmless
