"""What the runtime promises, as cases that hold for every store: run in memory by the unit tests, and on Postgres.

Each case is given a rig of its own, see `tests.rig`.
"""

from tests.runtime_contract import effects, failing, locking, retrying, strange, together
from tests.runtime_contract.case import CASES, Case

__all__ = ["CASES", "Case", "effects", "failing", "locking", "retrying", "strange", "together"]
