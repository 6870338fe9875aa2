"""A site that has the app and says nothing of it."""

SECRET_KEY = "only for tests, and of at least so many letters as Django wants to see"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "tenure_drf"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenure_drf.authentication.TenureAuthentication"],
    "EXCEPTION_HANDLER": "tenure_drf.handler.exception_handler",
}
