"""Asking inventory, before an order is passed on, whether there is enough of each article.

It spares customers an order that is cancelled a moment later, and decides nothing: what is on hand now may be gone when
it is to be set aside. So an order is passed on when inventory does not answer in time.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cdc.context import MessageContext
from cdc.deadline import current_deadline
from cdc.logs import FieldLogger
from cdc.requests.errors import RequestError
from producers.rest.idempotency.exchange import current_exchange
from producers.rest.problems import ProblemError
from producers.rest.state import of_state
from producers.rest.timeout_headers import without_reserve
from schemas.messages.inventory import GetStock, Stock
from schemas.rest.orders import OUT_OF_STOCK, short_of

# it takes a tenth of the start, and without the check nobody is asked
if TYPE_CHECKING:
    from cdc.requests.requester import Requester

REPLY_TO = "storefront.replies"

log = FieldLogger(__name__)


class StockCheck:
    """Checks the stock for orders.

    Args:
        requester: Asks inventory; None where nothing is checked.
        timeout_s: How long an order waits for the answer, in seconds.
    """

    def __init__(self, requester: "Requester[Stock] | None", *, timeout_s: float) -> None:
        self._requester = requester
        self._timeout_s = timeout_s

    async def require(
        self, items: Iterable[tuple[str, int]], context: MessageContext
    ) -> Sequence[str]:
        """Refuse an order for more than there is.

        One with an `Idempotency-Key` is passed on with what is returned: it may have been placed before, and taken what
        there was. Orders knows, and refuses it unless it was.

        Args:
            items: Article and quantity of each line that needs stock.
            context: Correlation and trace of the order.

        Returns:
            Articles of which there is too little for an order with a key.

        Raises:
            ProblemError: inventory says that there is too little of an article.
        """
        wanted = Counter[str]()
        for sku, quantity in items:
            wanted[sku] += quantity
        if self._requester is None or not wanted:
            return ()
        question = GetStock(skus=tuple(wanted))
        try:
            stock = await self._requester.request(
                question, timeout_s=self._patience_s(), context=context.next_span()
            )
        except RequestError as error:
            log.warning("order passed on without a look at the stock", because=error)
            return ()
        on_hand = {each.sku: each.on_hand for each in stock.articles}
        short = [sku for sku, units in wanted.items() if on_hand.get(sku, units) < units]
        if short and current_exchange() is None:
            raise ProblemError(409, short_of.told(short), kind=OUT_OF_STOCK)
        return short

    def _patience_s(self) -> float:
        deadline = current_deadline()
        if deadline is None:
            return self._timeout_s
        return max(0.0, min(self._timeout_s, without_reserve(deadline.remaining_s())))


Checked = Annotated[
    StockCheck, of_state("stock_check")
]  # endpoint parameter that receives the check


@asynccontextmanager
async def open_check(
    *, bootstrap: str, registry_url: str, schema_cache: Path, timeout_s: float
) -> AsyncIterator[StockCheck]:
    """Open a check that asks inventory, until the block ends."""
    from cdc.requests.requester import Requester

    requester: Requester[Stock] = Requester(
        service="storefront",
        reply_to=REPLY_TO,
        bootstrap=bootstrap,
        registry_url=registry_url,
        schema_cache=schema_cache,
        asks=[GetStock],
        replies=[Stock],
    )
    async with requester:
        yield StockCheck(requester, timeout_s=timeout_s)
