"""What inventory answers to whoever asks before ordering."""

from consumers.inventory import repository
from schemas.messages.inventory import ArticleStock, GetStock, Stock
from tailrace import Reading, answers


class InventoryAnswers:
    """Answers about the stock.

    Args:
        default_stock: Units that there are of an article which was never stocked.
    """

    def __init__(self, default_stock: int) -> None:
        self._default_stock = default_stock

    @answers(GetStock)
    async def tell_stock(self, question: GetStock, reading: Reading) -> Stock:
        known = await repository.on_hand(reading.connection, question.skus)
        return Stock(
            articles=tuple(
                ArticleStock(sku=sku, on_hand=known.get(sku, self._default_stock))
                for sku in question.skus
            )
        )
