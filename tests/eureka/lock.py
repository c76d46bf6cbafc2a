"""Maintainers' command `python -m tests.eureka.lock`: resolve Eureka anew with Maven, and write `artifacts.lock`."""

import shutil
import sys
import tempfile
from pathlib import Path

from jgo.maven import MavenContext, MvnResolver

from infra.local.java.artifacts import repository_url
from infra.local.java.lock import lock
from infra.local.java.lockfile import render

STARTER = "org.springframework.cloud:spring-cloud-starter-netflix-eureka-server:5.0.3"
LOCK_FILE = Path(__file__).with_name("artifacts.lock")
HEADER = """\
# The Java artifacts of the Eureka that tests start, one per line: coordinates, sha256, size in bytes.
# Written by `python -m tests.eureka.lock`; do not edit.
"""


def main() -> str | None:
    maven = shutil.which("mvn")
    if maven is None:
        # jgo's own resolution takes versions that Spring's own bill of materials rules out
        return "There is no `mvn` here to resolve the artifacts with: install Maven, and run this again."
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(
            repo_cache=Path(scratch),
            remote_repos={"maven": repository_url()},
            timeout=60,
            resolver=MvnResolver(Path(maven)),
        )
        starter = context.create_dependency(STARTER)
        starter.scope = "compile"
        inputs, transitive = context.resolver.resolve([starter])
        needed = [each for each in transitive if each.scope in {"compile", "runtime"}]
        artifacts = {each.artifact.key: each.artifact for each in (*inputs, *needed)}
        locked = [lock(artifacts[key]) for key in sorted(artifacts)]
    LOCK_FILE.write_text(render({"eureka": locked}, header=HEADER), encoding="utf-8")
    size = sum(each.size for each in locked)
    sys.stdout.write(f"{len(locked)} artifacts, {size / 1e6:.1f} MB\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
