"""Runs the exporter of the local stack in the foreground: `python -m infra.metrics`."""

import os
import sys

from cdc import logs
from infra.metrics.server import Exported, run
from infra.settings import load_settings


def main() -> int:
    logs.configure("metrics")
    settings = load_settings()
    return run(Exported(deployment=settings.deployment(), local=settings), settings.metrics_port)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # A thread may still wait for a server that stands still; ending in good order would wait for it, too.
    os._exit(code)
