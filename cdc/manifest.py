"""What a service declares of itself, once, as `SERVICE` in the `service.py` of its folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

OUTBOX_TABLES = "cdc.migrations.outbox"
"""Package of migrations that makes what every service with a database has."""
CONSUMER_TABLES = "consumers.runtime.migrations"
"""Package of migrations that makes what every service that consumes has besides."""
REST_TABLES = "producers.rest.migrations"
"""Package of migrations that makes what every REST service with a database has besides."""
ACCESS_TABLES = "producers.rest.access.migrations"
"""Package of migrations that makes the API keys, in one schema for all services that ask for them."""
SAGA_TABLES = "consumers.sagas.migrations"
"""Package of migrations that makes what services have that run sagas."""


METRICS_BESIDE = 400
"""By how much the port is higher, where no setting says otherwise, at which a gRPC service tells metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process of ours. Its role, tables, port, topics and address are read from here, wherever they are needed.

    What else a folder has is found by its name: `bootstrap.py` builds the service, `migrations/` makes tables of its
    own, `settings.py` has in `OwnSettings` what may be set of it, and `event_log.py` says how states follow from its
    events.
    """

    name: str  # name of the process; of a consumer also its Kafka consumer group
    package: str
    # what it is: an HTTP API, a gRPC server, a Kafka consumer, or the publisher that takes the place of Debezium
    kind: Literal["rest", "grpc", "consumer", "relay"]
    # port that it listens on, where no setting says otherwise; of a consumer that of its health endpoints
    port: int
    # Database schema that it works in. The outbox in it, and the role that it works as, have the same name. None
    # for a service without a database.
    schema: str | None = None
    # names of the services that it calls; it is told each one's address as `TAILRACE_<NAME>_URL`
    needs: tuple[str, ...] = ()
    # names of services that it asks and can do without; it is told the same of those whose address is known
    may_ask: tuple[str, ...] = ()
    # whether only services of ours call it: clients do not, so that it is not told whom to let in
    internal: bool = False
    has_sagas: bool = False  # it runs sagas, whose tables are made in its schema
    # setting that names a file with a secret -> what the stack calls the secret that it makes where nobody names one
    secrets: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def role(self) -> str | None:
        return self.schema

    @property
    def is_consumer(self) -> bool:
        return self.kind == "consumer"

    @property
    def asks_who_calls(self) -> bool:
        """Whether it is told whom to let in, as clients call it."""
        return self.kind == "rest" and not self.internal

    @property
    def folder(self) -> str:
        """Where it lies in the folder of its kind, such as `users.rpc`; its context is the first part."""
        return self.package.partition(".")[2]

    @property
    def ready_path(self) -> str:
        return "/ready" if self.is_consumer else "/health"

    @property
    def metrics_port(self) -> int | None:
        """Where it tells metrics unless a setting says otherwise, if not where it listens: gRPC is no HTTP."""
        return self.port + METRICS_BESIDE if self.kind == "grpc" else None

    @property
    def port_setting(self) -> str:
        return f"{self.name.replace('-', '_')}_port"

    @property
    def metrics_port_setting(self) -> str | None:
        return f"{self.name.replace('-', '_')}_metrics_port" if self.metrics_port else None

    @property
    def ports(self) -> dict[str, int]:
        """Where it listens unless settings say otherwise, by the names of these settings."""
        ports = {self.port_setting: self.port}
        if self.metrics_port_setting and self.metrics_port:
            ports[self.metrics_port_setting] = self.metrics_port
        return ports
