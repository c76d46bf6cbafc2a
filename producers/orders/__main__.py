"""Runs the orders service: `python -m producers.orders`."""

import sys

from cdc import logs
from cdc.service import load
from producers.orders.bootstrap import OrdersSettings, create_app
from producers.rest import server


def main() -> int:
    """Serve until told to stop; return the exit status."""
    settings = load(OrdersSettings)
    logs.configure("orders")
    return server.run(create_app(settings), host=settings.host, port=settings.port)


if __name__ == "__main__":
    sys.exit(main())
