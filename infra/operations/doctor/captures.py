"""A check of every capture: what is said of each, in one line."""

from collections.abc import Callable

from infra.deployment import Capture, Deployment
from infra.operations.doctor.check import Trouble


def of_each(deployment: Deployment, look: Callable[[Capture], str]) -> str:
    """Return what is said of each capture; with several, by its name.

    Raises:
        Trouble: something is wrong with some of them; the remedy is that of the first.
    """
    if len(deployment.captures) == 1:
        return look(deployment.main)
    said, troubles = [], []
    for each in deployment.captures:
        try:
            said.append(f"{each.name}: {look(each)}")
        except Trouble as trouble:
            troubles.append((f"{each.name}: {trouble.what}", trouble.remedy))
    if troubles:
        raise Trouble("; ".join(what for what, _ in troubles), troubles[0][1])
    return "; ".join(said)
