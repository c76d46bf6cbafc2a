"""Runs a gRPC service in the foreground: `python -m producers.grpc users.rpc`."""

import sys

from cdc import logs
from cdc.service import bootstrap_named, load, name_of
from producers.grpc.server import run


def main() -> int:
    bootstrap = bootstrap_named("producers")
    settings = load(bootstrap.Settings)
    logs.configure(name_of(bootstrap))
    return run(bootstrap.open_service(settings), settings)


if __name__ == "__main__":
    sys.exit(main())
