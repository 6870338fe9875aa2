"""The issuer's public keys, kept for as long as it says, and longer while it is away."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .issuer import Issuer, UnreachableError
from .problems import logger
from .tokens import KeySet, header_of, kid_of

#: Seconds between two fetches while there are keys, whatever kid somebody makes up.
PAUSE: Final = 10.0
#: Between two fetches while there are none, and nobody can be let in.
PAUSE_WITHOUT_KEYS: Final = 1.0
#: For which a kid that the issuer did not publish is not asked for again.
ABSENT: Final = 30.0
#: Most of those that are remembered.
ABSENT_MAX: Final = 1024
#: For which keys are good that do not say it, and at most.
MAX_AGE: Final = 300.0
MAX_AGE_MAX: Final = 86_400.0


class KeysUnknownError(Exception):
    """Nobody knows whether there is such a key."""


class Keys:
    """Fetched when they are missing, too old, or without a token's key; one fetch at a time for all threads."""

    def __init__(self, issuer: Issuer, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._turn = threading.Lock()
        self._held: KeySet = {}
        self._good_until = 0.0
        self._tried_at: float | None = None
        self._has_failed = False
        self._absent: dict[str, float] = {}
        #: For a metric and for tests.
        self.fetches = 0

    def for_token(self, token: str) -> KeySet:
        """The keys to hold this token against."""
        kid, now = kid_of(token), self._clock()
        misses = kid is not None and header_of(kid) not in self._held
        # Keys that are merely old are good enough for whoever does not have the turn.
        if self._wants(kid if misses else None, now) and self._turn.acquire(blocking=misses or not self._held):
            try:
                self._renew(kid)
            finally:
                self._turn.release()
        held, has_failed = self._held, self._has_failed
        if not held:
            raise KeysUnknownError("there are no keys of the issuer's")
        # Without the issuer's word nobody knows that a key does not exist.
        if has_failed and kid is not None and header_of(kid) not in held:
            raise KeysUnknownError("a key is not known, and the issuer is away")
        return held

    def _wants(self, missing: str | None, now: float) -> bool:
        if missing is not None and self._held:
            return self._absent.get(missing, 0.0) <= now and self._may_fetch(now)
        return (not self._held or now >= self._good_until) and self._may_fetch(now)

    def _may_fetch(self, now: float) -> bool:
        pause = PAUSE if self._held else PAUSE_WITHOUT_KEYS
        return self._tried_at is None or now - self._tried_at >= pause

    def _renew(self, kid: str | None) -> None:
        now = self._clock()
        # Whoever had the turn before may have done it.
        if not self._may_fetch(now):
            return
        self.fetches += 1
        try:
            held, max_age = self._fetch()
        except (UnreachableError, ValueError) as error:
            self._has_failed, self._tried_at = True, now
            logger.warning("the issuer's keys were not fetched: %s", error)
            return
        # The time comes last: until it is there, others wait for what is fetched here.
        self._held, self._good_until, self._has_failed, self._tried_at = held, now + max_age, False, now
        if kid is not None and header_of(kid) not in held:
            if len(self._absent) >= ABSENT_MAX:
                self._absent.clear()
            self._absent[kid] = now + ABSENT

    def _fetch(self) -> tuple[KeySet, float]:
        answer = self._issuer.get("/.well-known/jwks.json")
        if answer.status != 200:
            raise ValueError(f"{answer.status} instead of keys")
        return read(answer.body), _max_age(answer.headers)


def read(text: bytes) -> KeySet:
    """Reads a JWK set (RFC 7517 section 5). Keys of other kinds are passed over; there has to be one of Tenure's."""
    try:
        jwks = json.loads(text)["keys"]
        found = dict(key for key in map(_key, jwks) if key is not None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a JWK set") from error
    if not found:
        raise ValueError("a JWK set without an Ed25519 key for signatures")
    return found


def _key(jwk: Mapping[str, Any]) -> tuple[str, Ed25519PublicKey] | None:
    is_ours = jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519" and jwk.get("use", "sig") == "sig"
    kid, x = jwk.get("kid"), jwk.get("x")
    if not (is_ours and isinstance(kid, str) and isinstance(x, str)):
        return None
    return header_of(kid), Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))


def _max_age(headers: Mapping[str, str]) -> float:
    words = [word.strip() for word in headers.get("cache-control", "").split(",")]
    told = next((word.removeprefix("max-age=") for word in words if word.startswith("max-age=")), "")
    return min(float(told), MAX_AGE_MAX) if told.isdecimal() else MAX_AGE
