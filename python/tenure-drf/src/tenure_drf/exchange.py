"""Vouches for whoever is signed in to this site, so that Tenure takes their sign-in over."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import signed_cookies
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import FieldDoesNotExist
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .authentication import TenureAuthentication
from .handler import exception_handler
from .issuer import Answer, Credential, UnreachableError
from .problems import TRY_AGAIN, Problem, logger, unknown
from .tenure import Tenure, tenure

PATH: Final = "/api/v1/auth/exchange/tickets"
SCOPE: Final = "sessions.exchange"

#: What tells browsers apart that have the same token, in a cookie that this view alone is sent, for a year.
BROWSER: Final = "tenure_browser"
REMEMBERED: Final = 365 * 24 * 3600

#: Where a session holds what names it, if its key does not.
NAME: Final = "_tenure_sign_in"

#: What a session holds while somebody acts as another person: django-hijack, django-su, django-impersonate.
ACTING: Final = ("hijack_history", "exit_users_pk", "_impersonate")


class TicketView(APIView):
    """``POST`` answers ``{"ticket": ..., "expires_in": ...}``, which the client in the browser trades for a session.

    Who asks is told by the site's own authentication classes, or by those that ``as_view`` is given: Django's sessions,
    simplejwt, REST framework's tokens. Nobody is vouched for because of a Tenure token, which would make a session of
    what lasts a few minutes.
    """

    permission_classes = [IsAuthenticated]
    http_method_names = ["post", "options"]

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [one for one in super().get_authenticators() if not isinstance(one, TenureAuthentication)]

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        # The client goes by its codes.
        return exception_handler

    def post(self, request: Request) -> Response:
        if _comes_by_itself(request):
            # Also where its class does not look who sends it.
            SessionAuthentication().enforce_csrf(request)
        if _is_acting(request):
            raise PermissionDenied("Whoever acts as somebody else is not signed in as them.")
        browser = request.COOKIES.get(BROWSER) or secrets.token_urlsafe(24)
        told = _asked(tenure(), {"user_id": str(request.user.pk), **_sign_in(request, browser)})
        answer = Response(told, headers={"Cache-Control": "no-store"})
        if _is_shared(request.auth):
            _remember(request, answer, browser)
        return answer


ticket = TicketView.as_view()


def _comes_by_itself(request: Request) -> bool:
    """Whether browsers send it for a page of another site as well: a cookie, or what somebody once typed into their window."""
    scheme = request.headers.get("Authorization", "").split(" ")[0].lower()
    is_session = isinstance(request.successful_authenticator, SessionAuthentication)
    return is_session or scheme in ("", "basic", "digest", "negotiate", "ntlm")


def _is_acting(request: Request) -> bool:
    """Whether a supporter is here in a customer's name, as far as the session tells."""
    session = getattr(request._request, "session", None)
    flags = (*ACTING, getattr(settings, "LOGINAS_FROM_USER_SESSION_FLAG", "loginas_from_user"))
    return session is not None and any(session.get(flag) for flag in flags)


def _sign_in(request: Request, browser: str) -> dict[str, object]:
    """What names this one sign-in, so that it is traded once, and what is known of its times."""
    if isinstance(request.successful_authenticator, SessionAuthentication):
        return _session(request)
    # simplejwt's tokens, and REST framework's own.
    claims = getattr(request.auth, "payload", None)
    if isinstance(claims, dict) and isinstance(claims.get("jti"), str):
        return {"legacy_session": _named("jti", claims["jti"])}
    key = getattr(request.auth, "key", None)
    if isinstance(key, str):
        return {"legacy_session": _named("token", f"{key} {browser}" if _is_shared(request.auth) else key)}
    raise _nameless()


def _nameless() -> PermissionDenied:
    return PermissionDenied("This kind of sign-in has no name by which it could be taken over once.")


def _is_shared(token: object) -> bool:
    """Whether all of a person's browsers have it, as with REST framework's own: then it names the person alone."""
    try:
        return bool(token._meta.get_field("user").unique)  # type: ignore[attr-defined]
    except (AttributeError, FieldDoesNotExist):
        return False


def _remember(request: Request, answer: Response, browser: str) -> None:
    # Of the whole site: a proxy may have taken off the beginning of the path that the browser knows.
    is_secure = request.is_secure()
    answer.set_cookie(BROWSER, browser, max_age=REMEMBERED, secure=is_secure, httponly=True, samesite="Lax")


def _session(request: Request) -> dict[str, object]:
    session: SessionBase | None = getattr(request._request, "session", None)
    user: Any = request.user
    # Who asks may have been told by other middleware, of whose sign-in the session knows nothing.
    if session is None or session.get(SESSION_KEY) != user._meta.pk.value_to_string(user):
        raise _nameless()
    name = session.session_key
    if isinstance(session, signed_cookies.SessionStore):
        # Its key is what it holds, and so another one whenever that changes.
        name = session[NAME] = session.get(NAME) or secrets.token_urlsafe(24)
    if not name:
        raise _nameless()
    told = {"legacy_session": _named("session", name), "expires_at": int(session.get_expiry_date().timestamp())}
    # Their latest sign-in, so this one began then at the latest; a clock may have been wrong.
    began = getattr(user, "last_login", None)
    return told if began is None else {**told, "authenticated_at": int(min(max(began.timestamp(), 0), time.time()))}


def _named(kind: str, secret: str) -> str:
    """Tells sign-ins apart, and opens nothing."""
    return hashlib.sha256(f"{kind} {secret}".encode()).hexdigest()


def _asked(here: Tenure, wish: dict[str, object]) -> dict[str, object]:
    key = here.options.api_key
    issuer = here.options.issuer
    if not key:
        logger.error("TENURE['API_KEY'] is needed for tickets, with the scope %s (tenure.E012)", SCOPE)
        raise unknown(issuer, "no API key")
    headers = {"Content-Type": "application/json", **Credential(key, is_api_key=True).headers()}
    try:
        answer = here.issuer.get(PATH, headers, "POST", json.dumps(wish).encode())
    except UnreachableError as error:
        raise unknown(issuer, error) from error
    told = _ticket_in(answer)
    if told is not None:
        return told
    problem = here.issuer.refusal(answer)
    if problem is not None and (problem.code.startswith("exchange_") or _is_about_the_person(here, problem)):
        raise problem
    words = problem.code if problem is not None else "that is no answer of Tenure's"
    raise unknown(issuer, f"a ticket was answered {answer.status} {words}", (problem and problem.wait) or TRY_AGAIN)


def _is_about_the_person(here: Tenure, problem: Problem) -> bool:
    """Who is disabled there may know it. What is wrong with this site's key must sign nobody out."""
    if problem.status_code not in (401, 403):
        return False
    try:
        here.issuer.check(Credential(here.options.api_key, is_api_key=True), f"permission:{SCOPE}")
    except Problem as why:
        if why.status_code in (401, 403):
            logger.error("TENURE['API_KEY'] needs the scope %s for tickets: %s", SCOPE, why.detail)
        return False
    return True


def _ticket_in(answer: Answer) -> dict[str, object] | None:
    if answer.status != 200:
        return None
    try:
        told = json.loads(answer.body)
        return {"ticket": str(told["ticket"]), "expires_in": int(told["expires_in"])}
    except (ValueError, KeyError, TypeError):
        return None
