"""Who a request is from, and what is told to whom that does not let in."""

from dataclasses import dataclass

from producers.rest.problems import ProblemError, unavailable
from schemas.rest.problem import INSUFFICIENT_SCOPE, UNAUTHENTICATED, ProblemType

PRINCIPAL = "principal"
"""Where the request's state has who sent it; it is absent where nobody is asked."""
REALM = "tailrace"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who has sent a request.

    Args:
        name: Whose keys of repetition, and whose share of requests, it is: all credentials of a client have the same.
        scopes: What the credentials allow.
        key_id: The API key that was shown, if it was one.
    """

    name: str
    scopes: frozenset[str]
    key_id: str | None = None


class CredentialError(Exception):
    """Credentials let nobody in; the text says why, to whoever has sent them."""


class UncheckedError(Exception):
    """Credentials cannot be told from wrong ones at the moment; the text says why."""


def unauthenticated(reason: str | None = None) -> ProblemError:
    """Return the 401 of a request without credentials; with the reason, that of one whose credentials are no good."""
    if reason is None:
        told = "this needs credentials: send `Authorization: Bearer` and an API key or token"
        return _refused(401, told, UNAUTHENTICATED, challenge=())
    told = f"the credentials are not good here: {reason}"
    error = (("error", "invalid_token"), ("error_description", reason))
    return _refused(401, told, UNAUTHENTICATED, challenge=error)


def forbidden(scope: str) -> ProblemError:
    """Return the 403 of a request whose credentials lack a scope."""
    told = f"the credentials do not allow this: it needs the scope {scope}"
    error = (("error", "insufficient_scope"), ("scope", scope))
    return _refused(403, told, INSUFFICIENT_SCOPE, challenge=error)


def unchecked(error: UncheckedError) -> ProblemError:
    """Return the 503 of a request of which nobody can say at the moment whether it may be let in."""
    return unavailable(f"credentials cannot be checked: {error}; nothing was done, try again")


def _refused(
    status: int, told: str, kind: ProblemType, challenge: tuple[tuple[str, str], ...]
) -> ProblemError:
    parameters = (("realm", REALM), *challenge)
    shown = ", ".join(f'{name}="{value}"' for name, value in parameters)
    return ProblemError(status, told, kind=kind, headers={"www-authenticate": f"Bearer {shown}"})
