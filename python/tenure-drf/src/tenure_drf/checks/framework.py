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

#: simplejwt's own, where the setting does not say it.
SIMPLE_JWT_REFRESH = timedelta(days=1)


def classes() -> list[type[Any]]:
    # Text becomes classes when it is asked for.
    found: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    return list(found)


def uses_sessions() -> bool:
    return any(issubclass(one, SessionAuthentication) for one in classes())


def refusals_stay_apart(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if api_settings.EXCEPTION_HANDLER is not exception_handler:
        hint = "Set REST_FRAMEWORK['EXCEPTION_HANDLER'] = 'tenure_drf.handler.exception_handler'. If yours calls it, silence this."
        text = "Refusals are not answered by Tenure's exception handler, so that 402 becomes 403 and has no code."
        found.append(Caution(text, hint=hint, id="tenure.W009"))
    asked = classes()
    ours = [place for place, one in enumerate(asked) if issubclass(one, TenureAuthentication)]
    if ours and ours[0] > 0:
        hint = "Put it first. With tokens of another system beside it, set TENURE['FOREIGN_TOKENS'] = 'pass'."
        text = f"{asked[0].__name__} comes before TenureAuthentication: it answers for what it does not know, or makes 401 a 403."
        found.append(Caution(text, hint=hint, id="tenure.W010"))
    return found


def sessions_are_no_authority(**_: Any) -> list[CheckMessage]:
    if not uses_sessions():
        return []
    text = (
        "The API accepts Django's sessions: a second authority, which ends by itself and whose CSRF check answers 403."
    )
    hint = "Take SessionAuthentication out of DEFAULT_AUTHENTICATION_CLASSES. Django's admin has its sessions all the same."
    return [Caution(text, hint=hint, id="tenure.W002")]


def rotation_has_a_grace(**_: Any) -> list[CheckMessage]:
    told = getattr(settings, "SIMPLE_JWT", None)
    if not isinstance(told, dict):
        return []
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
    if told.get("SIGNING_KEY", settings.SECRET_KEY) == settings.SECRET_KEY:
        text = "simplejwt signs with SECRET_KEY: whoever changes it signs everybody out, and SECRET_KEY_FALLBACKS do not help."
        hint = (
            "Give SIMPLE_JWT['SIGNING_KEY'] a key of its own. To move without a sign-out, begin with the present one."
        )
        found.append(Caution(text, hint=hint, id="tenure.W014"))
    return found
