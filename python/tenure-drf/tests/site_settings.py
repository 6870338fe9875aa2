"""A Django site as people run one: PostgreSQL, Redis, a user model of its own, its admin, and Tenure."""

import json
import os

from backends import database, shared

SECRET_KEY = "only for tests on the loopback interface, and of enough letters"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ROOT_URLCONF = "site_urls"
USE_TZ = True
DATABASES = {"default": database(shared("TENURE_TEST_POSTGRES", "postgres"))}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
    "tenure_drf",
    "shop",
    "reports",
    "billing",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_USER_MODEL = "shop.Person"
# Their hashes are not what is tested.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenure_drf.authentication.TenureAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "EXCEPTION_HANDLER": "tenure_drf.handler.exception_handler",
}
# The address of a Tenure is known once one was started.
TENURE = {
    "ISSUER": os.environ.get("SITE_ISSUER", "http://127.0.0.1:9"),
    "USER_ID_FIELD": "tenure_id",
    "CREATE_USERS": True,
    "USER_FIELDS": "shop.people.fields",
    "ACCEPT_API_KEYS": True,
}

# Sessions are the admin's alone; docs/guide/django.md has these lines, and a test runs them from there.
REDIS_URL = shared("SITE_REDIS", "redis")
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600

CELERY_BROKER_URL = REDIS_URL
SITE_URL = os.environ.get("SITE_URL", "")
#: A key of each account for which reports are written.
REPORTS_KEYS: dict[str, str] = json.loads(os.environ.get("REPORTS_KEYS", "{}"))
