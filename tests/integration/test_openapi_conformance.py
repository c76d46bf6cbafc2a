"""The services keep to their OpenAPI documents whatever they are sent: schemathesis tries, with all its checks on."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.services import SERVICES
from tests import plain_http
from tests.stack import RunningStack

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
REST = [service.name for service in SERVICES if service.kind == "rest"]
EXAMPLES = 3  # of each operation at most, beside those that follow from its schema
SEED = 55
WITHOUT_VERSION = r"^/(?!v[0-9]+/)"
"""Paths that lead to the same operations as those with a version."""


@pytest.mark.parametrize("service", REST)
def test_a_service_keeps_to_its_description(
    stack: RunningStack, service: str, tmp_path: Path
) -> None:
    url = stack.settings.url_of(service)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIGURATION}", "run"),
            *(f"{url}/openapi.json", f"--max-examples={EXAMPLES}", f"--seed={SEED}"),
            *(f"--exclude-path-regex={WITHOUT_VERSION}", "--phases=coverage,fuzzing,stateful"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    if service == "webhooks":
        _disable_endpoints(url)


def _disable_endpoints(url: str) -> None:
    """Have nobody called any more that was registered here, so that other tests are alone with their receivers."""
    following: str | None = "/v1/endpoints?limit=200"
    while following:
        page = plain_http.get(f"{url}{following}").json()
        for endpoint in page["endpoints"]:
            if endpoint["status"] == "enabled":
                plain_http.post(f"{url}/v1/endpoints/{endpoint['endpoint_id']}/disable")
        following = page["next"]
