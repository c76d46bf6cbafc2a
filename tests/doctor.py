"""What the doctor says of a running stack."""

import json
from typing import Any

from infra.local.probe import ProbeTimeoutError, wait_until
from tests.stack import RunningStack

WELL_S = 60.0
PAUSE_S = 1.0


def findings(stack: RunningStack) -> dict[str, dict[str, Any]]:
    """Return all that the doctor finds, by name."""
    found = json.loads(stack.cli("doctor", "--json", check=False).stdout)
    return {each["name"]: each for each in found}


def wait_until_well(stack: RunningStack) -> None:
    """Wait until all is well: what ended by itself under faults may be on its way back."""
    troubles: dict[str, str] = {}

    def is_well() -> bool:
        found = findings(stack).items()
        troubles.clear()
        troubles.update((name, each["detail"]) for name, each in found if each["state"] != "ok")
        return not troubles

    try:
        wait_until("it is not well", is_well, timeout_s=WELL_S, interval_s=PAUSE_S)
    except ProbeTimeoutError as error:
        raise AssertionError(f"{error} {troubles}") from error
