"""The next release of a copy of the repository: what changes contracts, tables and code at once, and breaks nobody."""

import os
import subprocess
import sys
from pathlib import Path

NOTE = "of the next release"
"""What its orders say in a field that the release before does not know."""
FIELD = (
    '{"name": "note", "type": ["null", "string"], "default": null, "doc": "What is to be minded."}'
)
TABLES = {"outbox": "cdc/migrations/outbox", "consumer_offset": "consumers/runtime/migrations"}
"""Tables of the platform that get a column -> where their migrations are."""
MIGRATION = '''"""A column more."""

from cdc.migrations import operations

revision = "{name}_note"
down_revision = "{name}_{before:04}"


def upgrade() -> None:
    operations.execute("alter table {table} add column note text")
'''


def make_next(code: Path) -> None:
    """Turn a copy of the repository into its next release.

    Its orders fill a new optional field of their first event, and both tables that every message passes through have a
    column more.
    """
    _replace(code / "schemas/avro/orders/OrderCreated.avsc", "\n  ]\n}", f",\n    {FIELD}\n  ]\n}}")
    _replace(
        code / "producers/orders/domain.py",
        "pricing=pricing,\n        )\n",
        f'pricing=pricing,\n            note="{NOTE}",\n        )\n',
    )
    for table, place in TABLES.items():
        _add_migration(code / place / "versions", table)
    subprocess.run([sys.executable, "-m", "infra.generate"], cwd=code, env=plain(), check=True)


def plain() -> dict[str, str]:
    """Return the environment without settings of ours."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TAILRACE_")}


def _add_migration(versions: Path, table: str) -> None:
    newest = max(versions.glob("[0-9]*.py")).name
    before = int(newest.partition("_")[0])
    name = {"outbox": "outbox", "consumer_offset": "runtime"}[table]
    text = MIGRATION.format(name=name, before=before, table=table)
    (versions / f"{before + 1:04}_note.py").write_text(text)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, (
        f"{path.name} is another than it was when the next release was thought of"
    )
    path.write_text(text.replace(old, new))
