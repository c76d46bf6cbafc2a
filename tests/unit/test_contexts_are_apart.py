"""Who may import whom, beyond the layers in `pyproject.toml`: contexts know the contracts, and not each other."""

import grimp
import pytest

from infra.services import SERVICES

GRAPH = grimp.build_graph("schemas", "cdc", "producers", "consumers", "infra")
CONTEXTS = [service.package for service in SERVICES if service.kind != "relay"]
KIT = "consumers.testing"


def imports(source: str, target: str) -> set[tuple[str, str]]:
    """Return which modules of a package import which of another one."""
    return {
        (module, imported)
        for module in GRAPH.modules
        if within(module, source)
        for imported in GRAPH.find_modules_directly_imported_by(module)
        if within(imported, target)
    }


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def name_of(package: str) -> str:
    return package.split(".")[1]


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_context_knows_the_other_half_of_itself_at_most(context: str) -> None:
    others = [each for each in CONTEXTS if name_of(each) != name_of(context)]
    assert not [found for other in others for found in imports(context, other)]


@pytest.mark.parametrize("context", CONTEXTS)
def test_what_all_contexts_use_knows_none_of_them(context: str) -> None:
    folders = {module.split(".")[1] for module in GRAPH.modules if module.count(".") == 1}
    shared = {
        f"{root}.{folder}"
        for root in ("producers", "consumers", "infra")
        for folder in folders - {name_of(each) for each in CONTEXTS}
    }
    assert {
        f"{KIT}",
        "consumers.runtime",
        "consumers.replay",
        "producers.rest",
        "producers.grpc",
    } <= shared
    assert not [found for package in shared for found in imports(package, context)]


@pytest.mark.parametrize("package", [*CONTEXTS, "consumers.runtime", "consumers.replay", "infra"])
def test_what_runs_in_earnest_knows_nothing_of_the_test_kit(package: str) -> None:
    assert not imports(package, KIT)
