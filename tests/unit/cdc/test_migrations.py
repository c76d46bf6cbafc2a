"""What the texts of migrations say of themselves, before Alembic is asked."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from cdc.migrations import newest_revision
from infra.services import MIGRATIONS

PACKAGES = sorted({package for packages in MIGRATIONS.values() for package in packages})


@pytest.mark.parametrize("package", PACKAGES)
def test_the_newest_revision_is_alembics(package: str) -> None:
    versions = Path(*package.split("."), "versions")
    directory = ScriptDirectory(str(versions.parent), version_locations=[str(versions)])
    assert newest_revision(package) == directory.get_current_head()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("annotated", ['revision: str = "a_1"\ndown_revision = None']),
        (
            "merging",
            [
                'revision = "a_1"\ndown_revision = None',
                'revision = "a_2"\ndown_revision = "a_1"',
                'revision = "a_3"\ndown_revision = ("a_1", "a_2")',
            ],
        ),
        (
            "branching",
            ['revision = "a_1"\ndown_revision = None', 'revision = "b_1"\ndown_revision = None'],
        ),
    ],
)
def test_what_is_written_otherwise_is_left_to_alembic(
    name: str, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = tmp_path / f"{name}_migrations" / "versions"
    versions.mkdir(parents=True)
    (versions.parent / "__init__.py").touch()
    for number, text in enumerate(texts):
        (versions / f"{number}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    assert newest_revision(f"{name}_migrations") is None
