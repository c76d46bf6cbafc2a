"""The worker of `tests.workers.ledger`, but for Kafka's client, which minds when it does not poll for a moment."""

from consumers.runtime.worker import Worker
from tests.workers import ledger
from tests.workers.ledger import LedgerSettings
from tests.workers.running import run

POLL_INTERVAL_S = 3.0


class Unchecked(Worker):
    """A worker that does not look at its settings before it starts."""

    def _refuse(self) -> None:
        """Refuse nothing."""


def create_app(settings: LedgerSettings) -> Worker:
    """Build the worker.

    Args:
        settings: Its settings.
    """
    return Unchecked(
        ledger.consumer_of(settings), settings, broker_max_poll_interval=POLL_INTERVAL_S
    )


if __name__ == "__main__":
    run(create_app, LedgerSettings)
