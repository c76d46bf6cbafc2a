"""Runs an HTTP service in the foreground: `python -m producers.rest orders`."""

import sys

from cdc import logs
from cdc.service import bootstrap_named, load, name_of
from producers.rest.server import run


def main() -> int:
    bootstrap = bootstrap_named("producers")
    settings = load(bootstrap.Settings)
    logs.configure(name_of(bootstrap))
    return run(bootstrap.create_app(settings), host=settings.host, port=settings.port)


if __name__ == "__main__":
    sys.exit(main())
