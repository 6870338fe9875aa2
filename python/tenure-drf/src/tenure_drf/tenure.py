"""The Tenure of this process: whom it knows, and how it finds out."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from django.core.signals import setting_changed

from .conf import Options, options
from .feed import Feed
from .identity import Identity
from .issuer import Credential, Issuer
from .keys import Keys, KeysUnknownError
from .known import ENDED, Stands
from .problems import Problem, logger, unknown
from .tokens import Claims, ForeignIssuerError, TokenError, UnknownKeyError, WrongTypeError, verify

#: Most answers that ``STRICT_CACHE`` keeps.
ANSWERS_MAX: Final = 10_000


class Tenure:
    """By one setting. It is made when it is first asked for, in each process anew."""

    def __init__(self, chosen: Options, wall: Callable[[], float] = time.time) -> None:
        self.options = chosen
        self.wall = wall
        self.issuer = Issuer(chosen)
        self.keys = Keys(self.issuer)
        self.feed = Feed(self.issuer, chosen, wall) if chosen.freshness == "push" else None
        self._answers = _Answers(chosen.strict_cache) if chosen.strict_cache else None
        self._has_told_of_foreign = False
        if self.feed is not None:
            self.feed.start()

    def close(self) -> None:
        if self.feed is not None:
            self.feed.close()

    def admit(self, credential: Credential) -> tuple[Identity, bool]:
        """Who it is, and whether the issuer was asked for it. Anything else is raised as a :class:`Problem`."""
        if self.options.freshness == "stateless":
            return self._signed(credential), False
        is_told = self.feed is not None and not credential.is_api_key
        identity = self._told(credential.text) if is_told else None
        return (identity, False) if identity is not None else (self.ask(credential), True)

    def ask(self, credential: Credential) -> Identity:
        """The issuer's word, at most as old as ``STRICT_CACHE`` says."""
        if self._answers is None:
            return self.issuer.check(credential)
        known = self._answers.get(credential)
        if known is None:
            known = self.issuer.check(credential)
            self._answers.put(credential, known)
        return known

    def _signed(self, credential: Credential) -> Identity:
        """Who it is by its signature alone."""
        try:
            if credential.is_api_key:
                # What the issuer would find of a key cannot be told from here.
                raise WrongTypeError
            return self._verified(credential.text, self.wall() - self.options.leeway).identity()
        except KeysUnknownError as error:
            raise unknown(self.options.issuer, error, error.again) from error
        except TokenError as error:
            raise self._refusal(error) from error

    def _told(self, token: str) -> Identity | None:
        """Who it is, if that is known without asking."""
        # What has ended is told and forgotten by the issuer's clock, so tokens expire by it as well.
        now = self.feed.issuers_time() if self.feed is not None else None
        if now is None or self.feed is None:
            return None
        try:
            claims = self._verified(token, now)
        # A key that is not known here is no reason not to ask, as the issuer knows all of its own.
        except (KeysUnknownError, UnknownKeyError):
            return None
        except TokenError as error:
            raise self._refusal(error) from error
        verdict = self.feed.judge(claims)
        if verdict == ENDED:
            detail = "The access token's session does not stand any more."
            raise Problem("access_token_revoked", detail, issuer=self.options.issuer)
        if isinstance(verdict, Stands):
            return Identity(user=claims.user, session=claims.session, role=verdict.role)
        return None

    def _verified(self, token: str, now: float) -> Claims:
        try:
            keys = self.keys.for_token(token)
            return verify(token, keys, self.options.issuer, self.options.audience, now)
        except ForeignIssuerError as error:
            self._tell_of_foreign(error)
            raise

    def _tell_of_foreign(self, error: ForeignIssuerError) -> None:
        if not self._has_told_of_foreign:
            self._has_told_of_foreign = True
            text = (
                "a token of this Tenure's was refused: %s. ISSUER has to be its public URL, AUDIENCE its token.audience"
            )
            logger.error(text, error)

    def _refusal(self, error: TokenError) -> Problem:
        return Problem(error.code, error.detail, issuer=self.options.issuer)


class _Answers:
    """What the issuer said a moment ago, by the hash of what was shown."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    def get(self, credential: Credential) -> Identity | None:
        with self._lock:
            until, identity = self._kept.get(_hash(credential), (0.0, None))
        return identity if time.monotonic() < until else None

    def put(self, credential: Credential, identity: Identity) -> None:
        with self._lock:
            key = _hash(credential)
            self._kept.pop(key, None)
            self._kept[key] = (time.monotonic() + self._seconds, identity)
            # All are kept for as long, so the first is the oldest.
            while len(self._kept) > ANSWERS_MAX:
                self._kept.popitem(last=False)


def _hash(credential: Credential) -> bytes:
    return hashlib.sha256(f"{credential.is_api_key} {credential.text}".encode()).digest()


_lock = threading.Lock()
_current: Tenure | None = None


def tenure() -> Tenure:
    """The one of this process."""
    global _current  # noqa: PLW0603
    current = _current
    if current is None:
        with _lock:
            if _current is None:
                _current = Tenure(options())
            current = _current
    return current


def forget(**changed: Any) -> None:
    """Has it made anew, when the setting changed."""
    global _current
    if changed.get("setting", "TENURE") == "TENURE":
        with _lock:
            left, _current = _current, None
        if left is not None:
            left.close()


def _forget_in_child() -> None:
    """A thread and its locks do not come along into a new process, and connections must not be shared with it."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


setting_changed.connect(forget, dispatch_uid="tenure_drf")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
