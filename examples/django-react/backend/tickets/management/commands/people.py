"""`manage.py people ada@example.com ...`: makes people who can sign in with what PASSWORD says, each with an account."""

import os
from argparse import ArgumentParser

from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand

from tickets.models import Account, Person


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("people", nargs="+", metavar="EMAIL")
        parser.add_argument("--staff", action="store_true")

    def handle(self, *, people: list[str], staff: bool, **_: object) -> None:
        # One hash for all, because making one is meant to take long.
        password = make_password(os.environ["PASSWORD"])
        for email in people:
            name = email.split("@", 1)[0].capitalize()
            account = Account.objects.create(name=f"{name}'s")
            Person.objects.create(
                username=email,
                email=email,
                password=password,
                first_name=name,
                account=account,
                is_staff=staff,
                is_superuser=staff,
            )
