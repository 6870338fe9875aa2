"""The views of REST framework that the site serves, and by what they tell who is asking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from ..exchange import TicketView

#: Where the first of :func:`authorities` stands.
DEFAULTS = "DEFAULT_AUTHENTICATION_CLASSES"


class Served(NamedTuple):
    """A view, and what ``as_view`` was given."""

    cls: type[APIView]
    given: dict[str, Any]

    @property
    def authentication(self) -> Any:
        return self.given.get("authentication_classes", self.cls.authentication_classes)

    @property
    def name(self) -> str:
        return f"{self.cls.__module__}.{self.cls.__qualname__}"


def views() -> list[Served]:
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    try:
        callbacks = list(_callbacks(get_resolver()))
    except Exception:  # noqa: BLE001
        # A project's modules raise what they like when they are imported; Django's own checks tell of it.
        return []
    return [Served(one.cls, getattr(one, "initkwargs", {})) for one in callbacks if _is_view(one)]


def _is_view(callback: Any) -> bool:
    cls = getattr(callback, "cls", None)
    return isinstance(cls, type) and issubclass(cls, APIView)


def _callbacks(resolver: URLResolver) -> Iterator[Any]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _callbacks(pattern)
        elif isinstance(pattern, URLPattern):
            yield pattern.callback


def ticket_views() -> list[TicketView]:
    """One of each, as a request would find it."""
    return [one.cls(**one.given) for one in views() if issubclass(one.cls, TicketView)]


def authorities() -> list[tuple[str, list[type[Any]]]]:
    """The classes that tell who is asking: the settings' own, and those of each view that names others.

    Views that give tickets out are none, as they are there for the sign-ins of before.
    """
    # Text becomes classes when it is asked for.
    usual: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    found = [(DEFAULTS, list(usual))]
    for one in views():
        # What was not named is what the settings said when the framework was loaded.
        is_named = one.authentication is not APIView.authentication_classes
        # A view may as well say by a property, or name what makes one: that shows only when it runs.
        if is_named and isinstance(one.authentication, list | tuple) and not issubclass(one.cls, TicketView):
            found.append((one.name, [part for part in one.authentication if isinstance(part, type)]))
    return found


def places(those: list[str]) -> str:
    """A few of them, for a message."""
    those = list(dict.fromkeys(those))
    return ", ".join(those[:3]) + (f" and {len(those) - 3} more" if len(those) > 3 else "")
