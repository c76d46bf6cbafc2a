"""Runs a gRPC service in the foreground: `python -m producers.grpc users.rpc`."""

import sys

from cdc import logs
from cdc.service import bootstrap_named, load, name_of, start
from cdc.tracing.process import traced
from cdc.tracing.settings import TraceSettings
from producers.discovery.registration import registration_of
from producers.grpc.metrics import MetricsSettings
from producers.grpc.server import run


def main() -> int:
    bootstrap = bootstrap_named("producers")
    settings = load(bootstrap.Settings)
    name = name_of(bootstrap)
    logs.configure(name)
    registration = start(
        lambda: registration_of(name, settings, host=settings.host, port=settings.port)
    )
    with traced(name, load(TraceSettings)):
        port = load(MetricsSettings).metrics_port
        return run(bootstrap.open_service(settings), settings, registration, port)


if __name__ == "__main__":
    sys.exit(main())
