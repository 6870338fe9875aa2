"""What Django asks of Tenure itself, from step 5 on, where the passwords are. The key has the scope `admin.users`."""

from __future__ import annotations

import logging

import urllib3
from django.conf import settings
from rest_framework.exceptions import APIException

from .models import Person

logger = logging.getLogger(__name__)

TIMEOUT = 5
AGAIN = "Please try again in a moment."
#: What a person can put right. All else is ours, and nobody is told that they are signed out because of it.
PASSED_ON = (409, 422)


class Refused(APIException):
    def __init__(self, status: int, detail: str) -> None:
        self.status_code = status
        super().__init__(detail)


def new_user(person: Person, password: str) -> str:
    """Makes somebody there who has a row here, and says what they are called."""
    wish = {
        "email": person.email,
        "name": person.first_name,
        "password": password,
        # So that an import finds them there already, as the row that they are.
        "imported_as": f"django:{person.pk}",
        "reason": "signed up at the desk",
    }
    return _ask("", wish)["id"]


def reset_link(user: str) -> str:
    """Where they can choose another password, once."""
    return _ask(f"/{user}/password-reset", {"reason": "forgot their password"})["link"]


def _ask(path: str, wish: dict[str, str]) -> dict[str, str]:
    url = f"{settings.TENURE['URL'] or settings.TENURE['ISSUER']}/api/v1/admin/users{path}"
    headers = {"X-API-Key": settings.TENURE_KEY}
    try:
        answer = urllib3.request("POST", url, json=wish, headers=headers, timeout=TIMEOUT, retries=False)
    except urllib3.exceptions.HTTPError as error:
        logger.warning("Tenure is away: %s", error)
        raise Refused(503, AGAIN) from error
    if answer.status in PASSED_ON:
        raise Refused(answer.status, _words(answer.json()))
    if answer.status not in (200, 201):
        logger.error("Tenure answered %s to POST %s", answer.status, url)
        raise Refused(503, AGAIN)
    return answer.json()


def _words(problem: dict) -> str:
    return " ".join(fault["message"] for fault in problem.get("errors", [])) or problem["detail"]
