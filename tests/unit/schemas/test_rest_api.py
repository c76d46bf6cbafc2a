"""What a REST API may declare of its versions and its problems."""

from datetime import date

import pytest

from schemas.rest.api import Api
from schemas.rest.orders import API, V1, V2
from schemas.rest.problem import UNAVAILABLE, ProblemType, require_distinct
from schemas.rest.versions import Version

NO_ENTRY = ProblemType("catalog-entry-not-found", "No such entry")


@pytest.mark.parametrize("versions", [(), (V2, V1), (V1, V1)])
def test_versions_are_declared_oldest_first(versions: tuple[Version, ...]) -> None:
    with pytest.raises(ValueError, match="the versions of catalog are not there, oldest first"):
        Api("catalog", versions)


def test_an_end_is_announced_before_it_comes() -> None:
    with pytest.raises(ValueError, match="before it is deprecated"):
        Version(7, sunset_on=date(2030, 1, 1))
    with pytest.raises(ValueError, match="before it is deprecated"):
        Version(7, deprecated_on=date(2030, 1, 1), sunset_on=date(2030, 1, 1))


def test_a_version_is_followed_by_the_next_one_of_its_own_api() -> None:
    catalog = Api("catalog", (Version(1),))
    assert (API.successor_of(V1), API.successor_of(V2)) == (V2, None)
    assert catalog.successor_of(catalog.versions[0]) is None


@pytest.mark.parametrize("again", [NO_ENTRY, ProblemType(NO_ENTRY.name, "Gone"), UNAVAILABLE])
def test_a_problem_has_a_name_of_its_own(again: ProblemType) -> None:
    with pytest.raises(ValueError, match=f"the problem {again.name} is declared 2 times"):
        Api("catalog", (Version(1),), problems=(NO_ENTRY, again))


def test_no_two_apis_declare_the_same_problem() -> None:
    require_distinct([NO_ENTRY, *API.problems])
    with pytest.raises(ValueError, match="order-not-found"):
        require_distinct([*API.problems, *API.problems])
