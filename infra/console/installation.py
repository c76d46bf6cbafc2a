"""What a console is about: an installation, and whether people may act on it from there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from infra.deployment import Deployment

if TYPE_CHECKING:
    from infra.settings import Settings

Mode = Literal["act", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An installation, as a console has it."""

    deployment: Deployment
    local: "Settings | None"  # of the local stack, whose processes can be looked at; None elsewhere
    mode: Mode
    actor: str  # who acts unless a form says otherwise

    @property
    def seen(self) -> Deployment:
        """Return the deployment for what only looks at it."""
        return self.deployment.to_look()

    @property
    def name(self) -> str:
        return self.deployment.source or "local stack"
