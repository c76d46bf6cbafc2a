"""Wires the notifications service together; nothing is built anywhere else."""

from pydantic import Field

from consumers.notifications.handlers import NotificationHandlers
from consumers.notifications.mailer import CapturedMailer, Mailer, NoMailer, SmtpMailer
from tailrace import Consumer, Outside, Table, WorkerSettings


class Settings(WorkerSettings):
    """Settings of the notifications service."""

    # mail server that mails are handed to, without TLS and login; empty: they stay in the mailbox
    smtp_host: str = ""
    smtp_port: int = Field(default=25, ge=1, le=65535)
    mail_from: str = Field(
        default="welcome@tailrace.invalid", pattern=r"^[!-?A-~]+@[A-Za-z0-9.-]+$"
    )


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    mailer = outside.party("mail server", lambda: _mailer(settings), CapturedMailer)
    handlers = NotificationHandlers(mailer, settings.mail_from)
    return Consumer(
        name="notifications-worker",
        handlers=[handlers.welcome],
        max_batch=1,  # a mail that was sent is not sent again since the next one takes long
        tables={
            "mailbox": Table(
                key=("user_id",), leave_out=frozenset({"written_at"}), record_key="user_id"
            )
        },
    )


def _mailer(settings: Settings) -> Mailer:
    if not settings.smtp_host:
        return NoMailer()
    return SmtpMailer(settings.smtp_host, settings.smtp_port)
