"""A git repository with contracts of every kind, to be changed by tests."""

import atexit
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from schemas.gate import tree
from schemas.gate.baseline import from_git
from schemas.gate.check import Report, check

ORDER_CREATED = "avro/orders/OrderCreated.avsc"
READER = "readers/analytics-worker/orders.OrderCreated.avsc"
PROTO = "proto/shop/users/v1/users.proto"
OPENAPI = "rest/openapi/storefront.json"
TODAY = date(2026, 7, 1)

CATALOGUE = """\
[topics."order.events"]
owner = "orders"
aggregate = "order"
partitions = 6
retention_hours = 168
messages = ["orders.OrderCreated", "orders.OrderCancelled"]

[topics."order.events".consumers]
payments-worker = ["orders.OrderCreated"]
analytics-worker = ["orders.OrderCreated", "orders.OrderCancelled"]
"""

CREATED = """\
{
  "type": "record",
  "name": "OrderCreated",
  "namespace": "orders",
  "doc": "A customer placed an order.",
  "fields": [
    {"name": "order_id", "type": {"type": "string", "logicalType": "uuid"}, "doc": "Identity."},
    {"name": "customer_id", "type": "string", "doc": "Who ordered."},
    {"name": "channel", "type": {"type": "enum", "name": "Channel", "symbols": ["web", "shop"]}, "doc": "Where."},
    {"name": "total", "type": "long", "doc": "Sum, in cents."}
  ]
}
"""

CANCELLED = """\
{
  "type": "record",
  "name": "OrderCancelled",
  "namespace": "orders",
  "fields": [{"name": "order_id", "type": "string"}]
}
"""

READS = """\
{
  "type": "record",
  "name": "OrderCreated",
  "namespace": "orders",
  "fields": [
    {"name": "total", "type": "long"}
  ]
}
"""

USERS = """\
syntax = "proto3";

package shop.users.v1;

message User {
  string user_id = 1;
  string name = 2;
}
"""

STOREFRONT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "storefront", "version": "1"},
    "paths": {
        "/v1/orders": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"customer_id": {"type": "string"}},
                                "required": ["customer_id"],
                            }
                        }
                    },
                },
                "responses": {"201": {"description": "placed"}},
            }
        }
    },
}

FILES = {
    "catalogue.toml": CATALOGUE,
    ORDER_CREATED: CREATED,
    "avro/orders/OrderCancelled.avsc": CANCELLED,
    READER: READS,
    PROTO: USERS,
    OPENAPI: json.dumps(STOREFRONT, indent=2),
}


@dataclass(frozen=True)
class ContractRepository:
    """A repository whose contracts are in `schemas/`."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "ContractRepository":
        """Return a new one with the files above committed on main."""
        shutil.copytree(_committed(), root)
        return cls(root)

    @property
    def schemas(self) -> Path:
        return self.root / "schemas"

    def git(self, *arguments: str) -> str:
        """Run git; return what it prints."""
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        done = subprocess.run(
            ["git", "-C", str(self.root), *identity, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self) -> str:
        """Commit everything; return the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change")
        return self.git("rev-parse", "HEAD")

    def write(self, path: str, text: str) -> None:
        """Write a file below `schemas/`."""
        file = self.schemas / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def replace(self, path: str, before: str, after: str) -> None:
        """Replace what stands in a file once."""
        text = (self.schemas / path).read_text()
        assert text.count(before) == 1, f"{before!r} is not in {path} once"
        self.write(path, text.replace(before, after))

    def add_field(self, field: str, path: str = ORDER_CREATED) -> None:
        """Add a field at the end of a record, as JSON."""
        text = (self.schemas / path).read_text()
        head, end, tail = text.rpartition("\n  ]")
        self.write(path, f"{head},\n    {field}{end}{tail}")

    def check(self, ref: str = "main") -> Report:
        """Judge the working tree against a revision."""
        baseline = from_git(self.schemas, ref)
        files = tree.read(self.schemas)
        return check(files, baseline, today=TODAY, started=time.perf_counter())

    def refused(self, ref: str = "main") -> list[str]:
        """Return the findings as they are printed."""
        return [str(finding) for finding in self.check(ref).findings]


@cache
def _committed() -> Path:
    """Make the repository that all are copies of: git would take longer each time."""
    directory = tempfile.TemporaryDirectory()
    atexit.register(directory.cleanup)
    repository = ContractRepository(Path(directory.name))
    repository.git("init", "--quiet", "--initial-branch=main")
    for path, text in FILES.items():
        repository.write(path, text)
    repository.commit()
    return repository.root
