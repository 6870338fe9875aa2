"""What the issuer has told of sessions and users, for as long as it may concern a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .tokens import Claims

#: Most facts kept: more than the issuer itself keeps at any time.
FACTS_MAX: Final = 50_000

#: The longest that anything is kept, whatever the issuer says: a day.
KEEP_MAX: Final = 86_400.0

#: The most by which the clocks of issuing nodes may differ for ``since`` to say what is known.
CLOCKS_DIFFER_MAX: Final = 60.0

#: What is said of a token: that it is over, that somebody has to be asked, or the role of whoever stands.
ENDED: Final = "ended"
UNCLEAR: Final = "unclear"


class TooMuchError(Exception):
    """More has ended lately than is kept here."""


class Stands(NamedTuple):
    role: str


Verdict = Stands | str


@dataclass(frozen=True, slots=True)
class UserFact:
    """What has become of a user. A state of a later version is unclear."""

    state: str
    version: int = 0
    role: str = ""

    @classmethod
    def read(cls, told: dict[str, Any]) -> UserFact:
        state = told["state"]
        if state not in ("stands", "disabled", "gone"):
            return cls(UNCLEAR)
        version = told["token_version"] if state != "gone" else 0
        role = told["role"] if state == "stands" else ""
        if type(version) is not int or not isinstance(role, str):
            raise ValueError("a user whose state cannot be read")
        return cls(state, version, role)


class Known:
    """``at`` is always a time of the same clock that only runs forward."""

    def __init__(self, since: int, keep: float, lag: float) -> None:
        """``since`` is in milliseconds; ``lag`` is the most by which the time that tokens are judged by may be behind."""
        self._since = since
        self._keep = min(keep + lag, KEEP_MAX)
        self._sessions: dict[str, tuple[float, str]] = {}
        self._users: dict[str, tuple[float, UserFact]] = {}

    def note(self, facts: dict[str, Any], at: float) -> None:
        for name, state in (("ended", ENDED), ("changed", UNCLEAR)):
            for session in facts.get(name, ()):
                self._sessions[str(session)] = (at, state)
        for user in facts.get("users", ()):
            self._users[str(user["id"])] = (at, UserFact.read(user))
        if len(self._sessions) + len(self._users) > FACTS_MAX:
            raise TooMuchError

    def forget_old(self, now: float) -> None:
        """Forgets what concerns expired tokens alone."""
        oldest = now - self._keep
        self._sessions = {id_: fact for id_, fact in self._sessions.items() if fact[0] > oldest}
        self._users = {id_: fact for id_, fact in self._users.items() if fact[0] > oldest}

    def judge(self, claims: Claims, now: float) -> Verdict:
        """Of an authentic token that has not expired, as ``judge`` in ``crates/domain/src/revocation.rs`` has it.

        ``now`` is by the issuer's clock, in seconds.
        """
        session = self._sessions.get(claims.session, (0.0, None))[1]
        user = self._users.get(claims.user, (0.0, None))[1]
        knows_version = user is not None and user.state in ("stands", "disabled")
        is_gone = user is not None and (user.state == "gone" or (knows_version and claims.version < user.version))
        # What has ended has, whatever else is not known.
        if is_gone or session == ENDED:
            return ENDED
        # A node whose clock is far ahead says "later than since" of tokens from before it.
        is_whole = self._since <= claims.issued_at * 1000 and claims.issued_at <= now + CLOCKS_DIFFER_MAX
        if session is not None or not is_whole:
            return UNCLEAR
        if user is None:
            return Stands(claims.role)
        if user.state == "stands" and claims.version == user.version:
            return Stands(user.role)
        # Also of a version that nobody has told of yet: its word is on its way.
        return UNCLEAR
