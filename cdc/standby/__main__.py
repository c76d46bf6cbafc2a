"""Watches the standby: `python -m cdc.standby`."""

import signal
import sys
import threading

from cdc import logs
from cdc.service import load
from cdc.standby.watch import LOOK_EVERY_S, WatchSettings, watch


def main() -> int:
    """Watch until told to stop; return the exit status."""
    settings = load(WatchSettings)
    logs.configure("standby-watch")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())

    def looked() -> bool:
        settings.standby_look_file.touch()
        return stopped.wait(LOOK_EVERY_S)

    watch(settings, looked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
