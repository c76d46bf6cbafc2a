"""Tables change while somebody writes to them in the other order: nobody waits for ever, and both get their way."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from cdc import migrations
from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER, SUPERUSER
from tests.again import show
from tests.stack import RunningStack

TABLES = ("first", "second")
REVISION = '''"""A column more."""

from cdc.migrations import operations

revision = "{number}"
down_revision = {before}


def upgrade() -> None:
    operations.execute("alter table {table} add column more int")
'''
LOCKED = """
select from pg_locks
where locktype = 'relation' and relation = %s::regclass and mode = 'AccessExclusiveLock' and granted
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of migrations that changes one table after the other."""
    name = f"package_{new_id().hex}"
    versions = tmp_path / name / "versions"
    versions.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    for number, table in enumerate(TABLES, 1):
        before = repr(str(number - 1)) if number > 1 else "None"
        text = REVISION.format(number=number, before=before, table=table)
        (versions / f"{number:04}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.fixture
def schema(stack: RunningStack) -> Iterator[str]:
    """A schema with the tables."""
    name = f"changing_{new_id().hex}"
    with psycopg.connect(stack.database_url(OWNER), autocommit=True) as owner:
        owner.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
        for table in TABLES:
            owner.execute(sql.SQL("create table {} (id int)").format(sql.Identifier(name, table)))
        yield name
        owner.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))


def test_a_migration_lets_a_writer_go_first_who_has_what_it_wants(
    stack: RunningStack, schema: str, package: str
) -> None:
    writes = 0
    with (
        psycopg.connect(stack.database_url(SUPERUSER)) as writer,
        psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as watcher,
        ThreadPoolExecutor(1) as executor,
    ):
        first, second = (sql.Identifier(schema, table) for table in TABLES)
        insert = sql.SQL("insert into {} values (1)")
        writer.execute(insert.format(second))
        changing = executor.submit(
            migrations.upgrade,
            stack.database_url(OWNER),
            schema=schema,
            packages=[package],
            role=OWNER,
        )
        wait_until(
            "the migration does not have the first table",
            lambda: watcher.execute(LOCKED, [f"{schema}.first"]).fetchone() is not None,
            timeout_s=60,
            interval_s=0.01,
        )
        show(not changing.done(), "the migration did not wait for the second table")
        while True:
            writes += 1
            try:
                writer.execute(insert.format(first))
                writer.commit()
                break
            except psycopg.errors.DeadlockDetected:
                writer.rollback()
                writer.execute(insert.format(second))
        assert changing.result(timeout=120) == ["1", "2"]
        counts = [
            watcher.execute(
                sql.SQL("select count(more), count(*) from {}").format(table)
            ).fetchall()
            for table in (first, second)
        ]
    assert counts == [[(0, 1)], [(0, 1)]]
