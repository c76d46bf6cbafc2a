"""Eureka as a process. Spring Boot is told its sources on the command line, so that there is no class to compile."""

import os
from pathlib import Path

from infra.local.java import artifacts, jvm, lockfile
from infra.settings import load_settings
from tests.eureka.lock import LOCK_FILE
from tests.processes import ServerProcess, answers
from tests.services import free_port

SPRING_BOOT = "org.springframework.boot"
SPRING_CLOUD = "org.springframework.cloud"
EUREKA = f"{SPRING_CLOUD}.netflix.eureka"
SOURCES = (
    f"{SPRING_BOOT}.autoconfigure.context.PropertyPlaceholderAutoConfiguration",
    f"{SPRING_BOOT}.tomcat.autoconfigure.servlet.TomcatServletWebServerAutoConfiguration",
    f"{SPRING_CLOUD}.commons.util.UtilAutoConfiguration",
    f"{SPRING_CLOUD}.autoconfigure.RefreshAutoConfiguration",
    f"{EUREKA}.EurekaClientAutoConfiguration",
    f"{EUREKA}.server.EurekaServerMarkerConfiguration",  # what @EnableEurekaServer brings in
    f"{EUREKA}.server.EurekaServerJerseyClientAutoConfiguration",
    f"{EUREKA}.server.EurekaServerAutoConfiguration",
)
"""What @EnableAutoConfiguration would find and Eureka needs."""
PROPERTIES = {
    "spring.main.banner-mode": "off",
    "server.address": "127.0.0.1",
    "server.servlet.register-default-servlet": "true",  # or Tomcat asks no filter, and Eureka is one
    "server.tomcat.threads.min-spare": 2,
    "eureka.dashboard.enabled": "false",
    "eureka.client.register-with-eureka": "false",
    "eureka.client.fetch-registry": "false",
    "eureka.server.enable-self-preservation": "false",
    # half a minute each otherwise
    "eureka.server.eviction-interval-timer-in-ms": 300,
    "eureka.server.response-cache-update-interval-ms": 100,
    # an answer put together while something changed would be kept for three minutes
    "eureka.server.response-cache-auto-expiration-in-seconds": 1,
}


class Eureka(ServerProcess):
    """Eureka on loopback; killed and started again it knows nobody."""

    def __init__(self, directory: Path) -> None:
        cache = load_settings().cache
        jars = artifacts.fetch(cache, lockfile.read(LOCK_FILE)["eureka"])
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        properties = {
            **PROPERTIES,
            "spring.main.sources": ",".join(SOURCES),
            "server.port": self.port,
        }
        program = jvm.Program(
            name="eureka",
            main_class=f"{SPRING_BOOT}.SpringApplication",
            class_path=jars,
            heap_mb=128,
            options=(
                "-XX:TieredStopAtLevel=1",
                "-Xshare:auto",
                f"-Djava.io.tmpdir={directory}",
                "--sun-misc-unsafe-memory-access=allow",
                "--enable-native-access=ALL-UNNAMED",
            ),
            arguments=tuple(f"--{name}={value}" for name, value in properties.items()),
        )
        super().__init__(
            jvm.command(program, cache=cache, aot=False),
            env=dict(os.environ),
            directory=directory,
            is_ready=answers(f"http://{self.address}/eureka/apps"),
        )
