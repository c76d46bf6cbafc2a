"""What notifications does about each message, on tables of its own and with a mail server that may be in trouble."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from cdc.ids import new_id
from consumers.notifications.bootstrap import Settings, create_consumer
from consumers.notifications.service import SERVICE
from consumers.runtime.outside import RealOutside
from consumers.testing.records import deliver
from infra.processes import settings_of
from schemas.messages.users import UserSignedUp
from tailrace import PostgresDatabase, Scenario
from tests.mail_server import MailServer, welcoming
from tests.stack import RunningStack

OnPostgres = Scenario[Any]


def user(email: str) -> UserSignedUp:
    signed_up_at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    return UserSignedUp(user_id=new_id(), email=email, signed_up_at=signed_up_at)


def play(
    stack: RunningStack, scene: Callable[[OnPostgres, MailServer], Awaitable[None]], **settings: Any
) -> None:
    async def run() -> None:
        async with MailServer().open() as server:
            by_smtp = {"smtp_host": "127.0.0.1", "smtp_port": server.port} | settings
            told = settings_of(SERVICE, Settings, stack.deployment, **by_smtp)
            database = PostgresDatabase(
                owner_url=stack.database_url("tailrace_owner"),
                url=told.database_url,
                packages=["consumers.notifications.migrations"],
            )
            async with database:
                await scene(Scenario(create_consumer(told, RealOutside()), database), server)

    asyncio.run(run())


def test_a_mail_is_written_once_whatever_happens(stack: RunningStack) -> None:
    async def scene(scenario: OnPostgres, server: MailServer) -> None:
        users = [user(f"{name}@example.com") for name in ("ada", "bob", "eve")]
        await scenario.torment(*users, ignoring=("written_at",))
        scenario.then_state(
            {"mailbox": [{"user_id": each.user_id, "recipient": each.email} for each in users]},
            ignoring=("message_id", "subject", "body", "written_at"),
        )
        assert not server.mails

    play(stack, scene, smtp_host="")


def test_a_mail_goes_to_the_server_once_under_the_id_that_is_kept(stack: RunningStack) -> None:
    async def scene(scenario: OnPostgres, server: MailServer) -> None:
        ada, bob = deliver(user("ada@example.com")), deliver(user("bob@example.com"))
        await scenario.when(ada, bob)
        await scenario.when(ada)
        scenario.then_duplicates(1)
        assert sorted(each["To"] for each in server.mails) == ["ada@example.com", "bob@example.com"]
        kept = {row["message_id"] for row in scenario.state["mailbox"]}
        assert {each["Message-ID"] for each in server.mails} == kept

    play(stack, scene)


def test_a_mail_that_is_not_taken_waits_and_the_others_go_on(stack: RunningStack) -> None:
    async def scene(scenario: OnPostgres, server: MailServer) -> None:
        def reply(line: str) -> str:
            if "late@" in line:
                return "451 come back"
            return "550 nobody" if "gone@" in line else welcoming(line)

        server.reply = reply
        late, gone, ada = (user(f"{name}@example.com") for name in ("late", "gone", "ada"))
        await scenario.when(late, gone, ada)
        assert {each["To"] for each in server.mails} == {"ada@example.com"}
        scenario.then_parked((str(late.user_id), "failed"), (str(gone.user_id), "failed"))
        scenario.then_dead_letters((str(gone.user_id), "failed"))
        assert not [each for each in scenario.parked if "@example.com" in each.error]
        server.reply = welcoming
        await scenario.settle()
        scenario.then_parked((str(gone.user_id), "failed"))
        assert server.mails[-1]["To"] == "late@example.com"
        assert len(scenario.state["mailbox"]) == 2

    play(stack, scene)


def test_a_server_that_is_away_holds_up_its_mails_and_loses_none(stack: RunningStack) -> None:
    async def scene(scenario: OnPostgres, server: MailServer) -> None:
        server.greeting = "421 closing"
        await scenario.when(user("ada@example.com"))
        assert not server.mails
        [parked] = scenario.parked
        assert "does not serve" in parked.error
        server.greeting = "220 here"
        await scenario.settle()
        assert [each["To"] for each in server.mails] == ["ada@example.com"]
        scenario.then_parked()

    play(stack, scene)
