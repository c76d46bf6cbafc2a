"""Zipkin: keeps the traces of the last while in memory, and shows them."""

from pathlib import Path

from infra.local.java import artifacts, jvm
from infra.local.java.configuration import jvm_options, make_directory
from infra.local.java.process import Process
from infra.local.probe import http_ok
from infra.settings import HOST

PART = "zipkin"
HEAP_MB = 160
MOST_SPANS = 20_000
"""Some 400 orders; those that came first are forgotten. With twice as many the heap was used up."""


def prepare(*, home: Path, cache: Path, port: int) -> Process:
    """Describe its process.

    Args:
        home: The stack's home; everything goes to `<home>/zipkin`.
    """
    directory = make_directory(home, PART)
    program = jvm.Program(
        name=PART,
        # the jar holds others, which only its own launcher finds
        main_class="org.springframework.boot.loader.launch.JarLauncher",
        class_path=artifacts.class_path(cache, PART),
        heap_mb=HEAP_MB,
        options=(
            "-XX:TieredStopAtLevel=1",
            *jvm_options(directory),
            f"-Darmeria.ports[0].ip={HOST}",
            f"-Darmeria.ports[0].port={port}",
            "-Darmeria.ports[0].protocols[0]=http",
            "-Dzipkin.storage.type=mem",
            f"-Dzipkin.storage.mem.max-spans={MOST_SPANS}",
            # all other ways in are left out, with what they would connect to
            *(f"-Dzipkin.collector.{each}.enabled=false" for each in OTHER_COLLECTORS),
        ),
    )
    return Process(PART, jvm.command(program, cache=cache, aot=False), {}, directory, ())


OTHER_COLLECTORS = ("activemq", "grpc", "kafka", "rabbitmq", "scribe")


def is_ready(port: int) -> bool:
    return http_ok(port, "/health")
