"""Middleware as one finds it: some that signs people out, in the ways in which that is written, and some that does not."""

from collections.abc import Callable
from typing import Any

from django.contrib import auth
from django.contrib.auth import logout as sign_out
from django.http import HttpRequest, HttpResponse, JsonResponse

from . import accounts
from .models import Person

Next = Callable[[HttpRequest], HttpResponse]


class Plain:
    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class ByItself(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.headers.get("suspended"):
            auth.logout(request)
        return self.get_response(request)


class ByAnotherName(Plain):
    def process_request(self, request: HttpRequest) -> JsonResponse | None:
        problem = self._validate(request)
        if problem is not None:
            sign_out(request)
        return problem

    def _validate(self, request: HttpRequest) -> JsonResponse | None:
        return JsonResponse({}, status=403) if request.headers.get("suspended") else None


class ByAnImportWithin(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        from django.contrib.auth import logout

        logout(request)
        return self.get_response(request)


class ByAHelper(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        accounts.validate(request)
        return self.get_response(request)


class ByTheSession(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.session.flush()
        return self.get_response(request)


class ByTheSessionsOtherName(Plain):
    def __call__(self, request: HttpRequest) -> HttpResponse:
        kept = request.session
        kept.clear()
        return self.get_response(request)


class Inherited(ByItself):
    pass


def by_a_function(get_response: Next) -> Next:
    def middleware(request: HttpRequest) -> HttpResponse:
        auth.logout(request)
        return get_response(request)

    return middleware


class NamesSomebody(Plain):
    """As behind a proxy that has looked who it is, without a session."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "x-person" in request.headers:
            request.user = Person.objects.get(pk=request.headers["x-person"])
        return self.get_response(request)


class Harmless(Plain):
    """It speaks of logout(), reads a log and has a method of that name."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.session.get("logout")
        self.logout(request)
        session = accounts.Database()
        session.flush()
        accounts.look(request)
        return self.get_response(request)

    def logout(self, *_: Any) -> None:
        return None
