"""Whom Prometheus asks, and how often."""

from typing import Any

from infra.metrics.server import TARGETS

SERVICES_JOB = "tailrace-services"


def configuration(address: str, *, every_s: int = 15, discover_s: int = 60) -> dict[str, Any]:
    """Return Prometheus's configuration.

    Args:
        address: Of the exporter, which tells where the services are.
    """
    return {
        "global": {
            "scrape_interval": f"{every_s}s",
            "scrape_timeout": f"{min(every_s, 10)}s",
            "evaluation_interval": f"{every_s}s",
        },
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [
            {"job_name": "tailrace", "static_configs": [{"targets": [address]}]},
            {
                "job_name": SERVICES_JOB,
                "http_sd_configs": [
                    {"url": f"http://{address}{TARGETS}", "refresh_interval": f"{discover_s}s"}
                ],
            },
        ],
    }
