"""How REST framework and simplejwt are set up beside Tenure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution
from rest_framework.authentication import SessionAuthentication
from rest_framework.settings import api_settings

from ..authentication import TenureAuthentication
from ..handler import exception_handler
from .served import authorities, places, views

#: simplejwt's own, where the setting does not say it.
SIMPLE_JWT_REFRESH = timedelta(days=1)


def by_sessions() -> list[str]:
    """Where Django's sessions tell who is asking."""
    return [place for place, classes in authorities() if any(issubclass(one, SessionAuthentication) for one in classes)]


def refusals_stay_apart(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if api_settings.EXCEPTION_HANDLER is not exception_handler:
        hint = "Set REST_FRAMEWORK['EXCEPTION_HANDLER'] = 'tenure_drf.handler.exception_handler'. If yours calls it, silence this."
        text = "Refusals are not answered by Tenure's exception handler, so that 402 becomes 403 and has no code."
        found.append(Caution(text, hint=hint, id="tenure.W009"))
    for place, asked in authorities():
        ours = [number for number, one in enumerate(asked) if issubclass(one, TenureAuthentication)]
        if ours and ours[0] > 0:
            hint = "Put it first. With tokens of another system beside it, set TENURE['FOREIGN_TOKENS'] = 'pass'."
            text = (
                f"{asked[0].__name__} comes before TenureAuthentication in {place}: "
                "it answers for what it does not know, or makes 401 a 403."
            )
            found.append(Caution(text, hint=hint, id="tenure.W010"))
    return found


def sessions_are_no_authority(**_: Any) -> list[CheckMessage]:
    where = by_sessions()
    if not where:
        return []
    text = (
        f"The API accepts Django's sessions, in {places(where)}: "
        "a second authority, which ends by itself and whose CSRF check answers 403."
    )
    hint = "Take SessionAuthentication out there. Django's admin has its sessions all the same."
    return [Caution(text, hint=hint, id="tenure.W002")]


def uses_simplejwt() -> bool:
    """Whether it is set up, or tells who is asking, or hands tokens out."""
    if hasattr(settings, "SIMPLE_JWT"):
        return True
    classes = [one.cls for one in views()] + [one for _, those in authorities() for one in those]
    return any(part.__module__.startswith("rest_framework_simplejwt.") for one in classes for part in one.__mro__)


def rotation_has_a_grace(**_: Any) -> list[CheckMessage]:
    if not uses_simplejwt():
        return []
    told = getattr(settings, "SIMPLE_JWT", None) or {}
    found: list[CheckMessage] = []
    rotates = told.get("ROTATE_REFRESH_TOKENS") and told.get("BLACKLIST_AFTER_ROTATION")
    if rotates and apps.is_installed("rest_framework_simplejwt.token_blacklist"):
        text = "simplejwt blacklists a refresh token as soon as it is exchanged: a second tab, or a lost answer, signs out."
        hint = (
            "There is no grace in simplejwt. Set BLACKLIST_AFTER_ROTATION = False until sign-ins come from Tenure, "
            "which allows for both."
        )
        found.append(Caution(text, hint=hint, id="tenure.W006"))
    lifetime = told.get("REFRESH_TOKEN_LIFETIME", SIMPLE_JWT_REFRESH)
    if isinstance(lifetime, timedelta) and lifetime < timedelta(days=20):
        text = f"simplejwt's refresh tokens last {lifetime}: whoever asked to be remembered is signed out after that."
        hint = "Set REFRESH_TOKEN_LIFETIME = timedelta(days=20), until sign-ins come from Tenure."
        found.append(Caution(text, hint=hint, id="tenure.W012"))
    is_secret = str(told.get("ALGORITHM", "HS256")).startswith("HS")
    if is_secret and told.get("SIGNING_KEY", settings.SECRET_KEY) == settings.SECRET_KEY:
        text = "simplejwt signs with SECRET_KEY: whoever changes it signs everybody out, and SECRET_KEY_FALLBACKS do not help."
        hint = (
            "Give SIMPLE_JWT['SIGNING_KEY'] a key of its own. To move without a sign-out, begin with the present one."
        )
        found.append(Caution(text, hint=hint, id="tenure.W014"))
    return found
