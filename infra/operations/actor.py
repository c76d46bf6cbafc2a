"""Who acts, where nobody says so."""

import getpass
import os

VARIABLE = "TAILRACE_ACTOR"


def default_actor() -> str:
    """Return $TAILRACE_ACTOR, else the name of the account."""
    return os.environ.get(VARIABLE) or _user()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return f"uid {os.getuid()}"
