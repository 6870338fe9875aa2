"""What the checks say of `examples/django-react` at each step is what the guide says, and each step's settings are sound."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from backends import ROOT, Tenure
from conftest import api_key, user

GUIDE = (ROOT / "docs/guide/rollout.md").read_text()
EXAMPLE = ROOT / "examples/django-react/backend"
#: What step 1 begins with, and what step 4 takes away.
BEGINNING = set(re.findall(r"^\((tenure\.W\d{3})\)", GUIDE, re.MULTILINE))
[TAKEN] = re.findall(r"no longer has (.*?)\. Suspend", GUIDE, re.DOTALL)
AFTER_4 = BEGINNING - {f"tenure.{name}" for name in re.findall(r"W\d{3}", TAKEN)}
AFTER_5 = {f"tenure.{name}" for name in re.findall(r"check --tag tenure` \| (W\d{3}) alone", GUIDE)}
SAID = [(1, BEGINNING), (3, BEGINNING), (4, AFTER_4), (5, AFTER_5), (8, set())]

#: simplejwt's is Django's at first, and then the same with a name of its own.
KEY = "only for tests on the loopback interface, and of enough letters"

#: What a page posts to the view, without the Redis that counts how often.
SIGN_UP = """
from rest_framework.test import APIRequestFactory
from tickets.joining import SignUp

person = {"email": "bob@example.com", "name": "Bob", "password": "another long password"}
print(SignUp.as_view(throttle_classes=())(APIRequestFactory().post("/", person)).status_code)
"""


def manage(told: dict[str, str], *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **told}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=EXAMPLE, env=environment, input=text, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("step", "said"), SAID)
def test_the_checks_say_of_each_step_what_the_guide_says(step: int, said: set[str]) -> None:
    assert len(BEGINNING) > len(AFTER_4) > len(AFTER_5) > 0
    told = {
        "STEP": str(step),
        "PYTHONPATH": str(ROOT / "python/tenure-drf/src"),
        "SECRET_KEY": KEY,
        "JWT_SIGNING_KEY": KEY,
        "DATABASE_URL": "sqlite:/nowhere",
        "REDIS_URL": "redis://127.0.0.1:9",
        "SITE_URL": "https://desk.example.com",
        "ADMIN_KEY": "of no use",
    }
    done = manage(told, "check", "--tag", "tenure")
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"\((tenure\.\w\d{3})\)", done.stderr)) == said, done.stderr


def test_the_models_have_their_migrations() -> None:
    told = {"STEP": "0", "SECRET_KEY": KEY, "DATABASE_URL": "sqlite::memory:"}
    done = manage(told, "makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr


def test_ids_are_written_to_the_rows_that_were_imported_whatever_their_addresses(
    own_server: Tenure, tmp_path: Path
) -> None:
    file = tmp_path / "desk.sqlite3"
    told = {"STEP": "0", "SECRET_KEY": KEY, "DATABASE_URL": f"sqlite:{file}", "PASSWORD": "a long way to the sea"}
    for arguments in (["migrate", "-v0"], ["people", "ada@example.com", "ADA@example.com", "ada@bücher.example"]):
        done = manage(told, *arguments)
        assert done.returncode == 0, done.stderr
    with sqlite3.connect(file) as db:
        db.execute("UPDATE tickets_person SET password = 'md5$salt$0f0f' WHERE id = 1")

    def ids() -> tuple[subprocess.CompletedProcess[str], dict[int, str]]:
        users = own_server.run("--json", "user", "list", "--all")
        done = manage(told, "tenure_ids", text=users)
        with sqlite3.connect(file) as db:
            return done, dict(db.execute("SELECT id, tenure_id FROM tickets_person"))

    moving = ["import", "django", "--table", "tickets_person", "--database-url", f"sqlite:{file}"]
    with pytest.raises(AssertionError, match="left out"):
        own_server.run(*moving)
    user(own_server)
    done, rows = ids()
    assert done.returncode == 1
    assert "1, ada@example.com, is not at Tenure" in done.stderr
    theirs = {one["imported_as"]: one["id"] for one in json.loads(own_server.run("--json", "user", "list", "--all"))}
    assert rows == {1: None, 2: theirs["django:2"], 3: theirs["django:3"]}
    with sqlite3.connect(file) as db:
        db.execute("DELETE FROM tickets_person WHERE id = 1")
    done, again = ids()
    assert done.returncode == 0, done.stderr
    assert again == {2: rows[2], 3: rows[3]}
    # Rows that changed hands are nobody's to guess.
    with sqlite3.connect(file) as db:
        db.execute("UPDATE tickets_person SET tenure_id = 'usr_other' WHERE id = 2")
    done, rows = ids()
    assert done.returncode == 1
    assert rows[2] == "usr_other"


def test_a_key_is_matched_however_its_column_writes_it() -> None:
    uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    keys = [17, "a-1", "A1", uuid, uuid.upper(), uuid.replace("-", ""), uuid.replace("-", "").upper(), uuid[1:]]
    told = {"STEP": "0", "SECRET_KEY": KEY, "DATABASE_URL": "sqlite::memory:"}
    code = (
        "import json\nfrom tickets.management.commands.tenure_ids import imported_key\n"
        f"print(json.dumps([imported_key(key) for key in {keys!r}]))"
    )
    done = manage(told, "shell", "--no-imports", "-c", code)
    assert json.loads(done.stdout) == ["17", "a-1", "A1", uuid, uuid, uuid, uuid, uuid[1:]], done.stderr


def test_who_signs_up_while_people_move_is_no_stranger_to_the_next_import(own_server: Tenure, tmp_path: Path) -> None:
    file = tmp_path / "desk.sqlite3"
    told = {
        "STEP": "5",
        "PYTHONPATH": str(ROOT / "python/tenure-drf/src"),
        "SECRET_KEY": KEY,
        "JWT_SIGNING_KEY": KEY,
        "DATABASE_URL": f"sqlite:{file}",
        "REDIS_URL": "redis://127.0.0.1:9",
        "SITE_URL": own_server.url,
        "ADMIN_KEY": api_key(own_server, user(own_server), "admin.users"),
        "PASSWORD": "a long way to the sea",
    }
    for arguments in (["migrate", "-v0"], ["people", "ada@example.com"]):
        done = manage(told, *arguments)
        assert done.returncode == 0, done.stderr
    moving = ["import", "django", "--table", "tickets_person", "--database-url", f"sqlite:{file}", "--json"]
    assert json.loads(own_server.run(*moving))["created"] == 1
    done = manage(told, "shell", "--no-imports", "-c", SIGN_UP)
    assert done.stdout.strip() == "201", done.stdout + done.stderr
    again = json.loads(own_server.run(*moving))
    assert (again["created"], again["known"], again["refused"]) == (0, 2, [])
    done = manage(told, "tenure_ids", text=own_server.run("--json", "user", "list", "--all"))
    assert "1 people more are known to Tenure" in done.stdout, done.stderr
