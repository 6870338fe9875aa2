"""`tenure user list --all --json | manage.py tenure_ids`: writes down what Tenure calls the people whom it has imported from here.

They are told by the key of their row, and by nothing else: an address may be somebody else's, or be written in another way.
Run it after each import. It says who could not be matched, and then fails.
"""

import json
import re
import sys
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from tickets.models import Person

#: What the import calls this system.
PREFIX = "django:"
#: As a column of UUIDs and one of characters may have them.
A_UUID = re.compile("[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def imported_key(key: Any) -> str:
    """What the import has made of a primary key: every UUID is written in one way, and all else as it is."""
    text = str(key)
    return str(UUID(text)) if A_UUID.fullmatch(text) else text


class Command(BaseCommand):
    help = __doc__

    def handle(self, **_: object) -> None:
        theirs = {one["id"]: one["imported_as"] for one in json.load(sys.stdin)}
        imported = {
            user: name.removeprefix(PREFIX) for user, name in theirs.items() if name and name.startswith(PREFIX)
        }
        people = {imported_key(person.pk): person for person in Person.objects.only("tenure_id")}
        unmatched = []
        known = 0
        for user, key in imported.items():
            person = people.get(key)
            if person is None:
                unmatched.append(f"{user} was imported as {key}, which nobody is here")
            elif person.tenure_id not in (None, user):
                unmatched.append(f"{user} was imported as {key}, who is {person.tenure_id} here")
            elif person.tenure_id is None:
                person.tenure_id = user
                person.save(update_fields=["tenure_id"])
                known += 1
        for person in Person.objects.filter(tenure_id=None).order_by("pk"):
            unmatched.append(f"{person.pk}, {person.email or 'without an address'}, is not at Tenure")
        self.stdout.write(f"{known} people more are known to Tenure")
        if unmatched:
            raise CommandError("\n".join(unmatched))
