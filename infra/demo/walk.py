"""What a run does beside its orders: somebody signs up, a receiver is told how orders end, a report is made of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from infra.demo.asking import Asker, client
from infra.demo.customer import WithCustomer, sign_up
from infra.demo.hooks import NotCalledError, Receiver, endpoint_of
from infra.demo.ledger import Ledger, Standing
from infra.demo.orders import GENERATED, DemoError, Source
from infra.demo.sales import Report, SalesReports, added
from infra.deployment import Deployment
from schemas.rest.users.v1 import User

CONNECTIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """What a receiver was told of the orders that ended."""

    expected: int
    lost: tuple[str, ...]  # orders of whose end it was not told
    doubled: int  # told of an end another time, under another id
    repeated: int  # told again under the same id, which is what ids are for
    forged: int  # not signed as they should be

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.forged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sales:
    """A report of the run."""

    orders: int  # placed, as the report has it
    rows: int
    bytes: int
    wrong: tuple[str, ...]  # in which way it says something else than the run knows
    others: int  # events of somebody else's orders meanwhile, which are in the report as well

    @property
    def is_right(self) -> bool | None:
        """Whether it is; None where that cannot be told, as others placed orders meanwhile."""
        return None if self.others else not self.wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Besides:
    """What came of it all."""

    customer: Standing | None = None
    webhooks: Webhooks | None = None
    report: Sales | None = None
    # what this installation does not have, or does not allow -> why it was passed over
    passed_over: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[str, ...] = ()  # what should have been there and was not, in sentences

    @property
    def ok(self) -> bool:
        is_right = self.report is None or self.report.is_right is not False
        return not self.failed and is_right and (self.webhooks is None or self.webhooks.ok)


class Walk:
    """Begins before the orders and ends after them; build it with `walking`."""

    def __init__(
        self, deployment: Deployment, asker: Asker, *, timeout_s: float, stopping: asyncio.Event
    ) -> None:
        self._deployment = deployment
        self._asker = asker
        self._timeout_s = timeout_s
        self._stopping = stopping
        self._open = AsyncExitStack()
        self._user: User | None = None
        self._receiver: Receiver | None = None
        self._reports: SalesReports | None = None
        self._before: Report | None = None
        self._passed_over: dict[str, str] = {}
        self._failed: list[str] = []

    async def begin(self, source: Source) -> Source:
        """Do what comes before the orders; return them, some of them the new customer's if they are made up."""
        if source.name == GENERATED:
            with self._trying("users"):
                self._user = await sign_up(self._asker, self._url_of("users"))
        with self._trying("webhooks"):
            url = self._url_of("webhooks")
            receiver = await self._open.enter_async_context(Receiver().serving())
            await self._open.enter_async_context(endpoint_of(receiver, self._asker, url))
            self._receiver = receiver
        with self._trying("reports"):
            url, today = self._url_of("reports"), datetime.now(UTC).date()
            self._reports = SalesReports(self._asker, self._deployment, url, today)
            self._before = await self._reports.make(timeout_s=self._timeout_s)
        return WithCustomer(source, self._user) if self._user else source

    async def end(self, ledger: Ledger, others: int) -> Besides:
        """Do what comes after the orders, and tell what came of it all.

        Args:
            others: Events of orders of somebody else that were seen meanwhile.
        """
        webhooks, report = None, None
        if self._receiver:
            webhooks = await self._told(self._receiver, ledger)
        if self._reports and self._before and not self._stopping.is_set():
            with self._trying("reports"):
                after = await self._reports.make(timeout_s=self._timeout_s)
                report = judged(self._before, after, ledger, others)
        return Besides(
            customer=ledger.standing if self._user else None,
            webhooks=webhooks,
            report=report,
            passed_over=self._passed_over,
            failed=tuple(self._failed),
        )

    async def close(self) -> None:
        await self._open.aclose()

    async def _told(self, receiver: Receiver, ledger: Ledger) -> Webhooks:
        expected = {(event, str(order_id)) for order_id, event in ledger.ends.items()}
        await receiver.until_told(expected, timeout_s=self._timeout_s, stopping=self._stopping)
        ours = [end for end in receiver.ends.values() if end in expected]
        return Webhooks(
            expected=len(expected),
            lost=tuple(sorted(order_id for _, order_id in expected - set(ours))),
            doubled=len(ours) - len(set(ours)),
            repeated=receiver.repeated,
            forged=receiver.forged,
        )

    def _url_of(self, service: str) -> str:
        address = self._deployment.services.get(service)
        if address is None or address.url is None:
            raise NotCalledError("this deployment gives no address of it")
        return address.url

    @contextmanager
    def _trying(self, what: str) -> Iterator[None]:
        try:
            yield
        except NotCalledError as error:
            self._passed_over[what] = str(error)
        except DemoError as error:
            self._failed.append(str(error))


def judged(before: Report, after: Report, ledger: Ledger, others: int) -> Sales:
    """Hold what two reports say of the time between them against what the run knows."""
    said = added(before.sales, after.sales)
    wrong = [
        f"the report has {said.get(code)} in {code}, and the run {ledger.sales.get(code)}"
        for code in sorted({*said, *ledger.sales})
        if said.get(code) != ledger.sales.get(code)
    ]
    return Sales(
        orders=sum(sums.placed for sums in said.values()),
        rows=after.rows,
        bytes=after.bytes,
        wrong=tuple(wrong),
        others=others,
    )


@asynccontextmanager
async def walking(
    deployment: Deployment, *, timeout_s: float, stopping: asyncio.Event
) -> AsyncIterator[Walk]:
    async with client(connections=CONNECTIONS) as http:
        # what is registered is removed even if the run was broken off
        asker = Asker(http, timeout_s=timeout_s, stopping=stopping)
        walk = Walk(deployment, asker, timeout_s=timeout_s, stopping=stopping)
        try:
            yield walk
        finally:
            await walk.close()
