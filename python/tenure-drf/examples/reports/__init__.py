"""Celery: a task works on behalf of whoever asked for it, through an API key and not with their token.

A token lasts for minutes and is a person's; it has no business in a queue. The task takes a key of the person's account
that may do this one thing, so that it goes on after they have closed the browser, ends when the account is suspended,
and is stopped by revoking the key. Nothing that happens to the task signs anybody out.
"""

from .celery_app import app as celery_app

__all__ = ["celery_app"]
