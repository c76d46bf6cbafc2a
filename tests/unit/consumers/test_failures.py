"""Which error means what: tried again at once, waited for without end, parked, or a dead letter."""

import errno
import os
import socket

import httpx2
import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from cdc.outbox import ConcurrencyError
from consumers.runtime.delivery import MalformedRecordError
from consumers.runtime.failures import (
    LONGEST_TEXT,
    Failure,
    PoisonError,
    TooOldError,
    TransientError,
    UnhandledTypeError,
    is_transient,
    waits_without_end,
)
from schemas.datum import UndecodableError
from schemas.registry import RegistryRefusedError, RegistryUnavailableError

WAITED_FOR = [
    psycopg.OperationalError("the connection is lost"),
    PoolTimeout("no connection is free"),
    errors.ConnectionFailure("08006"),
    errors.DeadlockDetected("40P01"),
    errors.SerializationFailure("40001"),
    errors.TooManyConnections("53300"),
    errors.DiskFull("53100"),
    errors.AdminShutdown("57P01"),
    errors.CannotConnectNow("57P03"),
    errors.IoError("58030"),
    RegistryUnavailableError("down"),
    RegistryRefusedError("not for you"),
]
TRIED_AGAIN = [
    errors.QueryCanceled("57014"),
    errors.LockNotAvailable("55P03"),
    ConnectionRefusedError(),
    ConnectionResetError(),
    TimeoutError(),
    socket.gaierror(),
    OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)),
    OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH)),
    httpx2.ConnectError("refused"),
    httpx2.ReadTimeout("late"),
    TransientError(),
    ConcurrencyError(),
]
PARKED = [
    (ZeroDivisionError(), "failed"),
    (errors.UniqueViolation("23505"), "failed"),
    (errors.UndefinedTable("42P01"), "failed"),
    (errors.ProgramLimitExceeded("54000"), "failed"),
    (errors.InFailedSqlTransaction("25P02"), "failed"),
    (FileNotFoundError(), "failed"),
    (UndecodableError("no Avro"), "undecodable"),
    (UnhandledTypeError("nobody.Knows"), "unknown_type"),
]
DEAD = [
    (PoisonError(), "failed"),
    (MalformedRecordError("no id"), "malformed"),
    (TooOldError("long ago"), "too_old"),
]


@pytest.mark.parametrize("error", WAITED_FOR, ids=repr)
def test_what_everybody_is_in_is_waited_for(error: Exception) -> None:
    assert waits_without_end(error)
    assert is_transient(error)


@pytest.mark.parametrize("error", TRIED_AGAIN, ids=repr)
def test_what_may_pass_is_tried_again_as_long_as_patience_lasts(error: Exception) -> None:
    assert is_transient(error)
    assert not waits_without_end(error)
    assert not Failure.of(error).hopeless


@pytest.mark.parametrize(("error", "reason"), PARKED, ids=repr)
def test_what_concerns_one_message_is_parked(error: Exception, reason: str) -> None:
    assert not is_transient(error)
    assert not waits_without_end(error)
    failure = Failure.of(error)
    assert (failure.reason, failure.hopeless) == (reason, False)


@pytest.mark.parametrize(("error", "reason"), DEAD, ids=repr)
def test_what_no_attempt_will_help_is_a_dead_letter(error: Exception, reason: str) -> None:
    failure = Failure.of(error)
    assert (failure.reason, failure.hopeless) == (reason, True)


def test_a_failure_says_where_the_handler_failed() -> None:
    with pytest.raises(KeyError) as raised:
        raise KeyError("missing")
    failure = Failure.of(raised.value)
    assert failure.error_class == "builtins.KeyError"
    assert failure.error_text == "'missing'"
    assert "test_a_failure_says_where_the_handler_failed" in failure.traceback


def test_where_bytes_could_not_be_decoded_says_nothing() -> None:
    assert Failure.of(UndecodableError("no Avro")).traceback == ""


def test_a_failure_can_be_stored_whatever_the_error_says() -> None:
    failure = Failure.of(ValueError("\x00 \udcff" + "x" * 2 * LONGEST_TEXT + "end"))
    assert len(failure.error_text) == LONGEST_TEXT
    assert failure.error_text.endswith("end")
    assert "\x00" not in Failure.of(ValueError("a\x00b")).error_text
    Failure.of(ValueError("\udcff")).error_text.encode()
