"""The issuer's public keys, kept for as long as it says, and a little longer while it is away."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .issuer import Issuer, UnreachableError
from .problems import logger
from .tokens import KeySet, header_of, kid_of

#: Seconds between two fetches while there are keys, whatever kid somebody makes up.
PAUSE: Final = 10.0
#: Between two fetches while there are none, and nobody can be let in.
PAUSE_WITHOUT_KEYS: Final = 1.0
#: For which keys are good that do not say it, and at most.
MAX_AGE: Final = 300.0
MAX_AGE_MAX: Final = 86_400.0
#: For which they are kept after that while no others can be had: one may have been retired because it was stolen.
KEPT: Final = 300.0


class KeysUnknownError(Exception):
    """Nobody knows whether there is such a key."""

    def __init__(self, why: str, again: int) -> None:
        super().__init__(why)
        #: Seconds after which somebody may know.
        self.again = again


class _Held(NamedTuple):
    """What the issuer said last. It is replaced whole, as threads read it without a lock."""

    keys: KeySet
    good_until: float
    #: The number of the fetch that it came with.
    fetch: int
    #: Whether it was the issuer itself that said so, and no cache on the way.
    is_first_hand: bool


_NOTHING: Final = _Held({}, 0.0, 0, is_first_hand=False)


class Keys:
    """Fetched when they are missing, too old, or without a token's key; one fetch at a time for all threads."""

    def __init__(self, issuer: Issuer, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._turn = threading.Lock()
        self._last = _NOTHING
        self._tried_at: float | None = None
        #: How many have begun: for a metric, for tests, and to tell which of them began after a token came.
        self.fetches = 0

    def for_token(self, token: str) -> KeySet:
        """The keys to hold this token against. Without its own only if the issuer, asked since it came, has none."""
        came, now = self.fetches, self._clock()
        kid, held = kid_of(token), self._held(now)
        header = header_of(kid) if kid is not None else None
        misses = header is not None and header not in held.keys
        # Keys that are merely old are good enough for whoever does not have the turn.
        if (misses or now >= held.good_until) and self._wait(now) <= 0:
            if self._turn.acquire(blocking=misses or not held.keys):
                try:
                    self._renew(misses=misses)
                finally:
                    self._turn.release()
            now = self._clock()
            held = self._held(now)
        if not held.keys:
            raise KeysUnknownError("there are no keys of the issuer's", self._again(now))
        # What was fetched before says nothing: the key may have been made since.
        is_told = held.is_first_hand and held.fetch > came
        if header is not None and header not in held.keys and not is_told:
            raise KeysUnknownError("a token's key is not known, and the issuer was not asked since", self._again(now))
        return held.keys

    def _held(self, now: float) -> _Held:
        last = self._last
        return last if now < last.good_until + KEPT else _NOTHING

    def _wait(self, now: float) -> float:
        """Seconds until the next fetch may be."""
        if self._tried_at is None:
            return 0.0
        return self._tried_at + (PAUSE if self._held(now).keys else PAUSE_WITHOUT_KEYS) - now

    def _again(self, now: float) -> int:
        return max(1, ceil(self._wait(now)))

    def _renew(self, *, misses: bool) -> None:
        began = self._clock()
        # Whoever had the turn before may have done it.
        if self._wait(began) > 0:
            return
        self.fetches += 1
        try:
            # A cache may hold what was true before the key was made.
            answer = self._issuer.get("/.well-known/jwks.json", {"Cache-Control": "no-cache"} if misses else None)
            if answer.status != 200:
                raise ValueError(f"{answer.status} instead of keys")
            is_first_hand = misses and _is_of_now(answer.headers)
            good_until = began + _max_age(answer.headers)
            self._last = _Held(read(answer.body), good_until, self.fetches, is_first_hand)
        except (UnreachableError, ValueError) as error:
            logger.warning("the issuer's keys were not fetched: %s", error)
        finally:
            # Last, as until it is there others wait for what is fetched here. By the end and not the beginning, so that
            # those who waited for one that took long do not each wait for another.
            self._tried_at = self._clock()


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


def _is_of_now(headers: Mapping[str, str]) -> bool:
    """Whether no cache answered that passes over ``no-cache``: it would say how old this is (RFC 9111 section 5.1)."""
    return headers.get("age", "0").strip() == "0"
