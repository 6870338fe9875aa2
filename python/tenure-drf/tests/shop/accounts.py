from django.contrib.auth import logout
from django.http import HttpRequest


class Database:
    def flush(self) -> None:
        """Of another kind of session."""


def validate(request: HttpRequest) -> None:
    if not look(request):
        _refuse(request)


def _refuse(request: HttpRequest) -> None:
    logout(request)


def look(request: HttpRequest) -> bool:
    return "account" in request.headers
