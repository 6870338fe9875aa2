"""Django 5.2 with REST framework and simplejwt, as their documentation sets them up.

FLAVOUR chooses what differs: `rotation` exchanges refresh tokens and blacklists the replaced ones, `defaults` leaves
simplejwt as it is, and `cookies` is dj-rest-auth with both tokens in cookies, and rotation. ACCESS_SECONDS and
REFRESH_SECONDS, if given, are how long tokens of those that rotate live.
"""

import os
from datetime import timedelta
from pathlib import Path

FLAVOUR = os.environ["FLAVOUR"]
ROTATES = FLAVOUR != "defaults"

SECRET_KEY = "only for a test on the loopback interface, and of at least thirty-two bytes"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "site_urls"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "dj_rest_auth",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ["DATA"]) / "site.sqlite3",
        # Writers wait for each other, as they would on a server of its own.
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
}
# Hundreds of sign-ins: their hashes are not what is measured.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

BEARER = "rest_framework_simplejwt.authentication.JWTAuthentication"
COOKIES = "dj_rest_auth.jwt_auth.JWTCookieAuthentication"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [COOKIES if FLAVOUR == "cookies" else BEARER],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=int(os.environ.get("ACCESS_SECONDS", 300))),
    "REFRESH_TOKEN_LIFETIME": timedelta(seconds=int(os.environ.get("REFRESH_SECONDS", 7 * 86_400))),
    "ROTATE_REFRESH_TOKENS": ROTATES,
    "BLACKLIST_AFTER_ROTATION": ROTATES,
} if ROTATES else {}
REST_AUTH = {
    "USE_JWT": True,
    "TOKEN_MODEL": None,
    "SESSION_LOGIN": False,
    "JWT_AUTH_COOKIE": "access",
    "JWT_AUTH_REFRESH_COOKIE": "refresh",
    "JWT_AUTH_HTTPONLY": True,
}
