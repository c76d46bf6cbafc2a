"""The schema registry: Apicurio with its storage in PostgreSQL, serving the Confluent-compatible API."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from infra.errors import TailraceError
from infra.local.java import artifacts, jvm
from infra.local.java.configuration import jvm_options, make_directory, write_properties
from infra.local.java.process import Process
from infra.local.probe import http_status
from infra.services import PUBLISHER, REGISTRY_ADMIN
from infra.settings import HOST

HEAP_MB = 256
ROLE = DATABASE = "registry"
WITH_DATABASE = "/apis/ccompat/v7/config"  # a path that is answered out of the database
USERS = {PUBLISHER: "sr-developer", REGISTRY_ADMIN: "sr-admin"}
"""Who may change something -> by which role of the registry's."""

# The distribution is made to be run by a launcher with class loaders of its own, whose classes a
# start-up cache cannot hold; with all jars on the class path it starts in 60% of the time.
LAUNCHER_OPTIONS = (
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
)
# Compiling lightly starts faster, and nothing here is called often enough to deserve more.
COMPILER_OPTIONS = ("-XX:TieredStopAtLevel=1",)


class RegistryError(TailraceError):
    """The registry cannot be set up."""


def prepare(*, home: Path, cache: Path, port: int, database_url: str, aot: bool = True) -> Process:
    """Write the registry's configuration and describe its process; it needs its database.

    Args:
        home: the stack's home; everything goes to `<home>/registry`, the passwords are read from `<home>/secrets`:
            the registry's own, and that of the role that may write to it.
        database_url: for JDBC, of the database `registry`, owned by the role `registry`.
    """
    storage = {
        "apicurio.storage.sql.kind": "postgresql",
        "apicurio.datasource.url": database_url,
        "apicurio.datasource.username": ROLE,
        "apicurio.datasource.password": _secret(home, ROLE),
    }
    passwords = {name: _secret(home, name) for name in USERS}
    return describe(
        home=home, cache=cache, port=port, storage=storage, passwords=passwords, aot=aot
    )


def describe(
    *,
    home: Path,
    cache: Path,
    port: int,
    storage: Mapping[str, str],
    passwords: Mapping[str, str],
    aot: bool,
) -> Process:
    """The same with any storage; with none given the registry keeps everything in memory."""
    directory = make_directory(home, "registry")
    configuration = write_properties(
        directory / "application.properties",
        {**settings(directory, port=port), **access(passwords), **storage},
    )
    program = jvm.Program(
        name="registry",
        main_class="io.quarkus.runner.GeneratedMain",
        class_path=artifacts.class_path(cache, "registry"),
        heap_mb=HEAP_MB,
        options=(
            *COMPILER_OPTIONS,
            *LAUNCHER_OPTIONS,
            *jvm_options(directory),
            f"-Dquarkus.config.locations={configuration.as_uri()}",
        ),
    )
    argv = jvm.command(program, cache=cache, aot=aot)
    return Process("registry", argv, {}, directory, (configuration,))


def is_ready(port: int) -> bool:
    """Tell whether the registry serves its API, with its database behind it."""
    return http_status(port, WITH_DATABASE) == HTTPStatus.OK


def has_failed(port: int) -> bool:
    """Tell whether the registry runs on without its tables, which it tries to make once, when it starts.

    On a busy machine it was seen to fail at that, and to answer everything with an error from then on.
    """
    return http_status(port, WITH_DATABASE) == HTTPStatus.INTERNAL_SERVER_ERROR


def access(passwords: Mapping[str, str]) -> dict[str, object]:
    """Everybody may read; to write takes the publisher's password, to put lost ids back the administrator's.

    The publisher may register versions and set the rules of subjects, but not change the registry
    itself: its global rule, its settings, its import.
    """
    users = "quarkus.security.users.embedded"
    return {
        "quarkus.http.auth.basic": True,
        f"{users}.plain-text": True,
        **{f"{users}.users.{name}": password for name, password in passwords.items()},
        **{f"{users}.roles.{name}": USERS[name] for name in passwords},
        "apicurio.auth.role-based-authorization": True,
        "apicurio.auth.anonymous-read-access.enabled": True,
    }


def settings(directory: Path, *, port: int) -> dict[str, object]:
    return {
        "quarkus.http.host": HOST,
        "quarkus.http.port": port,
        "quarkus.http.access-log.enabled": False,
        "quarkus.banner.enabled": False,
        # the second server, for metrics, has no address to listen on
        "quarkus.management.host-enabled": False,
        "quarkus.otel.sdk.disabled": True,
        "quarkus.log.console.format": "%d{yyyy-MM-dd HH:mm:ss.SSS} %-5p [%c{1}] %m%n%e",
        'quarkus.log.category."io.quarkus.config".level': "ERROR",
        # it complains of quarkus.http.auth.basic, which Apicurio does heed when it starts
        'quarkus.log.category."io.quarkus.runtime.configuration".level': "ERROR",
        "quarkus.thread-pool.max-threads": 16,
        "quarkus.vertx.event-loops-pool-size": 2,
        "apicurio.storage.kind": "sql",
        "apicurio.usage.telemetry.enabled": False,
        "apicurio.import.work-dir": directory / "tmp",
        "apicurio.storage.snapshot.location": directory / "tmp",
        "apicurio.datasource.jdbc.initial-size": 1,
        "apicurio.datasource.jdbc.min-size": 1,
        "apicurio.datasource.jdbc.max-size": 8,
    }


def _secret(home: Path, name: str) -> str:
    path = home / "secrets" / f"{name}.password"
    try:
        return path.read_text().rstrip("\n")
    except OSError as error:
        raise RegistryError(
            f"The registry's password cannot be read from {path} ({error.strerror}): "
            "run `make up`, which generates it."
        ) from error
