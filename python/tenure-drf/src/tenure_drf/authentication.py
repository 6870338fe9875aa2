"""The authentication class."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from .auth import TenureAuth, TenureProgram
from .conf import Options
from .issuer import Credential
from .problems import Problem
from .tenure import tenure
from .tokens import LENGTH_MAX, TokenError, WrongTypeError
from .users import user_of

#: How the two kinds of Tenure's secrets begin that are no access token.
API_KEY: Final = "tnk1_"
REFRESH_TOKEN: Final = "tnr1_"  # noqa: S105


class TenureAuthentication(BaseAuthentication):
    """Access tokens of a Tenure, as ``Authorization: Bearer``, and API keys where the setting accepts them.

    Without a credential nobody is signed in, and the permissions decide. Name it first, so that what they answer is 401
    and not 403.
    """

    def authenticate(self, request: Request) -> tuple[Any, TenureAuth] | None:
        here = tenure()
        credential = _shown(request, here.options)
        if credential is None:
            return None
        identity, was_asked = here.admit(credential)
        auth = TenureAuth(here, credential, identity, was_asked=was_asked)
        if auth.key is not None:
            return TenureProgram(auth.key), auth
        return user_of(auth, here.options), auth

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _shown(request: Request, options: Options) -> Credential | None:
    """What the caller shows; none if it is nothing of ours. The scheme's case is free (RFC 6750 section 2.1)."""
    key = request.headers.get("X-API-Key")
    if key is not None and options.accept_api_keys:
        return Credential(_plain(key, options), is_api_key=True)
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    text = rest.lstrip(" ")
    if scheme.lower() != "bearer":
        return None
    if options.foreign_tokens == "pass" and _is_foreign(text):
        return None
    text = _plain(text, options)
    if text.startswith(REFRESH_TOKEN) or (text.startswith(API_KEY) and not options.accept_api_keys):
        raise _refusal(WrongTypeError(), options)
    return Credential(text, is_api_key=text.startswith(API_KEY))


def _plain(text: str, options: Options) -> str:
    """Nothing else than what a token may be made of goes on to the issuer, and nothing longer."""
    if not text or len(text) > LENGTH_MAX or not all("!" <= letter <= "~" for letter in text):
        raise _refusal(TokenError(), options)
    return text


def _is_foreign(text: str) -> bool:
    """Whether it says of itself that it is no access token of a Tenure's. What it says is not believed for more."""
    if text.startswith((API_KEY, REFRESH_TOKEN)):
        return False
    header = text.split(".", 1)[0]
    if len(header) > LENGTH_MAX:
        return True
    try:
        read = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, RecursionError):
        return True
    return not (isinstance(read, dict) and read.get("typ") == "at+jwt")


def _refusal(error: TokenError, options: Options) -> Problem:
    return Problem(error.code, error.detail, issuer=options.issuer)
