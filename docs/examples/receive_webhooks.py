"""A receiver of webhooks: believes what is signed and fresh, acts once on each id, and answers before it does more.

SECRET=whsec_... python docs/examples/receive_webhooks.py 9000 seen.db
"""

import base64
import hashlib
import hmac
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_S = 300
LONGEST_BODY = 64 * 1024

secret = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
port, path = int(sys.argv[1]), sys.argv[2]
seen = sqlite3.connect(path)
seen.execute("create table if not exists seen (id text primary key)")


def is_genuine(webhook_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256))
    given = [
        each.removeprefix("v1,").encode() for each in signatures.split() if each.startswith("v1,")
    ]
    is_fresh = timestamp.isdecimal() and abs(time.time() - int(timestamp)) < TOLERANCE_S
    return is_fresh and any(hmac.compare_digest(each, expected) for each in given)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(min(length, LONGEST_BODY))
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        webhook_id, timestamp, signatures = (self.headers.get(name, "") for name in names)
        if not is_genuine(webhook_id, timestamp, signatures, body):
            self.answer(401)
            return
        with seen:  # in earnest: the transaction of the effect
            if seen.execute("insert or ignore into seen values (?)", [webhook_id]).rowcount:
                print(webhook_id, body.decode(), flush=True)
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


HTTPServer(("127.0.0.1", port), Receiver).serve_forever()
