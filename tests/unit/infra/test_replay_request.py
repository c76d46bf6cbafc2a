"""What is asked of a replay: it refuses contradictions, and is the same request after a detour over text."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from consumers.replay.bounds import Bound
from consumers.replay.state import RunState
from consumers.replay.where import Condition
from infra.cli.replay import replay as command
from infra.errors import RequestError
from infra.operations.replay.request import ReplayRequest, from_choices

FULL = ReplayRequest(
    topics=("order.events",),
    start=Bound(time=datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)),
    end=Bound(time=datetime(2026, 11, 23, 11, tzinfo=UTC)),
    keys=(b"k", b"\xff\x00", b""),
    types=("orders.OrderCreated",),
    ids=(UUID(int=7),),
    where=(Condition.parse("a.b='\"x\" '"), Condition.parse("total>=1.50")),
    consumer="analytics",
    source="log",
    rows=0,
    rate=2.5,
    keep=True,
    who="ada",
    why="to see",
)


def as_asked(request: ReplayRequest) -> dict[str, Any]:
    """Return a request's arguments; sequences as tuples, whatever they were made of."""
    arguments = {name: getattr(request, name) for name in request.__slots__}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in arguments.items()
    }


def test_what_is_remembered_leads_to_the_same_request() -> None:
    choices = json.loads(json.dumps(FULL.choices()))
    assert as_asked(ReplayRequest(**from_choices(choices))) == as_asked(FULL)


def test_its_words_are_read_as_the_same_request_by_the_command_line() -> None:
    context = command.make_context("replay", FULL.words())
    given = context.params
    assert Bound.parse(given["start"], datetime.now(UTC)) == FULL.start
    assert Bound.parse(given["end"], datetime.now(UTC)) == FULL.end
    for name in ("topics", "keys", "types", "ids", "where", "consumer", "source", "rows", "rate"):
        assert given[name] == getattr(FULL, name), name
    assert given["keep"]


def test_offsets_are_remembered_by_partition() -> None:
    request = replace(FULL, start=Bound(offsets={0: 3, 2: 5}), end=Bound())
    assert (request.choices()["start"], request.choices()["end"]) == (["0:3", "2:5"], [])
    assert from_choices(request.choices())["start"] == request.start


@pytest.mark.parametrize(("rate", "rows", "expected"), [(None, None, (2.5, 0)), (9.0, 5, (9.0, 5))])
def test_a_resumed_replay_keeps_what_was_asked_but_for_rate_and_rows(
    rate: float | None, rows: int | None, expected: tuple[float, int]
) -> None:
    state = RunState(run_id="r", mode="topic", asked=FULL.choices(), plan={}, target="copy")
    resumed = ReplayRequest(who="bob", resume="last", rate=rate, rows=rows).resumed(state)
    assert (resumed.rate, resumed.rows) == expected
    assert (resumed.who, resumed.to_topic, resumed.resume) == ("ada", "copy", None)
    assert resumed.selection() == FULL.selection()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"into": "sandbox", "to_topic": "a"}, "--into and --to-topic exclude each other."),
        ({"live": True, "resume": "last"}, "--live and --resume exclude each other."),
        ({"force": True}, "--force goes with --live"),
        ({"live": True, "force": True}, "--force wants --why"),
        ({"code": "main", "dry_run": True}, "--code goes with a sandbox only"),
        ({"create": True}, "--create goes with --to-topic."),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words) as refused:
        ReplayRequest(who="ada", **options)
    assert refused.value.exit_code == 2
