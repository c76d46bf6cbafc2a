"""What is left out of a log, and how that is told."""

import logging
from contextvars import copy_context

import pytest

from cdc.logs import KeyValueFormatter
from cdc.speaker import speaker
from cdc.thinning import ABOUT_CLIENTS, CLIENTS, INFORMATIVE, Thinning

LIBRARY = "aiokafka.client"
AWAY = "Unable connect to node with id %s: %s"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(
    text: str = AWAY, *values: object, name: str = LIBRARY, level: int = logging.ERROR
) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, text, values, None)


def test_of_what_a_library_repeats_the_first_is_written_and_then_the_number() -> None:
    clock = Clock()
    thinning = Thinning(60.0, clock)
    written = []
    for second in range(121):
        clock.now = float(second)
        line = record(AWAY, 1, f"refused {second}")
        if thinning.filter(line):
            written.append((second, KeyValueFormatter("w").format(line).partition("event=")[2]))
    assert written == [
        (0, '"Unable connect to node with id 1: refused 0"'),
        (60, '"Unable connect to node with id 1: refused 60" left_out=59'),
        (120, '"Unable connect to node with id 1: refused 120" left_out=59'),
    ]


def test_another_line_is_another_cause() -> None:
    thinning = Thinning()
    assert thinning.filter(record(AWAY, 1, "refused"))
    assert thinning.filter(record("Heartbeat failed: %s", "refused"))
    assert not thinning.filter(record(AWAY, 2, "timed out"))


def test_lines_that_were_put_together_before_are_the_same_but_for_their_numbers() -> None:
    thinning = Thinning()
    assert thinning.filter(record("node 1 is away for 3 s", name="faust.transport"))
    assert not thinning.filter(record("node 1 is away for 4 s", name="faust.transport"))


def test_each_of_several_services_in_a_process_speaks_for_itself() -> None:
    thinning, formatter = Thinning(), KeyValueFormatter("workers")

    def say(service: str) -> str | None:
        speaker.set(service)
        line = record(AWAY, 1, "refused")
        return formatter.format(line) if thinning.filter(line) else None

    context = copy_context()
    said = [context.run(say, service) for service in ("orders", "payments", "orders")]
    assert [line and line.split()[2] for line in said] == [
        "service=orders",
        "service=payments",
        None,
    ]
    assert " service=workers " in formatter.format(record())


def test_what_is_no_warning_may_be_said_more_often() -> None:
    thinning = Thinning()
    told = [thinning.filter(record("Joined", level=logging.INFO)) for _ in range(2 * INFORMATIVE)]
    assert told.count(True) == INFORMATIVE


def test_what_clients_got_wrong_is_told_a_hundred_times_a_minute() -> None:
    clock = Clock()
    thinning = Thinning(60.0, clock)

    def line() -> logging.LogRecord:
        return record("refused", name=f"producers.rest.protocol{CLIENTS}", level=logging.INFO)

    assert [thinning.filter(line()) for _ in range(150)].count(True) == ABOUT_CLIENTS
    clock.now = 60.0
    following = line()
    assert thinning.filter(following)
    assert vars(following)["fields"] == {"left_out": 50}


def test_nothing_of_our_own_is_left_out() -> None:
    thinning = Thinning()
    for _ in range(3):
        assert thinning.filter(record("order.events/0: 5 records were lost", name="consumers.a"))


def test_what_was_left_out_and_did_not_come_again_is_told_of_before_another_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    thinning = Thinning(60.0, clock)
    for clock.now in (0.0, 1.0, 2.0, 59.0):
        thinning.filter(record(AWAY, 1, "refused"))
    assert not caplog.records
    for clock.now in (60.0, 61.0, 120.0):
        assert thinning.filter(record("placed", name="producers.a"))
    assert [vars(line)["fields"]["lines"] for line in caplog.records] == [3]


def test_what_was_left_out_at_last_is_told_of_when_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    thinning = Thinning()
    for _ in range(5):
        thinning.filter(record(AWAY, 1, "refused"))
    thinning.tell()
    thinning.tell()
    [line] = caplog.records
    fields = vars(line)["fields"]
    assert (line.getMessage(), fields["lines"], fields["times"]) == (
        "repeated lines left out",
        4,
        4,
    )
    assert fields["most_often"].startswith("Unable")
