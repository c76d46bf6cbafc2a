"""Maintainers' command `python -m infra.local.java.lock`: resolve the Java parts anew and write `artifacts.lock`.

It changes nothing at run time, where only what the lock names is downloaded. Debezium and log4j are
resolved as they are, not as bills of materials: log4j's imported management would otherwise pull
`kafka-clients` down to an older version. Every resolution is checked before it is written.
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from jgo.maven import Artifact as MavenArtifact
from jgo.maven import Dependency, MavenContext

from infra.errors import TailraceError
from infra.local.java.artifacts import repository_url
from infra.local.java.lockfile import LOCK_FILE, Artifact, render

KAFKA = "4.3.1"
DEBEZIUM = "3.6.3.Final"
APICURIO = "3.3.3"
LOG4J = "2.25.4"  # what Kafka itself is built with
ZIPKIN = "3.5.1"
AGENT = "1.0.1"  # of Prometheus, for JVMs

LOGGING = (
    f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J}",
    f"org.apache.logging.log4j:log4j-core:{LOG4J}",
)
CLASS_PATHS = {
    "kafka": (f"org.apache.kafka:kafka_2.13:{KAFKA}", *LOGGING),
    "connect": (
        f"org.apache.kafka:connect-runtime:{KAFKA}",
        f"io.debezium:debezium-connector-postgres:{DEBEZIUM}",
        *LOGGING,
    ),
}
# the registry comes as one archive: group, artifact, version, packaging, classifier
REGISTRY = ("io.apicurio", "apicurio-registry-app", APICURIO, "tar.gz", "all")

# as one jar that holds all others
ZIPKIN_SERVER = ("io.zipkin", "zipkin-server", ZIPKIN, "jar", "exec")

JMX_AGENT = ("io.prometheus.jmx", "jmx_prometheus_javaagent", AGENT, "jar", "")
SINGLE = {"registry": REGISTRY, "zipkin": ZIPKIN_SERVER, "agent": JMX_AGENT}

# group -> the version each of its artifacts must have
EXPECTED = {
    "org.apache.kafka": KAFKA,
    "io.debezium": DEBEZIUM,
    "org.apache.logging.log4j": LOG4J,
}
OLDEST_PGJDBC = (42, 7, 13)  # older ones have a known vulnerability


class LockError(TailraceError):
    """The resolution holds what must not be locked."""


def resolve(context: MavenContext, roots: Iterable[str]) -> list[MavenArtifact]:
    """All jars the roots need at run time, each once, sorted by their coordinates."""
    dependencies = [context.create_dependency(root) for root in roots]
    for dependency in dependencies:
        dependency.raw = True
        dependency.scope = "compile"
    inputs, transitive = context.resolver.resolve(dependencies)
    needed: list[Dependency] = [
        *inputs,
        *(found for found in transitive if found.scope in ("compile", "runtime")),
    ]
    artifacts = {found.artifact.key: found.artifact for found in needed}
    return [artifacts[key] for key in sorted(artifacts)]


def lock(artifact: MavenArtifact) -> Artifact:
    """Download the file and pin it."""
    path = artifact.resolve()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(
        artifact.groupId,
        artifact.artifactId,
        artifact.version,
        digest,
        path.stat().st_size,
        artifact.packaging,
        artifact.classifier,
    )


def check(part: str, artifacts: Iterable[Artifact]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for artifact in artifacts:
        wanted = EXPECTED.get(artifact.group, artifact.version)
        if artifact.version != wanted:
            raise LockError(f"{part}: {artifact.coordinates} was resolved, expected {wanted}.")
        if (artifact.group, artifact.name) in seen:
            raise LockError(f"{part}: {artifact.coordinates} is resolved in two versions.")
        seen[artifact.group, artifact.name] = artifact.version
    pgjdbc = seen.get(("org.postgresql", "postgresql"))
    if pgjdbc and tuple(map(int, pgjdbc.split("."))) < OLDEST_PGJDBC:
        raise LockError(f"{part}: the PostgreSQL driver {pgjdbc} is too old.")


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(
            repo_cache=Path(scratch), remote_repos={"maven": repository_url()}, timeout=60
        )
        parts = {
            part: [lock(artifact) for artifact in resolve(context, roots)]
            for part, roots in CLASS_PATHS.items()
        }
        for part, single in SINGLE.items():
            group, name, version, packaging, classifier = single
            component = context.project(group, name).at_version(version)
            parts[part] = [lock(component.artifact(classifier, packaging))]
    for part, artifacts in parts.items():
        check(part, artifacts)
    LOCK_FILE.write_text(render(parts), encoding="utf-8")
    for part, artifacts in parts.items():
        size = sum(artifact.size for artifact in artifacts)
        print(f"{part}: {len(artifacts)} artifacts, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LockError as error:
        sys.exit(str(error))
