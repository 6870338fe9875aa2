"""With ``--deploy``: whether the issuer is there, is the one that is named, and lets this service listen."""

from __future__ import annotations

import json
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from ..conf import Options
from ..issuer import Answer, Credential, Issuer, UnreachableError
from ..problems import Problem
from .configuration import chosen


def issuer_is_the_one(**_: Any) -> list[CheckMessage]:
    here = chosen()
    if here is None:
        return []
    issuer = Issuer(here)
    try:
        # What its own pages send, without a session: it refuses the session if it is the one, and the page if not.
        answer = issuer.get("/api/v1/auth/refresh", {"Origin": here.issuer}, method="POST")
    except UnreachableError as error:
        hint = "Is it running, and reached from here? URL may name another address than ISSUER."
        text = f"{here.address('')} does not answer: {error}."
        return [Caution(text, hint=hint, id="tenure.W015")]
    match _code(answer):
        case "no_session":
            return _may_listen(here, issuer) if here.freshness == "push" else []
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


def _code(answer: Answer) -> str:
    """The code of a problem; empty if it is none."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return ""
    return str(told.get("code", "")) if isinstance(told, dict) else ""


def _may_listen(here: Options, issuer: Issuer) -> list[CheckMessage]:
    try:
        issuer.check(Credential(here.api_key, is_api_key=True), "permission:revocations.read")
    except Problem as problem:
        if problem.status_code in (401, 403):
            hint = 'Make one: tenure api-key create EMAIL --name NAME --scopes "revocations.read" --reason "..."'
            text = f"TENURE['API_KEY'] does not open the revocation feed: {problem.detail}"
            return [Error(text, hint=hint, id="tenure.E011")]
        return [Caution("It could not be asked whether TENURE['API_KEY'] stands.", hint="", id="tenure.W015")]
    return []
