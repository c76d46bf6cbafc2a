"""Where a service is: addresses as they are said, what a resolver keeps, and whom a balancer chooses."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc.chores import cancel
from producers.discovery import resolver as resolving
from producers.discovery.balancer import MOST_EJECTED_S, Balancer, NoInstanceError, Policy
from producers.discovery.dns import JITTER, LEAST_TTL_S, MOST_TTL_S, held_s
from producers.discovery.instances import Instance, SourceError
from producers.discovery.resolver import MOST_PAUSE_S, Resolver, pause_s
from producers.discovery.service_url import SOURCES, read
from tests.hops import until

A, B, C, D = (Instance(f"10.0.0.{number}", 8001) for number in range(1, 5))


@pytest.mark.parametrize(
    ("url", "instances"),
    [
        ("http://orders:8001", {Instance("orders", 8001)}),
        ("http://orders", {Instance("orders", 80)}),
        ("https://orders/behind/a/gateway", {Instance("orders", 443)}),
        ("http://[::1]:8001", {Instance("::1", 8001)}),
        ("static://10.0.0.1:8001", {A}),
        ("static://10.0.0.1:8001,10.0.0.2:8001", {A, B}),
        ("static://[::1]:8001,orders:8002", {Instance("::1", 8001), Instance("orders", 8002)}),
    ],
)
def test_an_address_that_names_instances_asks_nobody(url: str, instances: set[Instance]) -> None:
    address = read(url)
    assert address.instances == instances
    assert address.source is None
    assert address.is_secure is url.startswith("https")
    assert address.path == ("/behind/a/gateway" if "gateway" in url else "")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "begins with one of http://, https://, static://, dns://, dns+srv://"),
        ("orders:8001", "begins with one of"),
        ("ftp://orders:8001", "begins with one of"),
        ("http://", "must be http://host:port"),
        ("http://orders:0", "must be http://host:port"),
        ("http://orders:65536", "must be http://host:port"),
        ("http://or ders:80", "must be http://host:port"),
        ("http://orders:80?zone=a", "must be http://host:port"),
        ("http://me:hidden@orders:80", "must hold no credentials"),
        ("http://orders:80#a", "no #fragment"),
        ("http://[::1:80", "must be a URL"),
        ("static://", "must name host:port"),
        ("static://orders", "must name host:port"),
        ("static://a:1,,b:2", "must name host:port"),
        ("static://a:1, b:2", "must name host:port"),
        ("static://a:1,a:1", "only once"),
        ("static://a:1/v2", "nothing behind it"),
        ("dns://orders", "must name host:port"),
        ("dns://10.0.0.1:8001", "a name such as DNS has them"),
        ("dns://a..b:8001", "a name such as DNS has them"),
        ("dns://orders:8001/v2", "no path"),
        ("dns://orders:8001?nameserver=ns.example:53", "an IP address and a port"),
        ("dns://orders:8001?nameserver=127.0.0.1", "an IP address and a port"),
        ("dns://orders:8001?nameservers=127.0.0.1:53", "dns:// knows nameserver"),
        ("dns://orders:8001?nameserver=127.0.0.1:53&nameserver=127.0.0.2:53", "only once"),
        ("dns+srv://_http._tcp.orders:8001", "without a port"),
        ("dns+srv://", "a name such as DNS has them"),
    ],
)
def test_an_address_that_makes_no_sense_is_told_what_it_must_be(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"must|has") as refused:
        read(url)
    assert complaint in str(refused.value)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("scheme", SOURCES)
def test_a_source_is_made_when_it_is_asked(scheme: str) -> None:
    with pytest.raises(ValueError, match=r"must|has"):
        read(f"{scheme}://?nothing=of-that-kind")


@given(st.floats(0, 1e9))
def test_an_answer_of_dns_is_used_between_a_second_and_a_minute(ttl_s: float) -> None:
    assert LEAST_TTL_S <= held_s(ttl_s) <= MOST_TTL_S * (1 + JITTER)
    assert held_s(ttl_s) >= min(ttl_s, MOST_TTL_S)


@given(st.integers(1, 10_000))
def test_a_source_that_is_away_is_asked_ever_more_seldom_and_not_in_step(failures: int) -> None:
    assert 0.1 <= pause_s(failures) <= MOST_PAUSE_S
    assert len({pause_s(failures) for _ in range(5)}) > 1


@dataclass
class Told:
    """A source that says what a test puts into it, sets and errors."""

    said: "asyncio.Queue[frozenset[Instance] | Exception]" = field(default_factory=asyncio.Queue)
    watched: int = 0

    async def watch(self) -> AsyncIterator[frozenset[Instance]]:
        self.watched += 1
        while True:
            word = await self.said.get()
            if isinstance(word, Exception):
                raise word
            yield word

    def say(self, *instances: Instance) -> None:
        self.said.put_nowait(frozenset(instances))

    def fail(self, error: Exception | None = None) -> None:
        self.said.put_nowait(error or SourceError("the registry does not answer"))


Scenario = Callable[[Resolver, Told, list[set[Instance]]], Coroutine[None, None, None]]


def following(scenario: Scenario) -> None:
    async def run() -> None:
        changes: list[set[Instance]] = []
        resolver = Resolver("consul://orders", lambda found: changes.append(set(found)))
        source = Told()
        task = asyncio.create_task(resolver.follow(source))
        try:
            async with asyncio.timeout(20):
                await scenario(resolver, source, changes)
        finally:
            await cancel([task])

    asyncio.run(run())


def test_the_last_good_instances_stand_while_the_source_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resolving, "FIRST_PAUSE_S", 0.001)
    caplog.set_level(logging.INFO)

    async def scenario(resolver: Resolver, source: Told, changes: list[set[Instance]]) -> None:
        source.say(A, B)
        await until(lambda: bool(changes))
        assert resolver.figures() == {
            "source": "consul://orders",
            "stale_s": 0,
            "source_error": None,
        }
        for _ in range(3):
            source.fail()
        source.fail(OSError("what nobody has thought of"))
        await until(lambda: source.watched == 5)
        assert changes == [{A, B}]
        figures = resolver.figures()
        assert figures["source_error"] == "OSError, which the log has more of"
        await until(lambda: float(str(resolver.figures()["stale_s"])) > 0)
        source.say(A, B, C)
        await until(lambda: len(changes) == 2)
        assert changes[1] == {A, B, C}
        assert resolver.figures()["stale_s"] == 0
        assert resolver.error is None

    following(scenario)
    told = [record.message for record in caplog.records]
    assert sum("is away" in line for line in told) == 1
    assert sum("is back" in line for line in told) == 1


def test_an_empty_answer_is_believed_when_it_stays_and_an_error_takes_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resolving, "FIRST_PAUSE_S", 0.001)

    async def scenario(resolver: Resolver, source: Told, changes: list[set[Instance]]) -> None:
        monkeypatch.setattr(resolving, "EMPTY_GRACE_S", 0.1)
        source.say(A)
        source.say()
        source.fail()
        await until(lambda: resolver.error is not None)
        await asyncio.sleep(0.3)  # three times as long as it would take
        assert changes == [{A}]
        source.say()
        source.say(B)
        await until(lambda: len(changes) == 2)
        await asyncio.sleep(0.3)
        assert changes == [{A}, {B}]
        source.say()
        await until(lambda: len(changes) == 3)
        assert changes[2] == set()

    following(scenario)


def test_only_the_first_word_of_a_source_is_waited_for_be_it_an_error() -> None:
    async def scenario(resolver: Resolver, source: Told, changes: list[set[Instance]]) -> None:
        await resolver.ready(0.01)
        waiting = asyncio.create_task(resolver.ready(10))
        await asyncio.sleep(0)
        assert not waiting.done()
        source.fail()
        await waiting
        await resolver.ready(10)
        assert not changes

    following(scenario)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def calls(
    balancer: Balancer, times: int, *, failing: Collection[Instance] = ()
) -> Counter[Instance]:
    """Make calls one after the other, of which those of some instances fail."""
    made = Counter[Instance]()
    for _ in range(times):
        with balancer.use() as use:
            use.failed = use.instance in failing
        made[use.instance] += 1
    return made


@contextmanager
def under_way(balancer: Balancer, times: int) -> Iterator[Counter[Instance]]:
    """Make calls that do not end while the block runs."""
    uses = [balancer.use() for _ in range(times)]
    try:
        yield Counter(use.__enter__().instance for use in uses)
    finally:
        for each in uses:
            each.__exit__(None, None, None)


def balancer_of(*instances: Instance, **settings: object) -> Balancer:
    balancer = Balancer(**settings)  # type: ignore[arg-type]
    balancer.update(instances)
    return balancer


def weighing(*weights: int) -> list[Instance]:
    return [Instance(f"10.0.0.{number}", 1, weight) for number, weight in enumerate(weights)]


def test_round_robin_takes_turns_by_weight() -> None:
    heavy, light = weighing(3, 1)
    balancer = balancer_of(heavy, light, policy="round-robin")
    turns = []
    for _ in range(8):
        with balancer.use() as use:
            turns.append(use.instance)
    assert turns == [heavy, heavy, light, heavy] * 2


def test_least_loaded_spreads_what_is_under_way_by_weight() -> None:
    with under_way(balancer_of(A, B, C, D), 400) as even:
        assert all(90 <= even[each] <= 110 for each in (A, B, C, D))
    heavy, light = weighing(3, 1)
    with under_way(balancer_of(heavy, light), 400) as uneven:
        assert 295 <= uneven[heavy] <= 305
    one_after_the_other = calls(balancer_of(heavy, light), 4000)
    assert 2700 < one_after_the_other[heavy] < 3300


def test_a_slow_instance_gets_fewer_calls() -> None:
    balancer = balancer_of(A, B, C)
    with balancer.use(tried=(B, C)) as stuck:
        assert stuck.instance == A
        with balancer.use(tried=(B, C)):
            assert calls(balancer, 300)[A] == 0


def test_weights_that_make_no_sense_count_as_one() -> None:
    none, negative = weighing(0, -5)
    assert set(calls(balancer_of(none, negative), 100)) == {none, negative}


@pytest.mark.parametrize("policy", ["least-loaded", "round-robin"])
def test_an_instance_that_fails_in_a_row_is_left_out_ever_longer(policy: Policy) -> None:
    clock = Clock()
    balancer = balancer_of(A, B, C, D, policy=policy, eject_after=3, eject_s=10, clock=clock)
    made = calls(balancer, 200, failing={A})
    assert made[A] == 3
    seconds = []
    for _ in range(4):
        [seen] = [each for each in balancer.figures() if each["address"] == str(A)]
        seconds.append(float(str(seen["ejected_s"])))
        clock.now += seconds[-1] + 0.1
        assert calls(balancer, 200, failing={A})[A] == 1
    assert all(earlier * 1.2 < later for earlier, later in pairwise(seconds))
    assert max(seconds) <= MOST_EJECTED_S
    clock.now += MOST_EJECTED_S
    assert calls(balancer, 400)[A] > 50


def test_an_instance_is_tried_with_one_call_at_a_time_until_one_succeeds() -> None:
    clock = Clock()
    balancer = balancer_of(A, B, clock=clock)
    calls(balancer, 50, failing={A})
    clock.now += MOST_EJECTED_S
    with under_way(balancer, 20) as made:
        assert made[A] == 1
    with balancer.use(tried=[B]) as use:
        use.failed = False
    with under_way(balancer, 20) as made:
        assert made[A] == 10


def test_a_success_between_failures_keeps_an_instance() -> None:
    balancer = balancer_of(A, B, eject_after=3)
    for failed in (True, True, False, True, True, None):
        with balancer.use(tried=[B]) as use:
            use.failed = failed
    assert all(each["ejected_s"] == 0 for each in balancer.figures())


@given(st.integers(1, 9))
def test_never_more_than_half_of_them_are_left_out(size: int) -> None:
    everyone = {Instance("10.0.0.1", port) for port in range(1, size + 1)}
    balancer = balancer_of(*everyone)
    calls(balancer, 300, failing=everyone)
    out = sum(float(str(each["ejected_s"])) > 0 for each in balancer.figures())
    assert out == size // 2


def test_where_all_of_them_fail_calls_go_on_and_those_that_are_back_get_them() -> None:
    clock = Clock()
    balancer = balancer_of(A, B, C, clock=clock)
    assert set(calls(balancer, 300, failing={A, B, C})) == {A, B, C}
    clock.now += MOST_EJECTED_S
    calls(balancer, 50, failing={A})
    assert set(calls(balancer, 300, failing={A})) >= {B, C}


def test_a_later_priority_stands_in_when_the_first_is_out() -> None:
    first = [Instance("10.0.0.1", port, priority=0) for port in (1, 2)]
    last = [Instance("10.0.0.2", port, priority=5) for port in (1, 2)]
    clock = Clock()
    balancer = balancer_of(*first, *last, clock=clock)
    assert set(calls(balancer, 100)) == set(first)
    made = calls(balancer, 100, failing=set(first))
    assert sum(made[each] for each in first) == 6
    assert all(made[each] > 10 for each in last)
    with balancer.use(tried=first) as use:
        assert use.instance in last
    clock.now += MOST_EJECTED_S
    calls(balancer, 10)
    assert set(calls(balancer, 100)) == set(first)


def test_a_call_goes_to_one_that_it_was_not_asked_of_if_there_is_one() -> None:
    balancer = balancer_of(A, B)
    for _ in range(20):
        with balancer.use(tried={A}) as use:
            assert use.instance == B
    with balancer.use(tried={A, B}) as use:
        assert use.instance in {A, B}
    with pytest.raises(NoInstanceError), balancer_of().use():
        pass


def test_what_is_known_of_an_instance_is_kept_while_it_stays() -> None:
    clock = Clock()
    balancer = balancer_of(A, B, C, D, clock=clock)
    calls(balancer, 100, failing={A})
    heavier = Instance(B.host, B.port, weight=7)
    with balancer.use(tried={A, C, D}) as use:
        balancer.update([A, heavier, C])
        use.failed = True
    [a, b, _] = balancer.figures()
    assert float(str(a["ejected_s"])) > 0
    assert (b["weight"], b["in_flight"], b["failures"]) == (7, 0, 1)
    balancer.update([B, C, D])
    balancer.update([A, B, C, D])  # a source that says so again has reason to
    assert calls(balancer, 200)[A] > 20
