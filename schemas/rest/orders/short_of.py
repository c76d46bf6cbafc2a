"""What the storefront tells orders of the stock: of an order that it may have placed before, orders alone can say."""

import json
from collections.abc import Sequence

HEADER = "short-of"
MOST_NAMED = 5  # so that it fits into the head of a request, whatever articles are called


def written(skus: Sequence[str]) -> str:
    """Write articles of which there is too little as the header has them."""
    return json.dumps(skus[:MOST_NAMED])


def read(header: str | None) -> tuple[str, ...]:
    """Return them; none where there is no header, or nothing that could be read."""
    try:
        found = json.loads(header or "[]")
    except (ValueError, RecursionError):
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()


def told(skus: Sequence[str]) -> str:
    """Say it to whoever has ordered."""
    return f"there is too little of {', '.join(skus)}; order less of it, or try again later"
