"""`tailrace relay`, where the connector publishes and where relays do."""

import json

from tests.stack import RunningStack


def test_where_the_connector_publishes_it_says_so(stack: RunningStack) -> None:
    result = stack.cli("relay", "status", check=False)
    assert result.returncode == 1
    assert "It is not the relay that publishes" in result.stdout
    assert json.loads(stack.cli("relay", "status", "--json", check=False).stdout)["shards"] == []
