"""Command `python -m infra.local.java.train`: make Java's start-up caches, at the lowest priority."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from infra.errors import TailraceError
from infra.local.java.aot import train
from infra.settings import load_settings

LOWEST_PRIORITY = 19


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.local.java.train", description=__doc__)
    parser.add_argument(
        "--cache", type=Path, help="the cache directory (default: from the settings)"
    )
    options = parser.parse_args(arguments)
    os.nice(LOWEST_PRIORITY)
    # ends the JVMs and removes the scratch directory, as any other exception does
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begin = time.monotonic()
    try:
        made = train(options.cache or load_settings().cache)
    except TailraceError as error:
        print(error, file=sys.stderr)
        return 1
    for archive in made:
        print(f"{archive.name}: {archive.stat().st_size / 1e6:.0f} MB")
    print(f"done in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
