"""How a service calls others, read from `TAILRACE_*` environment variables."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from producers.discovery.balancer import Balancer, Policy
from producers.discovery.service_instances import ServiceInstances

Ms = Annotated[int, Field(ge=1, le=600_000)]
Rate = Annotated[float, Field(gt=0, le=1)]


class CallSettings(BaseSettings):
    """Bounds of the calls to one target; every target has these for itself."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", frozen=True)

    # calls that may be under way at once; one more is refused, and none waits for its turn
    calls_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    # how often a call is made that is safe to repeat; 1 repeats none
    call_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    # of the calls of the last seconds, how many may fail or be slow before the target is left alone
    breaker_failure_rate: Rate = 0.5
    breaker_slow_rate: Rate = 0.8
    # a call that takes this long is slow
    breaker_slow_ms: Ms = 2_000
    breaker_window_ms: Annotated[int, Field(ge=100, le=600_000)] = 10_000
    # calls in that time below which nothing is concluded
    breaker_minimum_calls: Annotated[int, Field(ge=1)] = 20
    # how long the target is left alone, give or take a fifth
    breaker_open_ms: Ms = 2_000
    # which instance a call goes to, where there are several
    balancing: Policy = "least-loaded"
    # calls of an instance that fail in a row before it is left out, and for how long the first time
    eject_after: Annotated[int, Field(ge=1)] = 3
    eject_ms: Ms = 5_000
    # file with the API key by which targets know who calls; without it none is shown
    call_key_file: Path | None = None

    def instances_at(self, url: str) -> ServiceInstances:
        """Return the instances of the service at this URL."""
        balancer = Balancer(
            policy=self.balancing, eject_after=self.eject_after, eject_s=self.eject_ms / 1000
        )
        return ServiceInstances(url, balancer)
