"""What a new context is asked to be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from infra.errors import TailraceError

Kind = Literal["consumer", "rest", "grpc"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class ScaffoldError(TailraceError):
    """The context cannot be written as it was asked for; nothing was."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContext:
    """What a new context is to be."""

    # its name: of its folder, its database schema and role, and before the names of its messages
    name: str
    kind: Kind = "consumer"
    consumes: Sequence[str]  # full names of the messages that it has handlers for
    emits: Sequence[str]  # full names of its own events

    @property
    def service(self) -> str:
        """Name of its service; of a consumer also its group."""
        words = self.name.replace("_", "-")
        return f"{words}-worker" if self.kind == "consumer" else words
