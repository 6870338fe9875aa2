"""Django's sessions, which its admin has. What is said here costs nobody of the API's people their session."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution

from .framework import by_sessions

#: What people of the API were promised, and what administrators may expect of a day.
REMEMBERED = 20 * 24 * 3600
MORNING = 4 * 3600

#: Caches in which a session does not last, or is not shared, with what that means.
FRAGILE_CACHES = {
    "django.core.cache.backends.locmem.LocMemCache": "each process has its own, and a restart empties it",
    "django.core.cache.backends.dummy.DummyCache": "it keeps nothing",
    "django.core.cache.backends.filebased.FileBasedCache": "each machine has its own, and it drops entries when full",
    "django.core.cache.backends.memcached.PyMemcacheCache": "a restart empties it, and it drops entries when full",
    "django.core.cache.backends.memcached.PyLibMCCache": "a restart empties it, and it drops entries when full",
}

#: The snippet of the guide.
REDIS = (
    'Set SESSION_ENGINE = "django.contrib.sessions.backends.cached_db" and a CACHES["default"] with '
    '"django.core.cache.backends.redis.RedisCache": Redis answers, and the database remembers if it is emptied.'
)


def are_used() -> bool:
    return apps.is_installed("django.contrib.sessions")


def cookies_are_kept(**_: Any) -> list[CheckMessage]:
    if not are_used():
        return []
    found: list[CheckMessage] = []
    same_site = settings.SESSION_COOKIE_SAMESITE
    if same_site == "Strict":
        text = "SESSION_COOKIE_SAMESITE is 'Strict': whoever comes by a link from elsewhere is not signed in."
        found.append(Caution(text, hint="Set SESSION_COOKIE_SAMESITE = 'Lax'.", id="tenure.W003"))
    if same_site == "None" and not settings.SESSION_COOKIE_SECURE:
        text = "The session's cookie is SameSite=None and not Secure: browsers throw it away."
        hint = "Set SESSION_COOKIE_SECURE = True, or SESSION_COOKIE_SAMESITE = 'Lax'."
        found.append(Caution(text, hint=hint, id="tenure.W013"))
    if settings.SESSION_COOKIE_SECURE and settings.DEBUG:
        text = "The session's cookie is Secure while DEBUG is on: over http browsers throw it away."
        hint = "Set SESSION_COOKIE_SECURE = not DEBUG."
        found.append(Caution(text, hint=hint, id="tenure.W013"))
    return found


def sessions_last(**_: Any) -> list[CheckMessage]:
    if not are_used():
        return []
    serves_api = bool(by_sessions())
    least = REMEMBERED if serves_api else MORNING
    found: list[CheckMessage] = []
    if least > settings.SESSION_COOKIE_AGE:
        whose = "the API's people, who may ask to be remembered for 20 days" if serves_api else "administrators"
        text = f"SESSION_COOKIE_AGE is {settings.SESSION_COOKIE_AGE} seconds, after which {whose} are signed out."
        hint = f"Set SESSION_COOKIE_AGE = {least} or more" + (
            ", or take SessionAuthentication out of the API (tenure.W002)." if serves_api else "."
        )
        found.append(Caution(text, hint=hint, id="tenure.W004"))
    if settings.SESSION_EXPIRE_AT_BROWSER_CLOSE and serves_api:
        text = "SESSION_EXPIRE_AT_BROWSER_CLOSE is on, and the API goes by sessions: closing the browser signs out."
        hint = "Set it to False, or take SessionAuthentication out of the API (tenure.W002)."
        found.append(Caution(text, hint=hint, id="tenure.W004"))
    return found


def sessions_are_stored(**_: Any) -> list[CheckMessage]:
    if not are_used():
        return []
    engine = settings.SESSION_ENGINE
    if engine == "django.contrib.sessions.backends.file":
        text = "Sessions are kept in files: each machine and each container has its own, and temporary folders are emptied."
        return [Caution(text, hint=REDIS, id="tenure.W005")]
    if engine == "django.contrib.sessions.backends.cache":
        alias = settings.SESSION_CACHE_ALIAS
        backend = settings.CACHES.get(alias, {}).get("BACKEND", "")
        if backend in FRAGILE_CACHES:
            text = f"Sessions are kept in the cache `{alias}` alone, {backend.rsplit('.', 1)[1]}: {FRAGILE_CACHES[backend]}."
            return [Caution(text, hint=REDIS, id="tenure.W005")]
    return []
