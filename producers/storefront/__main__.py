"""Runs the storefront: `python -m producers.storefront`."""

import sys

from cdc import logs
from cdc.service import load
from producers.rest import server
from producers.storefront.bootstrap import StorefrontSettings, create_app


def main() -> int:
    """Serve until told to stop; return the exit status."""
    settings = load(StorefrontSettings)
    logs.configure("storefront")
    return server.run(create_app(settings), host=settings.host, port=settings.port)


if __name__ == "__main__":
    sys.exit(main())
