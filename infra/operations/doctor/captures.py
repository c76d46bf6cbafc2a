"""A check of every capture, or of every shard: what is said of each, in one line."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from infra.deployment import Capture, Shard
from infra.operations.doctor.check import Trouble

Looked = TypeVar("Looked", Capture, Shard)


def of_each(all_of_them: Sequence[Looked], look: Callable[[Looked], str]) -> str:
    """Return what is said of each; with several, by its name.

    Raises:
        Trouble: something is wrong with some of them; the remedy is that of the first.
    """
    if len(all_of_them) == 1:
        return look(all_of_them[0])
    said, troubles = [], []
    for each in all_of_them:
        try:
            said.append(f"{each.name}: {look(each)}")
        except Trouble as trouble:
            troubles.append((f"{each.name}: {trouble.what}", trouble.remedy))
    if troubles:
        raise Trouble("; ".join(what for what, _ in troubles), troubles[0][1])
    return "; ".join(said)
