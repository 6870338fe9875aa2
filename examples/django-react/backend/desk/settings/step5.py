"""Tenure keeps the sessions. simplejwt's tokens are still taken, for tabs that have not been loaded since and for the way back."""

import os
from datetime import timedelta

from .step4 import *
from .step4 import REST_FRAMEWORK, SIMPLE_JWT, TENURE

REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenure_drf.authentication.TenureAuthentication",
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
    "EXCEPTION_HANDLER": "tenure_drf.handler.exception_handler",
}
TENURE = {
    **TENURE,
    "USER_ID_FIELD": "tenure_id",
    # Whoever is imported has a row already, and would get an empty one if they came before their id is written down.
    "CREATE_USERS": False,
    "FOREIGN_TOKENS": "pass",
}
# For new people and new passwords; its scope is admin.users.
TENURE_KEY = os.environ["ADMIN_KEY"]
SIMPLE_JWT = {
    **SIMPLE_JWT,
    "REFRESH_TOKEN_LIFETIME": timedelta(days=20),
    "BLACKLIST_AFTER_ROTATION": False,
    # Begins as the key that there is, so that no token is refused.
    "SIGNING_KEY": os.environ["JWT_SIGNING_KEY"],
}
