"""One run: orders flow, faults come one step after the other, and after each the pipeline has to recover."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from infra.local.probe import ProbeTimeoutError
from tests.bench.errors import BenchError
from tests.faults.account import Account, account, before
from tests.faults.inject import Injector
from tests.faults.load import Load, unanswered, unavailable
from tests.faults.plan import Step
from tests.faults.rebalances import rebalances
from tests.faults.standstill import wait_through
from tests.faults.verdict import Verdict, judge
from tests.faults.watch import watching
from tests.orders import duplicates
from tests.stack import RunningStack

LIMIT_S = 60.0
"""Longest time for which nothing may go forward after a fault, as `Patience` counts it."""
GIVE_UP_S = 300.0
"""The same, after which a run ends, since nothing will come any more."""


class StandstillError(BenchError):
    """Effects do not flow again after a fault; the sentence says what is wrong with the stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How the pipeline recovered from the faults of a step; its times are counted from the last signal.

    Args:
        step: What was done.
        began_s: When it was done, in seconds from the beginning of the run.
        flowing_s: Until an order was complete that was sent after it.
        drained_s: Until all orders were complete that were sent before that.
        ready_s: Until the parts that were hit were ready again, or what was lost for good was there once more.
        still_s: The longest time in which nothing of that went forward: no order was complete of those that were waited
            for, and afterwards no part was ready. What a machine takes for a backlog is not in it.
        unavailable: Orders that were given up meanwhile, refused each time with the request to come back.
        unanswered: Orders that were given up meanwhile, and may have been placed.
    """

    step: Step
    began_s: float
    flowing_s: float
    drained_s: float
    ready_s: float
    still_s: float
    unavailable: int
    unanswered: int


class Flow(NamedTuple):
    """How effects came to flow again, as `Recovery` tells of it."""

    flowing_s: float
    drained_s: float
    still_s: float


@dataclass(kw_only=True)
class Run:
    """What a run found.

    Args:
        load: What was sent.
        recoveries: How the pipeline recovered from each step.
        account: What became of the load.
        verdict: What is wrong with that.
        restarts: How often the supervisor started a part again.
        duplicates: Deliveries that consumers dropped because their effect existed.
        rebalances: How often partitions of a consumer were dealt out anew among its workers.
        seconds: How long it took.
    """

    load: Load
    recoveries: list[Recovery] = field(default_factory=list)
    account: Account
    verdict: Verdict
    restarts: int
    duplicates: int
    rebalances: int
    seconds: float

    @property
    def standstills(self) -> Sequence[Recovery]:
        """The recoveries in which nothing went forward for longer than it may."""
        return [recovery for recovery in self.recoveries if recovery.still_s > LIMIT_S]


class Trial:
    """A running stack on which a load flows, to be disturbed.

    Args:
        stack: The stack.
        load: The load.
    """

    def __init__(self, stack: RunningStack, load: Load) -> None:
        self._stack = stack
        self._load = load
        self._injector = Injector(stack)
        self._begin = time.monotonic()

    def disturb(self, step: Step) -> Recovery:
        """Carry out the faults of a step and wait until the pipeline has recovered.

        Raises:
            StandstillError: it has not, after a long time.
        """
        time.sleep(step.pause_s)
        first = time.monotonic()
        since = self._injector.carry_out(step)
        with ThreadPoolExecutor(1) as executor:
            remedy = executor.submit(self._injector.remedy, step)
            flow = self.wait_until_flowing_again(since, str(step), remedy)
            remedy.result()
        self._injector.replace(step)
        ready, until_ready = self._wait(
            f"a part was not ready after {step}",
            lambda: self._injector.is_ready(step),
            lambda: None,
        )
        sent = self._load.since(first)
        return Recovery(
            step=step,
            began_s=first - self._begin,
            flowing_s=flow.flowing_s,
            drained_s=flow.drained_s,
            ready_s=ready - since,
            still_s=max(flow.still_s, until_ready),
            unavailable=unavailable(sent),
            unanswered=unanswered(sent),
        )

    def wait_until_flowing_again(
        self, since: float, after: str, remedy: "Future[None] | None" = None
    ) -> Flow:
        """Wait until an order is complete that was sent at `since` or later, and all that were sent before that.

        Args:
            since: A moment of `time.monotonic`.
            after: What came then.
            remedy: What is being done about it; should it fail, nothing is waited for.
        """
        flowing, until_flowing = self.wait_until_flowing(since, after, remedy)
        drained, until_drained = self._wait(
            f"the backlog was not gone after {after}",
            lambda: not self._backlog(flowing),
            lambda: self._backlog(flowing),
        )
        return Flow(flowing - since, drained - since, max(until_flowing, until_drained))

    def wait_until_flowing(
        self, since: float, after: str, remedy: "Future[None] | None" = None
    ) -> tuple[float, float]:
        """Wait until an order is complete that was sent at `since` or later.

        Returns:
            The moment, and for how long nothing went forward before it.
        """

        def flows() -> bool:
            if remedy and remedy.done():
                remedy.result()
            return any(sent.complete_at for sent in self._load.since(since))

        return self._wait(
            f"no order was complete after {after}", flows, lambda: self._load.completed
        )

    def _backlog(self, until: float) -> int:
        return sum(sent.at < until for sent in list(self._load.waiting.values()))

    def _wait(
        self, what: str, probe: Callable[[], bool], progress: Callable[[], object]
    ) -> tuple[float, float]:
        try:
            still_s = wait_through(what, probe, progress, give_up_s=GIVE_UP_S)
        except ProbeTimeoutError as error:
            said = self._stack.cli("doctor", check=False).stdout
            raise StandstillError(f"{error}\n{said}\n{self._stack.troubles()}") from error
        return time.monotonic(), still_s


def conduct(
    stack: RunningStack,
    steps: Sequence[Step],
    *,
    per_s: float,
    seed: int = 0,
    say: Callable[[str], object],
    is_enough: Callable[[], bool] = lambda: False,
) -> Run:
    """Disturb a running stack while orders flow, and judge what became of them.

    Args:
        stack: The stack; all its parts run.
        steps: What is done, one step after the other.
        per_s: Orders a second.
        seed: Which orders.
        say: Takes a line about each step.
        is_enough: Tells, after each step, whether it was the last one.

    Raises:
        StandstillError: effects did not flow again.
    """
    begin = time.monotonic()
    load = Load(stack.settings.url_of("storefront"), per_s=per_s, seed=seed)
    since, dropped, restarted = before(stack), duplicates(stack), _restarts(stack)
    dealt = rebalances(stack)
    recoveries = list[Recovery]()
    with flowing(stack, load) as trial:
        for number, step in enumerate(steps, 1):
            recoveries.append(trial.disturb(step))
            say(f"{number}/{len(steps)}  {line(recoveries[-1])}")
            if is_enough():
                break
    found = account(stack, load, since)
    return Run(
        load=load,
        recoveries=recoveries,
        account=found,
        verdict=judge(found),
        restarts=_restarts(stack) - restarted,
        duplicates=duplicates(stack) - dropped,
        rebalances=rebalances(stack) - dealt,
        seconds=time.monotonic() - begin,
    )


def line(recovery: Recovery) -> str:
    """Return a recovery in a line."""
    times = (
        f"effects after {recovery.flowing_s:.1f} s, backlog gone after {recovery.drained_s:.1f} s, "
        f"ready after {recovery.ready_s:.1f} s, nothing for {recovery.still_s:.1f} s"
    )
    posts = f"{recovery.unavailable} orders given up as refused, {recovery.unanswered} unanswered"
    return f"{recovery.began_s:6.1f} s  {recovery.step}: {times}; {posts}"


@contextmanager
def flowing(stack: RunningStack, load: Load) -> Iterator[Trial]:
    """Have orders flow while the block runs, and wait at its end until all are complete that will ever be."""
    with watching(stack, load):
        with load.flowing():
            trial = Trial(stack, load)
            trial.wait_until_flowing(0.0, "the beginning")
            yield trial
        with suppress(ProbeTimeoutError):  # the verdict names what is missing
            wait_through("", lambda: not load.waiting, lambda: load.completed, give_up_s=LIMIT_S)


def _restarts(stack: RunningStack) -> int:
    return sum(part.restarts for part in stack.status().values())
