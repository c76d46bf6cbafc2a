"""A message sent through the whole pipeline, to see that it comes through and how long that takes."""

from dataclasses import dataclass

from infra import pipeline
from infra.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Arrived:
    """A canary that came through."""

    seconds: float  # from its commit to the consumer


def send_canary(deployment: Deployment) -> Arrived:
    """Send one, and wait for it; an error says where it was lost."""
    return Arrived(pipeline.send_canary(deployment))
