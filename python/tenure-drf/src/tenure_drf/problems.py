"""What is answered instead of serving a request: RFC 9457, with one of Tenure's codes."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final, NamedTuple

from rest_framework.exceptions import APIException

logger = logging.getLogger("tenure_drf")

CONTENT_TYPE: Final = "application/problem+json"

#: Seconds after which to try again what could not be told.
TRY_AGAIN: Final = 1


class Code(NamedTuple):
    """One row of Tenure's table of codes (``api/errors.md``)."""

    status: int
    kind: str
    title: str


#: The codes that are said here. A test holds them against Tenure's own table.
CODES: Final[dict[str, Code]] = {
    "access_token_missing": Code(401, "authentication", "An access token is required"),
    "access_token_expired": Code(401, "authentication", "The access token has expired"),
    "access_token_invalid": Code(401, "authentication", "The access token is not valid"),
    "access_token_revoked": Code(401, "authentication", "The access token was revoked"),
    "wrong_token_type": Code(401, "authentication", "That is not an access token"),
    "permission_denied": Code(403, "authorization", "You may not do this"),
    "account_missing": Code(403, "authorization", "You belong to no account"),
    "account_suspended": Code(403, "authorization", "The account is suspended"),
    "account_cancelled": Code(403, "authorization", "The account is cancelled"),
    "plan_missing": Code(402, "authorization", "The account has no plan"),
    "plan_inactive": Code(402, "authorization", "The account's plan is not active"),
    "limit_reached": Code(402, "authorization", "A limit of the plan is reached"),
    "exchange_closed": Code(403, "request", "Sign-ins of the other system are not taken over here now"),
    "exchange_expired": Code(400, "request", "The other system's sign-in has expired"),
    "exchange_unknown_user": Code(404, "request", "Whoever it is has not come here yet"),
    "rate_limited": Code(429, "transport", "Too many requests"),
    "storage_unavailable": Code(503, "transport", "The store cannot be reached"),
}


class Problem(APIException):
    """A refusal, or that nobody knows. Not one of DRF's own 401, which it makes 403 where another class comes first."""

    def __init__(self, code: str, detail: str, *, issuer: str, retry_after: int | None = None) -> None:
        super().__init__(detail, code)
        self.code = code
        self.status_code = CODES[code].status
        self.wait = retry_after
        self.auth_header = challenge(code)
        self.body: dict[str, Any] = body(code, detail, issuer)
        if retry_after is not None:
            self.body["retry_after"] = retry_after

    @property
    def is_refusal(self) -> bool:
        """Whether somebody knows that this may not be done; otherwise it is not known, or asked too often."""
        return CODES[self.code].kind == "authorization"


def unknown(issuer: str, cause: object, again: int = TRY_AGAIN) -> Problem:
    """Nobody knows just now: never 401, whatever it was that failed. The cause is for the log alone."""
    logger.warning("a request is answered 503, as its sender could not be told: %s", cause)
    detail = "Who you are cannot be verified just now; try again in a moment."
    return Problem("storage_unavailable", detail, issuer=issuer, retry_after=again)


def of_issuer(issuer: str, status: int, kind: str, text: bytes, retry_after: str | None) -> Problem | None:
    """The issuer's own refusal, if this is one: its content type, and a code that has this status.

    A code that ends a session is never handed on, nor is 503: its check says no such thing.
    """
    if kind.split(";")[0].strip().lower() != CONTENT_TYPE:
        return None
    try:
        told = json.loads(text)
    except ValueError:
        return None
    code = told.get("code") if isinstance(told, dict) else None
    known = CODES.get(code) if isinstance(code, str) else None
    if known is None or known.status != status or status == 503:
        return None
    seconds = int(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    problem = Problem(str(code), str(told.get("detail", known.title)), issuer=issuer, retry_after=seconds)
    kind_uri = str(told.get("type", ""))
    # Relative to the issuer, whose table of codes it names.
    problem.body = {**told, "type": f"{issuer}{kind_uri}" if kind_uri.startswith("/") else kind_uri}
    return problem


def body(code: str, detail: str, issuer: str) -> dict[str, Any]:
    status, kind, title = CODES[code]
    return {
        "type": f"{issuer}/api/docs/codes#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "class": kind,
        "server_time": int(time.time() * 1000),
    }


def challenge(code: str) -> str | None:
    """RFC 6750 section 3."""
    if CODES[code].status != 401:
        return None
    return "Bearer" if code == "access_token_missing" else 'Bearer error="invalid_token"'
