"""What becomes of a mail that is handed to a server, and what is told of it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consumers.notifications.mailer import CapturedMailer, Mail, MailServerError, SmtpMailer
from consumers.replay.outside import CapturedOutside, noted
from consumers.runtime.failures import PoisonError, is_transient
from tests.mail_server import MailServer, Reply, welcoming

MAIL = Mail(
    message_id="<01a2@tailrace.invalid>",
    sender="welcome@tailrace.invalid",
    recipient="ada@example.com",
    subject="Welcome",
    text="Hello,\n\n.\nyou are welcome.\n",
    dated=datetime(2026, 11, 28, 12, tzinfo=UTC),
)


def outcome(
    reply: Reply, *, greeting: str = "220 here", farewell: str = "221 bye", mail: Mail = MAIL
) -> Exception:
    """Hand a mail to a server that does not take it, and return the error."""

    async def run() -> Exception:
        server = MailServer(reply)
        server.greeting, server.farewell = greeting, farewell
        async with server.open():
            with pytest.raises(Exception, match="mail server") as raised:
                await SmtpMailer("127.0.0.1", server.port, timeout_s=0.5).send(mail)
        assert not server.mails
        return raised.value

    return asyncio.run(run())


def answering(command: str, reply: str) -> Reply:
    return lambda line: reply if line.upper().startswith(command) else welcoming(line)


def test_a_mail_arrives_under_the_same_id_however_often_it_is_sent() -> None:
    async def run() -> list[tuple[str, str, str, str]]:
        async with MailServer().open() as server:
            mailer = SmtpMailer("127.0.0.1", server.port)
            await mailer.send(MAIL)
            await mailer.send(MAIL)
        return [
            (each["Message-ID"], each["To"], each["Date"], each.get_content())
            for each in server.mails
        ]

    first, second = asyncio.run(run())
    assert first == second
    message_id, recipient, dated, text = first
    assert (message_id, recipient) == (MAIL.message_id, MAIL.recipient)
    assert dated == "Sat, 28 Nov 2026 12:00:00 +0000"
    assert "you are welcome." in text


FAREWELLS = ["250 all right", "421 too busy", "502 what?", "554 no", "bye", "", "999 x"]


@pytest.mark.parametrize("farewell", FAREWELLS)
def test_a_mail_that_was_taken_is_sent_whatever_is_said_at_the_end(farewell: str) -> None:
    async def run() -> int:
        server = MailServer()
        server.farewell = farewell
        async with server.open():
            await SmtpMailer("127.0.0.1", server.port, timeout_s=0.5).send(MAIL)
        return len(server.mails)

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("farewell", FAREWELLS)
def test_what_is_said_at_the_end_does_not_hide_why_a_mail_was_refused(farewell: str) -> None:
    error = outcome(answering("RCPT", "550 nobody here"), farewell=farewell)
    assert isinstance(error, PoisonError)
    assert "by reply 550" in str(error)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_what_is_refused_for_good_is_not_tried_again_and_names_nobody(command: str) -> None:
    error = outcome(answering(command, "550 5.1.1 <ada@example.com>: nobody here"))
    assert isinstance(error, PoisonError)
    assert str(error).endswith("by reply 550")
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_an_address_that_the_server_has_no_letters_for_is_not_tried_again() -> None:
    error = outcome(welcoming, mail=replace(MAIL, recipient="ada@bücher.example"))
    assert isinstance(error, PoisonError)
    assert "SMTPUTF8" in str(error)
    assert "ada" not in str(error)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_what_is_not_taken_now_is_tried_again_later(command: str) -> None:
    error = outcome(answering(command, "451 4.7.1 ada@example.com: come back"))
    assert isinstance(error, MailServerError)
    assert not is_transient(error)
    assert "ada" not in str(error)


def test_a_server_that_does_not_serve_is_waited_for() -> None:
    assert is_transient(outcome(welcoming, greeting="554 not today"))
    assert is_transient(outcome(answering("MAIL", "")))


def test_a_server_that_is_not_there_is_waited_for() -> None:
    async def run() -> None:
        async with MailServer().open() as server:
            mailer = SmtpMailer("127.0.0.1", server.port)
        with pytest.raises(OSError, match="refused") as raised:
            await mailer.send(MAIL)
        assert is_transient(raised.value)

    asyncio.run(run())


def test_in_a_replay_a_mail_is_noted_without_its_recipient() -> None:
    mailer = CapturedOutside().party("mail server", lambda: pytest.fail("real"), CapturedMailer)
    token = noted.set([])
    try:
        asyncio.run(mailer.send(MAIL))
        [effect] = noted.get() or []
    finally:
        noted.reset(token)
    assert (effect.party, effect.action, effect.key) == ("mail server", "mail", MAIL.message_id)
    assert "ada" not in str(effect)


def test_a_mail_is_shown_without_its_recipient() -> None:
    assert "ada@" not in repr(MAIL)
    assert replace(MAIL, recipient="eve@example.com") != MAIL
