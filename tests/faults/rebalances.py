"""How often partitions were dealt out anew, as workers have seen it."""

import re
from collections import defaultdict

from infra.local.parts import SECOND_WORKERS, SHARED
from infra.local.supervision.conf import log_path
from infra.services import WORKERS
from tests.stack import RunningStack

GENERATION = re.compile(r"Joined group '(.*?)' \(generation (\d+)\)")


def rebalances(stack: RunningStack) -> int:
    """Return how often the partitions of a consumer were dealt out so far, over all consumers."""
    programs = (SHARED, SECOND_WORKERS, *(worker.name for worker in WORKERS))
    logs = (log_path(stack.settings.home, program) for program in programs)
    newest: dict[str, int] = defaultdict(int)
    for log in logs:
        if log.is_file():
            for group, generation in GENERATION.findall(log.read_text(errors="replace")):
                newest[group] = max(newest[group], int(generation))
    return sum(newest.values())
