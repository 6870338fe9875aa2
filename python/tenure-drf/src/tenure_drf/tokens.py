"""Believing what an access token says, because of who signed it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.types import Options

from .identity import Identity, is_id

#: The longest token that is looked at. Tenure's are about 500 characters.
LENGTH_MAX: Final = 2048

#: Times are held against a clock that is an argument. `iat` is not looked at, as clocks differ.
_CHECKED: Final[Options] = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_sub": False,
    "verify_jti": False,
    "strict_aud": True,
}

#: A header by which a key is found, and the key.
KeySet = dict[str, Ed25519PublicKey]


class TokenError(Exception):
    """A token that does not let its bearer in."""

    code = "access_token_invalid"
    detail = "The access token is not one that is accepted here."


class ExpiredError(TokenError):
    code = "access_token_expired"
    detail = "The access token has expired; refresh and try again."


class WrongTypeError(TokenError):
    code = "wrong_token_type"
    detail = "This service accepts access tokens and nothing else."


class UnknownKeyError(TokenError):
    """In the form of a Tenure's, under a key that is none of those at hand."""


class ForeignIssuerError(TokenError):
    """Signed by the issuer's key for somebody else: hardly an attack, and likely a wrong setting."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says. Times are seconds."""

    user: str
    session: str
    version: int
    role: str
    issued_at: int
    expires_at: int

    def identity(self) -> Identity:
        return Identity(user=self.user, session=self.session, role=self.role)


def header_of(kid: str) -> str:
    """The one header that Tenure's tokens under a key have, byte for byte.

    So ``alg``, ``jku`` and ``crit`` of a token (RFC 8725 section 3) have nothing left to act on.
    """
    text = json.dumps({"alg": "EdDSA", "kid": kid, "typ": "at+jwt"}, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def kid_of(token: str) -> str | None:
    """The key that a token could have been signed with by a Tenure; none if it cannot be one of its tokens."""
    if len(token) > LENGTH_MAX or token.count(".") != 2:
        return None
    header = token.split(".", 1)[0]
    try:
        read = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, RecursionError):
        return None
    kid = read.get("kid") if isinstance(read, dict) else None
    try:
        return kid if isinstance(kid, str) and header_of(kid) == header else None
    except UnicodeEncodeError:
        return None


def verify(token: str, keys: KeySet, issuer: str, audience: str, now: float) -> Claims:
    """Checks signature, issuer, audience and expiry. Whether the session still stands is another question."""
    key = keys.get(token.split(".", 1)[0]) if len(token) <= LENGTH_MAX else None
    if key is None:
        raise UnknownKeyError if kid_of(token) is not None else TokenError
    try:
        said = jwt.decode(token, key, algorithms=["EdDSA"], audience=audience, issuer=issuer, options=_CHECKED)
    except (jwt.InvalidIssuerError, jwt.InvalidAudienceError) as error:
        raise ForeignIssuerError(str(error)) from error
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenError from error
    claims = _read(said)
    if now >= claims.expires_at:
        raise ExpiredError
    return claims


def _read(said: dict[str, Any]) -> Claims:
    numbers = [said.get(name) for name in ("ver", "iat", "exp")]
    role = said.get("role")
    # A bool is a number to Python, and to nobody else.
    if not all(type(number) is int for number in numbers) or not isinstance(role, str):
        raise TokenError
    if not is_id(said.get("sub"), "usr") or not is_id(said.get("sid"), "ses"):
        raise TokenError
    return Claims(said["sub"], said["sid"], said["ver"], role, said["iat"], said["exp"])
