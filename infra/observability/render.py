"""Everything for Prometheus and Grafana as files: `make generate` writes it."""

import json
from pathlib import Path
from typing import Any

import yaml

from infra.observability import ADDRESS, JVM_RULES
from infra.observability.alerts import Thresholds, rules
from infra.observability.dashboards import dashboards
from infra.observability.jvms import agent_rules
from infra.observability.scraping import configuration

FOLDER = Path("infra/observability")
WRITTEN = "# Written by `make generate`; changes made here are lost.\n"
DATASOURCE = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "Prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": "http://127.0.0.1:9090",
            "isDefault": True,
        }
    ],
}
PROVIDER = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "Tailrace",
            "folder": "Tailrace",
            "type": "file",
            "options": {"path": "/etc/grafana/dashboards/tailrace"},
        }
    ],
}


def render() -> dict[Path, str]:
    return {FOLDER / path: text for path, text in _files().items()}


def _files() -> dict[Path, str]:
    return {
        Path("prometheus.yml"): as_yaml(configuration(ADDRESS)),
        Path(JVM_RULES.name): as_yaml(agent_rules()),
        Path("rules/tailrace.yml"): as_yaml(rules(Thresholds())),
        Path("grafana/datasource.yml"): as_yaml(DATASOURCE),
        Path("grafana/dashboards.yml"): as_yaml(PROVIDER),
        **{
            Path("dashboards", f"{uid}.json"): f"{json.dumps(board, indent=1)}\n"
            for uid, board in dashboards().items()
        },
    }


def as_yaml(value: Any) -> str:
    return WRITTEN + str(yaml.safe_dump(value, sort_keys=False, width=120))
