"""Tightened: nothing but Tenure's tokens is taken, and nothing hands out others."""

from .step7 import *
from .step7 import REST_FRAMEWORK, TENURE

REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenure_drf.authentication.TenureAuthentication"],
}
TENURE = {**TENURE, "FOREIGN_TOKENS": "refuse"}
del SIMPLE_JWT, REFRESH_VIEW  # noqa: F821
