"""Observability: each refresh leaves a line that says what came of it, and `manage.py check --tag tenure` says what of
these settings signs people out. A Tenure runs, and is told by the front end why people are signed out; it signs nobody in yet.
"""

import os

from .step0 import *
from .step0 import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tenure_drf"]
TENURE = {"ISSUER": os.environ["SITE_URL"], "URL": os.environ.get("AUTH_URL", "")}
REFRESH_VIEW = "tickets.refresh.ToldRefreshView"
