"""How often a client may call: bursts, their return, and that nobody counts for another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.rest.access.rate import MOST_CLIENTS, Rate, RateLimit, network_of


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("text", "rate"), [("100/s", Rate(100, 1)), ("600/min", Rate(600, 60)), ("5/h", Rate(5, 3600))]
)
def test_a_rate_is_requests_in_a_time(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "100", "0/s", "-1/s", "1.5/s", "10/d", "10/ s", "1e3/s", "\u0661/s", "9" * 10 + "/s"],
)
def test_anything_else_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="100/s"):
        Rate.parse(text)


def test_a_burst_of_the_rate_goes_through_and_one_more_does_not(clock: Clock) -> None:
    limit = RateLimit(Rate(10, 60), clock)
    taken = [limit.take("a") for _ in range(10)]
    assert [each.remaining for each in taken] == list(range(9, -1, -1))
    assert [each.wait_s for each in taken] == [None] * 10
    refused = limit.take("a")
    assert refused.wait_s == pytest.approx(6)
    assert refused.remaining == 0
    assert limit.refused == 1


def test_who_waits_as_long_as_told_is_let_through(clock: Clock) -> None:
    limit = RateLimit(Rate(10, 60), clock)
    for _ in range(10):
        limit.take("a")
    wait_s = limit.take("a").wait_s
    assert wait_s is not None
    clock.now += wait_s - 0.01
    assert limit.take("a").wait_s is not None
    clock.now += 0.02
    assert limit.take("a").wait_s is None
    assert limit.take("a").wait_s is not None


def test_refused_requests_count_for_nothing(clock: Clock) -> None:
    limit = RateLimit(Rate(2, 2), clock)
    for _ in range(1000):
        limit.take("a")
    clock.now += 1.01
    assert limit.take("a").wait_s is None


def test_after_the_whole_time_all_may_follow_again(clock: Clock) -> None:
    limit = RateLimit(Rate(5, 1), clock)
    last = [limit.take("a") for _ in range(3)][-1]
    clock.now += last.full_in_s
    assert limit.take("a").remaining == 4


def test_nobody_counts_for_another(clock: Clock) -> None:
    limit = RateLimit(Rate(1, 60), clock)
    assert [limit.take(each).wait_s is None for each in "aabb"] == [True, False, True, False]


@given(st.lists(st.floats(0, 30), min_size=1, max_size=200), st.integers(1, 20), st.integers(1, 20))
def test_never_more_than_twice_the_rate_in_its_time(
    pauses: list[float], requests: int, seconds: int
) -> None:
    """As with every rate that allows a burst: all at the end of one time, and all at the beginning of the next."""
    clock = Clock()
    limit, admitted = RateLimit(Rate(requests, seconds), clock), []
    for pause in pauses:
        clock.now += pause
        if limit.take("a").wait_s is None:
            admitted.append(clock.now)
    for at in admitted:
        assert sum(at <= other < at + seconds for other in admitted) <= 2 * requests


def test_clients_that_come_and_go_take_no_more_and_more_memory(clock: Clock) -> None:
    limit = RateLimit(Rate(1, 3600), clock)
    for number in range(3 * MOST_CLIENTS):
        limit.take(str(number))
    assert len(limit._full_at) <= MOST_CLIENTS
    assert (
        limit.take(str(3 * MOST_CLIENTS - 1)).wait_s is not None
    )  # those who came last are still counted


def test_what_headers_tell_is_the_draft_s(clock: Clock) -> None:
    limit = RateLimit(Rate(10, 60), clock)
    assert limit.take("a").headers() == {
        "ratelimit-policy": '"client";q=10;w=60',
        "ratelimit": '"client";r=9;t=6',
    }


def test_several_processes_share_a_rate() -> None:
    assert Rate(100, 60).shared_by(4) == Rate(25, 60)
    assert Rate(100, 60).shared_by(3) == Rate(33, 60)  # rather less than more
    assert Rate(2, 1).shared_by(4) == Rate(1, 1)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
    ],
)
def test_what_one_subscriber_has_counts_as_one(address: str, counted: str) -> None:
    assert network_of(address) == counted
