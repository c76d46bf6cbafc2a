"""Sessions of those who have signed in; they are kept in memory, and end with the process."""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import defaultdict, deque
from dataclasses import dataclass

from anyio import to_thread

from infra.console.installation import Installation
from infra.console.users import NOBODY, User, Users, UsersError
from infra.console.visitor import Visitor

IDLE_S = 8 * 3600.0
MOST = 1000
TRIES, WITHIN_S = 5, 60.0
"""Of wrong passwords for one name, within so many seconds; those for no user at all are counted together."""


class TooManyTriesError(Exception):
    """Passwords are being guessed."""


@dataclass(slots=True)
class SignedIn:
    """Somebody who has signed in."""

    name: str
    password: str  # its hash, as it was: another password ends what the one before has opened
    used_at: float


class Sessions:
    """Knows who has signed in.

    Args:
        users: Those who may.
        secret: From which the tokens of forms follow.
    """

    def __init__(self, users: Users, installation: Installation, secret: bytes) -> None:
        self._users = users
        self._installation = installation
        self._secret = secret
        self._sessions: dict[str, SignedIn] = {}
        self._failed = defaultdict[str, deque[float]](deque)
        self._trying = asyncio.Lock()  # one at a time, as each takes 32 MB

    async def sign_in(self, name: str, password: str) -> str | None:
        """Begin a session and return its id; None when name and password do not belong together.

        Raises:
            TooManyTriesError: it has been tried too often.
        """
        async with self._trying:
            user = self._users.find(name)
            failed = self._failed[user.name if user else ""]
            now = time.monotonic()
            while failed and now - failed[0] > WITHIN_S:
                failed.popleft()
            if len(failed) >= TRIES:
                raise TooManyTriesError
            # in a thread, so that pages of others do not wait
            if not await to_thread.run_sync((user or NOBODY).has, password) or user is None:
                failed.append(now)
                return None
        return self._begin(user, now)

    def visitor(self, session_id: str) -> Visitor | None:
        """Return whose session that is; None when it has ended, or is none."""
        session = self._sessions.get(session_id)
        now = time.monotonic()
        if session is None or now - session.used_at > IDLE_S:
            self._sessions.pop(session_id, None)
            return None
        user = self._user_of(session)
        if user is None:
            self.end(session_id)
            return None
        session.used_at = now
        return Visitor(
            name=user.name,
            may_act=user.role == "act" and self._installation.mode == "act",
            token=hmac.new(self._secret, session_id.encode(), hashlib.sha256).hexdigest(),
            is_welcome=lambda: self._is_open(session_id),
        )

    def _is_open(self, session_id: str) -> bool:
        session = self._sessions.get(session_id)
        try:
            return session is not None and self._user_of(session) is not None
        except UsersError:
            return False

    def _user_of(self, session: SignedIn) -> User | None:
        """Return who has signed in; None when they may no more, or have been given another password since."""
        user = self._users.find(session.name)
        return user if user and user.password == session.password else None

    def end(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)

    def _begin(self, user: User, now: float) -> str:
        while len(self._sessions) >= MOST:
            oldest = min(self._sessions, key=lambda each: self._sessions[each].used_at)
            del self._sessions[oldest]
        session_id = secrets.token_urlsafe(32)
        self._sessions[session_id] = SignedIn(user.name, user.password, now)
        return session_id
