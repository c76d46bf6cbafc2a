"""What a check trips over is its own finding, and hides none of the others."""

import struct
from collections.abc import Callable

import pytest

from infra.drift import delivery
from infra.errors import TailraceError
from infra.operations.doctor.check import Check, Trouble, examine
from schemas.catalogue import catalogue


def well() -> str:
    return "well"


def in_trouble() -> str:
    raise Trouble("is in trouble", "mend it")


def told() -> str:
    raise TailraceError("It is not there.")


def overflowing() -> str:
    return str((1 << 64).to_bytes(8))


def reading() -> str:
    return str(struct.unpack(">Q", b"short"))


def counting() -> str:
    return str(int("7" * 5000))


def without_words() -> str:
    raise AssertionError


@pytest.mark.parametrize("fails", [overflowing, reading, counting, without_words])
def test_a_check_that_fails_is_a_finding_and_the_others_are_made(fails: Callable[[], str]) -> None:
    checks = [
        Check("fails", fails),
        Check("needs it", well, needs=("fails",)),
        Check("trouble", in_trouble),
        Check("told", told),
        Check("well", well),
    ]
    found = {each.name: each for each in examine(checks, "run `make up`")}
    assert {name: each.state for name, each in found.items()} == {
        "fails": "wrong",
        "needs it": "unknown",
        "trouble": "wrong",
        "told": "wrong",
        "well": "ok",
    }
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is, it is named
        fails()
    assert raised.type.__name__ in found["fails"].detail
    assert "\n" not in found["fails"].detail
    assert found["fails"].remedy
    assert (found["told"].detail, found["told"].remedy) == ("It is not there", "run `make up`")


def test_topics_that_no_outbox_feeds_are_not_held_against_one() -> None:
    looked_at = [catalogue().topics[name] for name in delivery._topics()]  # what is asked of Kafka
    assert looked_at
    assert not any(topic.is_direct for topic in looked_at)
    assert {topic.kind for topic in catalogue().topics.values() if topic.is_direct}
