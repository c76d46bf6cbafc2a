"""Runs an HTTP service in the foreground: `python -m producers.rest orders`."""

import sys
from importlib import import_module

from cdc import logs
from cdc.service import bootstrap_named, load
from producers.rest.server import run


def main() -> int:
    """Serve until told to stop; return the exit status."""
    bootstrap = bootstrap_named("producers")
    settings = load(bootstrap.Settings)
    logs.configure(import_module(f"{bootstrap.__package__}.service").SERVICE.name)
    return run(bootstrap.create_app(settings), host=settings.host, port=settings.port)


if __name__ == "__main__":
    sys.exit(main())
