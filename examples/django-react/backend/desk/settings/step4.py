"""No middleware signs anybody out: a permission refuses, by a code, and the account may be served again tomorrow.

Django's sessions are for its admin and nothing else, in Redis and in the database, so that neither a restart nor an
emptied Redis ends them.
"""

import os

from .step3 import *
from .step3 import MIDDLEWARE, REST_FRAMEWORK

MIDDLEWARE = [name for name in MIDDLEWARE if name != "tickets.middleware.AccountMiddleware"]
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "tickets.permissions.AccountIsServed",
    ],
}

SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ["REDIS_URL"],
    }
}
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
