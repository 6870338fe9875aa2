"""The exception handler: 401, 402, 403 and 503 stay apart, each with a code that the client in the browser knows."""

from __future__ import annotations

from math import ceil
from traceback import walk_tb
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as usual_handler

from .authentication import TenureAuthentication
from .permissions import why_not
from .problems import CODES, CONTENT_TYPE, Problem


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Set it as ``EXCEPTION_HANDLER``. What is not about who calls is answered as DRF does."""
    problem = _problem(exc, context)
    if problem is None:
        return usual_handler(exc, context)
    # For what the usual one does besides: transactions are rolled back.
    answer = usual_handler(problem, context)
    if answer is None:
        return None
    answer.data = problem.body
    answer["Cache-Control"] = "no-store"
    renderer = getattr(context.get("request"), "accepted_renderer", None)
    if renderer is None or renderer.format == "json":
        answer.content_type = CONTENT_TYPE
    return answer


def _problem(exc: Exception, context: dict[str, Any]) -> Problem | None:
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return _unauthenticated(exc, context)
    if isinstance(exc, exceptions.PermissionDenied | DjangoPermissionDenied):
        return _denied(exc, context)
    if isinstance(exc, exceptions.Throttled):
        wait: float | None = getattr(exc, "wait", None)
        again = None if wait is None else max(1, ceil(wait))
        return _own("rate_limited", str(exc.detail), retry_after=again)
    return None


def _unauthenticated(exc: exceptions.APIException, context: dict[str, Any]) -> Problem | None:
    """DRF makes it 403 where the first class has no challenge. Where one of ours is asked, it is 401."""
    request = context.get("request")
    asked = getattr(request, "authenticators", None) or ()
    if not any(isinstance(one, TenureAuthentication) for one in asked):
        return None
    code = "access_token_missing" if isinstance(exc, exceptions.NotAuthenticated) else "access_token_invalid"
    return _own(code, str(exc.detail))


def _denied(exc: Exception, context: dict[str, Any]) -> Problem:
    # DRF says which permission it was only to whoever looks; a view may also deny for a reason of its own.
    frames = (frame for frame, _ in walk_tb(exc.__traceback__) if frame.f_code.co_name == "check_permissions")
    permission = next((frame.f_locals.get("permission") for frame in frames), None)
    problem = why_not(permission, context["request"], context["view"]) if permission is not None else None
    if problem is not None:
        return problem
    detail = getattr(exc, "detail", None) or str(exc) or "You may not do this."
    return _own("permission_denied", detail if isinstance(detail, str) else CODES["permission_denied"].title)


def _own(code: str, detail: str, retry_after: int | None = None) -> Problem:
    issuer = str(getattr(settings, "TENURE", {}).get("ISSUER", "")).rstrip("/")
    return Problem(code, detail, issuer=issuer, retry_after=retry_after)
