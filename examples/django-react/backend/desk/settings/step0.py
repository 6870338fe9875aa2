"""The app that signs people out: what `manage.py check --tag tenure` finds in it, step 4 and step 5 take away."""

from datetime import timedelta

from .base import *
from .base import MIDDLEWARE

MIDDLEWARE = [*MIDDLEWARE, "tickets.middleware.AccountMiddleware"]

# In the memory of one process, and not sent along by who comes by a link.
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_COOKIE_SAMESITE = "Strict"

# A second tab, or an answer that is lost, presents a token that was blacklisted.
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
}
REFRESH_VIEW = "rest_framework_simplejwt.views.TokenRefreshView"
