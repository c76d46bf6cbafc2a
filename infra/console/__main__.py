"""Runs the console of the local stack in the foreground: `python -m infra.console`."""

import os
import sys

from cdc import logs
from infra.console.installation import Installation
from infra.console.listening import Listening
from infra.console.server import run
from infra.operations.actor import default_actor
from infra.settings import load_settings


def main() -> int:
    logs.configure("console")
    settings = load_settings()
    installation = Installation(
        deployment=settings.deployment(),
        local=settings,
        mode="look" if settings.console == "look" else "act",
        actor=default_actor(),
    )
    return run(installation, Listening(port=settings.console_port))


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # A thread may still wait for a server that stands still; ending in good order would wait for it, too.
    os._exit(code)
