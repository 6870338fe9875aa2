"""`manage.py account suspended ada@example.com ...`: what support does, by mistake or not."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand

from tickets.models import Account


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("status", choices=Account.Status.values)
        parser.add_argument("people", nargs="+", metavar="EMAIL")

    def handle(self, *, status: str, people: list[str], **_: object) -> None:
        changed = Account.objects.filter(person__email__in=people).update(status=status)
        self.stdout.write(f"{changed} accounts are {status}")
