"""How soon a fetch follows the last one: at once where a transaction costs little, later where many can share one.

Records that came together tell how many will come in a while, and transactions how much a shared one saves. A record
alone is never waited for, and at a low rate the wait comes to nothing. Where a machine is short of processor time, each
order is done sooner if all of them take less of it.
"""

GATHER_MOST_S = 0.05
MANY = 100
"""Records in a fetch after which the next one follows at once: there is a backlog."""
SHARE = 0.5
"""Of the time that a transaction takes, waited for each record that came together with another one."""


def pause_s(count: int, transaction_s: float, least_s: float = 0.0) -> float:
    """Return how long to put off the next fetch, so that what comes meanwhile shares its transactions.

    Args:
        count: Records in the last fetch.
        transaction_s: How long a transaction takes.
        least_s: The least pause after a fetch that brought something and no backlog.
    """
    if not 0 < count < MANY:
        return 0.0
    return max(least_s, min(SHARE * transaction_s * (count - 1), GATHER_MOST_S))
