"""Watches the standby: `python -m cdc.standby`."""

import sys

from cdc import logs
from cdc.service import load
from cdc.signals import stop_event
from cdc.standby.watch import LOOK_EVERY_S, WatchSettings, watch


def main() -> int:
    """Watch until told to stop; return the exit status."""
    settings = load(WatchSettings)
    logs.configure("standby-watch")
    stopped = stop_event()

    def looked() -> bool:
        settings.standby_look_file.touch()
        return stopped.wait(LOOK_EVERY_S)

    watch(settings, looked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
