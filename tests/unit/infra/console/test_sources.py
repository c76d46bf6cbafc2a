"""What the overview is made of, where what it is read from is down."""

from pathlib import Path
from typing import cast

import psycopg
import pytest

from infra.console.installation import Installation
from infra.console.overview import sources
from infra.console.overview.sources import Parts
from infra.deployment import Deployment, Publisher
from infra.operations.doctor import Check
from infra.schema_access import Schemas
from tests.stack import own_settings


def test_parts_of_another_installation_are_seen_while_postgres_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_down(_deployment: Deployment) -> Publisher:
        raise psycopg.OperationalError("connection refused")

    for module in ("infra.operations.doctor", "infra.console.overview.sources"):
        monkeypatch.setattr(f"{module}.publisher", is_down)
    monkeypatch.setattr(sources, "server_checks", lambda _, by: [Check(by, lambda: "well")])
    deployment = own_settings(tmp_path).deployment()
    installation = Installation(deployment=deployment, local=None, mode="look", actor="ada")
    parts, *_ = sources.sources(installation, Schemas(deployment))
    with parts.open() as look:
        assert cast("Parts", look()).states == {"cdc": "running"}
