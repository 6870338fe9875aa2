"""With ``--deploy``: whether the issuer is there, is the one that is named, and lets this service listen."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from ..conf import Options
from ..exchange import SCOPE
from ..issuer import Answer, Credential, Issuer, UnreachableError
from ..problems import Problem
from . import exchange
from .configuration import chosen
from .served import ticket_views


def issuer_is_the_one(**_: Any) -> list[CheckMessage]:
    here = chosen()
    if here is None:
        return []
    issuer = Issuer(here)
    try:
        # What its own pages send, without a session: it refuses the session if it is the one, and the page if not.
        answer = issuer.get("/api/v1/auth/refresh", {"Origin": _origin(here.issuer)}, method="POST")
    except UnreachableError as error:
        hint = "Is it running, and reached from here? URL may name another address than ISSUER."
        text = f"{here.address('')} does not answer: {error}."
        return [Caution(text, hint=hint, id="tenure.W015")]
    match _code(answer):
        case "no_session":
            return _key_opens(here, issuer)
        case "origin_not_allowed":
            hint = "Set TENURE['ISSUER'] to its server.public_url, and URL to where it is reached from here."
            text = f"The Tenure at {here.address('')} is not {here.issuer}: each of its tokens would be refused."
            return [Error(text, hint=hint, id="tenure.E010")]
        case "":
            hint = "Is it the address of a Tenure, or of a proxy that does not pass it on?"
            return [Error(f"What answers at {here.address('')} is no Tenure.", hint=hint, id="tenure.E010")]
        case code:
            text = f"The Tenure at {here.address('')} answers {code} just now."
            return [Caution(text, hint="Try again when it serves.", id="tenure.W015")]


def _origin(address: str) -> str:
    """Without the path below which a proxy may serve it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _code(answer: Answer) -> str:
    """The code of a problem; empty if it is none."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return ""
    return str(told.get("code", "")) if isinstance(told, dict) else ""


def _key_opens(here: Options, issuer: Issuer) -> list[CheckMessage]:
    """What this site asks for with its key."""
    wanted = {"revocations.read": "the revocation feed"} if here.freshness == "push" else {}
    if here.api_key and ticket_views():
        wanted[SCOPE] = "tickets"
    return [found for scope, what in wanted.items() for found in _key_opens_one(here, issuer, scope, what)]


def _key_opens_one(here: Options, issuer: Issuer, scope: str, what: str) -> list[CheckMessage]:
    try:
        issuer.check(Credential(here.api_key, is_api_key=True), f"permission:{scope}")
    except Problem as problem:
        if problem.status_code in (401, 403):
            text = f"TENURE['API_KEY'] does not open {what}: {problem.detail}"
            return [Error(text, hint=exchange.MAKE_KEY.format(scope), id="tenure.E011")]
        return [Caution("It could not be asked whether TENURE['API_KEY'] stands.", hint="", id="tenure.W015")]
    return []
