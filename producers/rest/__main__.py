"""Runs an HTTP service in the foreground: `python -m producers.rest orders`."""

import sys

from cdc import logs
from cdc.service import bootstrap_named, load, name_of, start
from cdc.tracing.process import traced
from cdc.tracing.settings import TraceSettings
from producers.discovery.registration import registration_of
from producers.rest.server import run


def main() -> int:
    bootstrap = bootstrap_named("producers")
    settings = load(bootstrap.Settings)
    name = name_of(bootstrap)
    logs.configure(name)
    registration = start(
        lambda: registration_of(name, settings, host=settings.host, port=settings.port)
    )
    with traced(name, load(TraceSettings)):
        app = bootstrap.create_app(settings)
        return run(app, host=settings.host, port=settings.port, registration=registration)


if __name__ == "__main__":
    sys.exit(main())
