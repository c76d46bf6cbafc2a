"""The mail server as notifications sees it: one by SMTP, or none at all."""

import asyncio
import smtplib
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol

from tailrace import Note, PoisonError

TIMEOUT_S = 10.0
FOR_GOOD = 500
"""Replies of SMTP from this number on stay the same however often it is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to one person."""

    message_id: (
        str  # of RFC 5322, the same however often it is sent, by which a reader knows it again
    )
    sender: str
    recipient: str = field(repr=False)  # personal, and not for logs
    subject: str
    text: str
    dated: datetime


class MailServerError(Exception):
    """The mail server does not take a mail just now; what it says may name people, so only its number is told."""


class Mailer(Protocol):
    """A party outside that carries mails.

    Attributes:
        party: What people call it, in traces.
    """

    party: str

    async def send(self, mail: Mail) -> None:
        """Hand a mail over; it may have been handed over before.

        Raises:
            OSError: the server is away, or does not answer.
            MailServerError: it does not take the mail just now.
            PoisonError: it will never take it.
        """
        ...


class NoMailer:
    """Carries nothing: the mail is in the mailbox, where one can look at it."""

    party = "mailbox"

    async def send(self, mail: Mail) -> None:
        pass


class CapturedMailer:
    """Stands in for the mail server in a replay: carries nothing, and notes what would have been sent."""

    party = "mail server's stand-in"

    def __init__(self, note: Note) -> None:
        self._note = note

    async def send(self, mail: Mail) -> None:
        self._note("mail", mail.message_id, {"subject": mail.subject})


class SmtpMailer:
    """Hands mails to an SMTP server nearby, such as a Postfix on the same machine, which carries them on."""

    party = "mail server"

    def __init__(self, host: str, port: int, *, timeout_s: float = TIMEOUT_S) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s

    async def send(self, mail: Mail) -> None:
        await asyncio.to_thread(self._send, mail)

    def _send(self, mail: Mail) -> None:
        try:
            with closing(smtplib.SMTP(self._host, self._port, timeout=self._timeout_s)) as server:
                server.send_message(_written(mail))
                # the mail is taken, whatever comes of this
                with suppress(OSError, smtplib.SMTPException):
                    server.putcmd("QUIT")
        except (
            smtplib.SMTPConnectError,
            smtplib.SMTPHeloError,
            smtplib.SMTPServerDisconnected,
        ):
            raise ConnectionError("the mail server is there and does not serve") from None
        except smtplib.SMTPNotSupportedError:
            raise PoisonError(
                "the mail server takes no mail whose addresses are not all ASCII (SMTPUTF8)"
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            [[code, _]] = error.recipients.values()
            raise _refused(code) from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None


def _refused(code: int) -> Exception:
    if code >= FOR_GOOD:
        return PoisonError(f"the mail server refuses the mail for good, by reply {code}")
    return MailServerError(f"the mail server does not take the mail now, by reply {code}")


def _written(mail: Mail) -> EmailMessage:
    written = EmailMessage()
    written["Message-ID"] = mail.message_id
    written["Date"] = format_datetime(mail.dated)
    written["From"] = mail.sender
    written["To"] = mail.recipient
    written["Subject"] = mail.subject
    written.set_content(mail.text)
    return written
