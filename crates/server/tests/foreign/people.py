"""Writes what the tests of `tenure import` read, by a real Django: `python people.py FOLDER`.

FOLDER gets `people.json` and `people.jsonl` (dumpdata) and `people.sql` (the table of SQLite, as statements). Run it with
Django 5.2, argon2-cffi and bcrypt installed; salts are drawn anew.
"""

import pathlib
import sqlite3
import sys
import tempfile

import django
from django.conf import settings
from django.core.management import call_command

folder = pathlib.Path(sys.argv[1])
database = pathlib.Path(tempfile.mkdtemp()) / "db.sqlite3"
HASHERS = ["PBKDF2", "PBKDF2SHA1", "Argon2", "BCryptSHA256", "Scrypt", "MD5"]
settings.configure(
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}PasswordHasher" for name in HASHERS],
)
django.setup()
call_command("migrate", verbosity=0)

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.utils.dateparse import parse_datetime  # noqa: E402

JOINED = parse_datetime("2019-03-04T05:06:07.891Z")


def person(username, hasher="pbkdf2_sha256", password="correct horse battery staple", **fields):
    fields.setdefault("email", f"{username}@Example.com")
    hashed = make_password(password, hasher=hasher)
    User.objects.create(username=username, password=hashed, date_joined=JOINED, **fields)


person("ada", first_name="Ada", last_name="Lovelace", is_superuser=True, is_staff=True)
person("bob", "pbkdf2_sha1")
person("cyd", "argon2", is_staff=True)
person("dan", "bcrypt_sha256", "pässwörd")
person("eve", "scrypt", is_active=False)
person("fay", password=None)
person("gil", "md5")
person("hal", email="")
person("ida", email="ADA@example.com")
person("joe", first_name="Joe\u202e")
Group.objects.create(name="editors")

call_command("dumpdata", "auth", output=str(folder / "people.json"), verbosity=0)
call_command("dumpdata", "auth", format="jsonl", output=str(folder / "people.jsonl"), verbosity=0)
lines = sqlite3.connect(database).iterdump()
table = [line for line in lines if line.startswith(('CREATE TABLE "auth_user" ', 'INSERT INTO "auth_user" '))]
(folder / "people.sql").write_text("\n".join(table) + "\n")
