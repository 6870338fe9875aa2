"""Built on another module, as many are, with a key that is made anew at each start."""

from django.core.management.utils import get_random_secret_key

from origin_settings import *  # noqa: F403

SECRET_KEY = get_random_secret_key()
