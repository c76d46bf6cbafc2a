"""A mail server for tests: it speaks SMTP over a real socket, and keeps what it is handed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

Reply = Callable[[str], str]
"""Returns what is said to a line that a client has sent."""


def welcoming(line: str) -> str:
    """Take everything."""
    return "354 go on" if line.upper() == "DATA" else "250 all right"


class MailServer:
    """Takes mails, unless it is told to answer otherwise.

    Args:
        reply: What it says to each line of a client; an empty answer hangs up.
    """

    def __init__(self, reply: Reply = welcoming) -> None:
        self.reply = reply
        self.greeting = "220 here"
        self.farewell = "221 bye"
        self.mails: list[EmailMessage] = []
        self.port = 0

    @asynccontextmanager
    async def open(self, port: int = 0) -> AsyncIterator["MailServer"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = self.greeting
        while answer:
            writer.write(f"{answer}\r\n".encode())
            line = (await reader.readline()).decode().strip()
            if answer.startswith("354"):
                content = f"{line}\r\n".encode() + await reader.readuntil(b"\r\n.\r\n")
                found = message_from_bytes(content, policy=policy.default)
                assert isinstance(found, EmailMessage)
                self.mails.append(found)
                answer = "250 taken"
                continue
            if not line or line == "QUIT":
                writer.write(f"{self.farewell}\r\n".encode())
                break
            answer = self.reply(line)
        writer.close()
