"""Runs a relay: `python -m cdc.relay`. Any number of them share the work."""

import sys

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
    relay = Relay(settings)
    try:
        with serving(relay.condition, settings.host, settings.port) as port:
            log.info("health endpoints", host=settings.host, port=port)
            relay.run(stopped)
    except OSError as error:
        log.error("cannot listen", port=settings.port, because=error)  # noqa: TRY400
        return FAILURE
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
