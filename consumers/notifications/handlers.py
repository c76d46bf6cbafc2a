"""What notifications does about each message, inside the transaction it is given."""

from consumers.notifications.mailer import Mail, Mailer
from schemas.messages.users import UserSignedUp
from tailrace import Work, handles, load_queries

QUERIES = load_queries(__package__)

SUBJECT = "Welcome"
TEXT = """\
Hello,

you have signed up with this address, and we are glad to have you.
"""


class NotificationHandlers:
    """Handlers of notifications.

    Args:
        mailer: Carries the mails.
        sender: Address that they come from.
    """

    def __init__(self, mailer: Mailer, sender: str) -> None:
        self._mailer = mailer
        self._sender = sender

    @handles(UserSignedUp)
    async def welcome(self, user: UserSignedUp, work: Work) -> None:
        """Write a welcome mail, keep it and have it carried.

        The mail server may be handed the same mail again when the transaction fails after its answer. What it is
        called is the same then, as it follows from the message.
        """
        domain = self._sender.rpartition("@")[2]
        mail = Mail(
            message_id=f"<{work.delivery.message_id}@{domain}>",
            sender=self._sender,
            recipient=user.email,
            subject=SUBJECT,
            text=TEXT,
            dated=user.signed_up_at,
        )
        await work.connection.execute(
            QUERIES["keep"],
            {
                "message_id": mail.message_id,
                "user_id": user.user_id,
                "recipient": mail.recipient,
                "subject": mail.subject,
                "body": mail.text,
                "written_at": work.now(),
            },
        )
        with work.calling(self._mailer.party):
            await self._mailer.send(mail)
