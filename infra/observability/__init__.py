"""Prometheus's configuration and rules, and Grafana's dashboards: made by `make generate`, and handed out for a port.

What is made is committed beside this, so that it can be used without Tailrace's code at hand.
"""

from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
ADDRESS = "127.0.0.1:18089"
"""Where the exporter of the local stack listens, unless its settings say otherwise."""
JVM_RULES = FOLDER / "jvm.yml"
"""What Prometheus's agent tells of a JVM of Kafka or Connect."""
KINDS = ("*.yml", "rules/*.yml", "dashboards/*.json", "grafana/*.yml")


def files() -> Iterator[Path]:
    """Yield what is committed, relative to the folder."""
    for kind in KINDS:
        yield from (path.relative_to(FOLDER) for path in sorted(FOLDER.glob(kind)))


def write(directory: Path, port: int) -> Iterator[Path]:
    """Write it all into a directory, for an exporter that listens on a port; yield each file that is written."""
    for path in files():
        text = (FOLDER / path).read_text().replace(ADDRESS, f"127.0.0.1:{port}")
        written = directory / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text)
        yield written
