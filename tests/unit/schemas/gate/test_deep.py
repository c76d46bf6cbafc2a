"""Work on a deep stack: side by side it gets the frames that it needs, and leaves the limits as they were."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from schemas.gate.deep import deeply


def depth(of: int) -> int:
    return depth(of - 1) + 1 if of else 0


def test_several_threads_judge_at_a_time() -> None:
    limits = sys.getrecursionlimit(), threading.stack_size()
    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(lambda _: deeply(lambda: depth(20_000)), range(40))] == [20_000] * 40
    assert (sys.getrecursionlimit(), threading.stack_size()) == limits


def test_deep_work_may_call_for_more_of_it() -> None:
    assert deeply(lambda: deeply(lambda: depth(20_000))) == 20_000
