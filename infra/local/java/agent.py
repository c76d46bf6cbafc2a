"""Prometheus's agent in a JVM: it tells on loopback what only the JVM knows, by the rules that everybody is handed."""

from dataclasses import replace
from pathlib import Path

from infra.local.java import artifacts
from infra.local.java.process import Process
from infra.observability import JVM_RULES
from infra.settings import HOST
from schemas.files import replace_file

PART = "agent"


def attached(process: Process, *, cache: Path, port: int) -> Process:
    """Return the same process with the agent, listening on a port."""
    (jar,) = artifacts.class_path(cache, PART)
    # a copy: the agent reads it anew when it changes
    rules = process.directory / JVM_RULES.name
    replace_file(rules, JVM_RULES.read_text())
    java, *rest = process.argv
    # a JVM with an agent refuses the start-up cache, and says so in five lines
    kept = (word for word in rest if not word.startswith("-XX:AOT"))
    argv = [java, f"-javaagent:{jar}={HOST}:{port}:{rules}", *kept]
    return replace(process, argv=argv, files=(*process.files, rules))
