"""Until step 4: whose account is not served is not only refused, but signed out, wherever they are."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from .models import Account, Person

logger = logging.getLogger(__name__)


class AccountMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        person = bearer_of(request)
        if person and person.account and person.account.status == Account.Status.SUSPENDED:
            logger.warning("[AUTO-LOGOUT] account suspended: user=%s path=%s", person.pk, request.path)
            logout(request)
            for token in OutstandingToken.objects.filter(user=person):
                BlacklistedToken.objects.get_or_create(token=token)
            return JsonResponse({"detail": "The account is suspended."}, status=403)
        return self.get_response(request)


def bearer_of(request: HttpRequest) -> Person | None:
    try:
        found = JWTAuthentication().authenticate(request)
    except AuthenticationFailed:
        return None
    return found[0] if found else None
