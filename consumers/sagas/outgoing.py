"""Messages that a saga sends, made ready for the outbox."""

from collections.abc import Iterable

from cdc.context import MessageContext
from cdc.outbox import Outbox, Outgoing
from consumers.sagas.run import Send


def outgoing(outbox: Outbox, sends: Iterable[Send], context: MessageContext) -> list[Outgoing]:
    return [
        outbox.outgoing(
            send.message,
            key=send.key,
            context=context,
            to=send.to,
            reply_to=send.reply_to,
            expires_at=send.expires_at,
            message_id=send.id,
        )
        for send in sends
    ]
