"""What a requester is refused that asks, or would hear, what the catalogue does not declare."""

from pathlib import Path
from typing import Any

import pytest

from cdc.requests.requester import Requester
from schemas.messages.inventory import GetStock, Stock
from schemas.messages.orders import OrderCreated


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reply_to": "order.events"}, r"order\.events is no topic of replies"),
        ({"replies": [Stock, OrderCreated]}, r"orders\.OrderCreated .*not on storefront\.replies"),
        ({"asks": [GetStock, OrderCreated]}, r"one topic of requests, and is on none"),
    ],
)
def test_what_is_not_declared_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    declared: dict[str, Any] = {
        "service": "storefront",
        "reply_to": "storefront.replies",
        "bootstrap": "127.0.0.1:9",
        "registry_url": "http://127.0.0.1:9",
        "schema_cache": tmp_path,
        "asks": [GetStock],
        "replies": [Stock],
    }
    with pytest.raises(ValueError, match=said):
        Requester(**declared | changes)
