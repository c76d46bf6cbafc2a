"""Runs a relay for each database it is told of: `python -m cdc.relay`. Any number of them share the work."""

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from cdc import logs
from cdc.relay.health import serving
from cdc.relay.relay import Relay
from cdc.relay.settings import RelaySettings
from cdc.service import FAILURE, load
from cdc.signals import stop_event

log = logs.FieldLogger("cdc.relay")


def main() -> int:
    """Publish until told to stop; return the exit status."""
    settings = load(RelaySettings)
    logs.configure("relay")
    stopped = stop_event()
    relays = [Relay(each) for each in settings.of_each_database()]
    conditions = [relay.condition for relay in relays]
    try:
        with serving(conditions, settings.host, settings.port) as port:
            log.info("health endpoints", host=settings.host, port=port)
            run_all(relays, stopped)
    except OSError as error:
        log.error("cannot listen", port=settings.port, because=error)  # noqa: TRY400
        return FAILURE
    log.info("stopped")
    return 0


def run_all(relays: Sequence[Relay], stopped: threading.Event) -> None:
    """Have the relays of all databases at work until told to stop; one that fails for good ends them all."""
    with ThreadPoolExecutor(len(relays)) as pool:
        running = [pool.submit(relay.run, stopped) for relay in relays]
        wait(running, return_when=FIRST_EXCEPTION)
        stopped.set()
    for each in running:
        each.result()


if __name__ == "__main__":
    sys.exit(main())
