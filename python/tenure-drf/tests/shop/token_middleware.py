"""Middleware that signs people out without a word of logout(): by their tokens, by the rows of these, by their cookies."""

from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken import models
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from .middleware import Next, Plain

COOKIE = "jwt-refresh-token"


class ByTheBlacklist(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        for token in OutstandingToken.objects.filter(user=request.user.pk):
            BlacklistedToken.objects.get_or_create(token=token)
        return self.get_response(request)


class ByARowOfTheBlacklist(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        BlacklistedToken(token=OutstandingToken.objects.get(user=request.user.pk)).save()
        return self.get_response(request)


class ByTheTokenItself(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        token: Any = RefreshToken(request.COOKIES["refresh"])  # type: ignore[arg-type]
        token.blacklist()
        return self.get_response(request)


class ByDeletingTheKey(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        Token.objects.filter(user=request.user.pk).delete()
        return self.get_response(request)


class ByDeletingARow(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = models.Token.objects.get(user=request.user.pk)
        key.delete()
        return self.get_response(request)


class ByDeletingWhatBelongsToThem(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        person: Any = request.user
        person.auth_token.delete()
        return self.get_response(request)


class ByDeletingSessions(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        Session.objects.filter(session_key=request.session.session_key).delete()
        return self.get_response(request)


class ByTheCookie(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.delete_cookie("accessToken")
        return response


class ByTheCookieOfAConstant(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.delete_cookie(key=COOKIE, path="/api")
        return response


class ByTheCookieOfTheSettings(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.delete_cookie(settings.SESSION_COOKIE_NAME)
        return response


class ByTheCookieOfSimpleJwt(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.set_cookie(settings.SIMPLE_JWT["AUTH_COOKIE"], "", max_age=0)
        return response


class Sessions(SessionMiddleware):
    """A cookie of a session that holds nothing is taken away, as Django's own does."""

    def process_request(self, request: HttpRequest) -> None:
        request.session = self.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if request.session.is_empty():
            response.delete_cookie(settings.SESSION_COOKIE_NAME)
        return response


class Firewall:
    def blacklist(self, address: str) -> None:
        """Of addresses."""


class Harmless(Plain):
    """It deletes, blacklists and creates, and nobody is signed out by it."""

    firewall = Firewall()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.firewall.blacklist(request.META["REMOTE_ADDR"])
        cache.delete("a")
        if BlacklistedToken.objects.filter(token__jti="a").exists():
            OutstandingToken.objects.create(jti="a")
        Token.objects.get_or_create(user=request.user.pk)
        response = self.get_response(request)
        response.delete_cookie("csrftoken")
        response.delete_cookie("XSRF-TOKEN")
        response.delete_cookie("oauth_state")
        response.delete_cookie("author_filter")
        response.set_cookie("access_token", "another")
        return response


class Expiring(TokenAuthentication):
    """No middleware: what it deletes has expired."""

    def authenticate_credentials(self, key: str) -> Any:
        user, token = super().authenticate_credentials(key)
        token.delete()
        Token.objects.filter(key=key).delete()
        return user, token


def by_a_helper(get_response: Next) -> Next:
    def middleware(request: HttpRequest) -> HttpResponse:
        end(request)
        return get_response(request)

    return middleware


def end(request: HttpRequest) -> None:
    Token.objects.filter(user=request.user.pk).delete()
