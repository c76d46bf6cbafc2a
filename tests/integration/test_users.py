"""Who signs up: once under an address, told of to all who read it, each at its own pace."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psycopg

from cdc.ids import new_id
from infra.local.probe import wait_until
from schemas.messages.users import UserSignedUp
from tests import plain_http
from tests.kafka import records_of
from tests.stack import RunningStack


def sign_up(stack: RunningStack, email: str) -> httpx2.Response:
    url = f"{stack.settings.url_of('users')}/v1/users"
    return plain_http.post(url, json={"email": email})


def signed_up(stack: RunningStack, count: int) -> list[str]:
    """Sign up some users of their own, and return their ids."""
    answers = [sign_up(stack, f"{new_id().hex}@example.com") for _ in range(count)]
    assert {each.status_code for each in answers} == {201}, answers[0].text
    return [each.json()["user_id"] for each in answers]


def rows(stack: RunningStack, role: str, query: str, *parameters: Any) -> list[Any]:
    with psycopg.connect(stack.database_url(role)) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def counted(stack: RunningStack) -> int:
    [[count]] = rows(stack, "analytics", "select coalesce(sum(signed_up), 0) from sign_ups_per_day")
    return int(count)


def written_to(stack: RunningStack, user_ids: Sequence[str]) -> list[str]:
    """Return to which of some users a mail was written, as often as there is one."""
    query = "select user_id::text from mailbox where user_id = any(%s::uuid[])"
    return sorted(user_id for (user_id,) in rows(stack, "notifications", query, list(user_ids)))


def test_a_user_is_kept_shown_and_told_of(stack: RunningStack) -> None:
    email = f"Ada.{new_id().hex}@example.com"
    answer = sign_up(stack, email)
    assert answer.status_code == 201, answer.text
    user = answer.json()
    assert user["email"] == email
    url = f"{stack.settings.url_of('users')}/v1/users/{user['user_id']}"
    assert plain_http.get(url).json() == user
    assert answer.headers["location"] in url

    query = "select id from outbox where kind = 'event' and aggregate_id = %s"
    [[message_id]] = rows(stack, "users", query, user["user_id"])
    [record] = records_of(stack, "user.events", until=message_id)[str(message_id)]
    assert record.headers["ce_type"] == UserSignedUp.NAME
    assert record.key == user["user_id"].encode()


def test_an_address_is_taken_once_however_it_is_spelt_and_whoever_comes_at_once(
    stack: RunningStack,
) -> None:
    email = f"eve.{new_id().hex}@example.com"
    with ThreadPoolExecutor(8) as at_once:
        answers = list(at_once.map(lambda _: sign_up(stack, email), range(8)))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 7
    refused = sign_up(stack, email.upper())
    assert (refused.status_code, refused.json()["title"]) == (409, "E-mail address taken")
    assert refused.json()["type"].endswith("email-taken")
    query = "select count(*) from app_user where lower(email) = %s"
    assert rows(stack, "users", query, email) == [(1,)]


def test_what_is_not_there_or_not_right_is_a_problem(stack: RunningStack) -> None:
    url = f"{stack.settings.url_of('users')}/v1/users/00000000-0000-7000-8000-000000000000"
    missing = plain_http.get(url)
    assert (missing.status_code, missing.json()["title"]) == (404, "No such user")
    for email in ("", "ada", "ada@", "@example.com", "a b@example.com", "a@b", "a\n@example.com"):
        assert sign_up(stack, email).status_code == 422, email
    for email in ("a@example.com,b@example.com", "<a@example.com>", "ä@example.com"):
        assert sign_up(stack, email).status_code == 422, email


def test_each_subscriber_goes_at_its_own_pace_and_a_stopped_one_catches_up(
    stack: RunningStack,
) -> None:
    before = counted(stack)
    stack.stop("notifications-worker")
    user_ids = signed_up(stack, 20)
    wait_until("they are not counted", lambda: counted(stack) == before + 20, timeout_s=60)
    assert written_to(stack, user_ids) == []
    stack.start("notifications-worker")
    wait_until(
        "not all were written to", lambda: len(written_to(stack, user_ids)) >= 20, timeout_s=60
    )
    assert written_to(stack, user_ids) == sorted(user_ids)
    assert counted(stack) == before + 20
    for part in ("users", "notifications-worker", "analytics-worker"):
        assert "@example.com" not in stack.log(part), part
