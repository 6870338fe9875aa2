"""The statements of the guides for whoever comes from elsewhere: people move in with the passwords that they have there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import urllib3
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from backends import ROOT, Tenure
from conftest import api_key, start, user

PASSWORD = "a long way to the sea"

# What the statements read of each system's tables, with the types that they have there.
SUPABASE = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid, email varchar(255), encrypted_password varchar(255), raw_user_meta_data jsonb,
  email_confirmed_at timestamptz, banned_until timestamptz, created_at timestamptz, deleted_at timestamptz,
  is_anonymous boolean NOT NULL DEFAULT false, is_sso_user boolean NOT NULL DEFAULT false);
"""
SUPERTOKENS = """
CREATE TABLE emailpassword_users (app_id varchar(64) DEFAULT 'public', user_id char(36) NOT NULL, email varchar(256) NOT NULL,
  password_hash varchar(256) NOT NULL, time_joined bigint NOT NULL);
CREATE TABLE userid_mapping (app_id varchar(64) DEFAULT 'public', supertokens_user_id char(36), external_user_id varchar(128));
CREATE TABLE emailverification_verified_emails (app_id varchar(64) DEFAULT 'public', user_id varchar(128), email varchar(256));
"""
BETTER_AUTH = """
CREATE TABLE "user" (id text, name text, email text, "emailVerified" boolean, "createdAt" timestamptz);
CREATE TABLE account (id text, "userId" text, "providerId" text, password text);
"""
ALLAUTH = """
CREATE TABLE auth_user (id int, email varchar(254));
CREATE TABLE account_emailaddress (user_id int, email varchar(254), verified boolean);
"""


class Elsewhere:
    """The database of another system."""

    def __init__(self, name: str, tables: str) -> None:
        self._guide = (ROOT / f"docs/guide/coming-from-{name}.md").read_text()
        self._name = name
        server, self._database = os.environ["TENURE_TEST_POSTGRES"], f"elsewhere_{uuid.uuid4().hex}"
        self._server = psycopg.connect(server, autocommit=True)
        self._server.execute(f"CREATE DATABASE {self._database}")
        self.db = psycopg.connect(urlsplit(server)._replace(path=f"/{self._database}").geturl(), autocommit=True)
        self.db.execute(tables)
        self.db.execute("CREATE EXTENSION pgcrypto")

    def says(self, without: str = "") -> list[Any]:
        """The rows of the guide's statement, or of as much as stands before what it says may be left out."""
        [statement] = re.findall(rf"^```sql name={self._name}.sql\n(.*?)^```$", self._guide, re.MULTILINE | re.DOTALL)
        if without:
            statement, left, _ = statement.partition(without)
            assert left
        return self.db.execute(statement).fetchall()

    def move(self, server: Tenure, folder: Path) -> None:
        lines = [json.dumps(row[0]) for row in self.says()]
        dump = folder / "people.json"
        dump.write_text("\n".join(lines))
        server.run("import", "django", "--dump", str(dump), "--table", "people")

    def end(self) -> None:
        self.db.close()
        self._server.execute(f"DROP DATABASE {self._database}")
        self._server.close()


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Elsewhere]:
    one = Elsewhere(*request.param)
    yield one
    one.end()


def sign_in(server: Tenure, email: str) -> int:
    told = {"email": email, "password": PASSWORD}
    headers = {"Origin": server.url}
    answer = urllib3.request("POST", f"{server.url}/api/v1/auth/login", json=told, headers=headers, retries=False)
    return answer.status


def bcrypt(db: psycopg.Connection[Any]) -> str:
    """As Go's and Java's bcrypt write it."""
    [made] = db.execute("SELECT crypt(%s, gen_salt('bf', 4))", [PASSWORD]).fetchall()
    return str(made[0])


def argon2() -> str:
    derive = Argon2id(salt=os.urandom(16), length=32, iterations=1, lanes=2, memory_cost=1024)
    return derive.derive_phc_encoded(PASSWORD.encode())


@pytest.mark.parametrize("elsewhere", [("supabase", SUPABASE)], indirect=True)
def test_people_of_supabase_move_in(elsewhere: Elsewhere, server: Tenure, tmp_path: Path) -> None:
    def row(email: str | None, password: str | None, **more: Any) -> None:
        fields = {
            "id": uuid.uuid4(),
            "email": email,
            "encrypted_password": password,
            "created_at": "2024-05-06T07:08:09.1Z",
        }
        fields |= {"email_confirmed_at": "now", "raw_user_meta_data": json.dumps({"full_name": "Ada Lovelace"})} | more
        names = ", ".join(fields)
        elsewhere.db.execute(
            f"INSERT INTO auth.users ({names}) VALUES ({', '.join(['%s'] * len(fields))})", list(fields.values())
        )

    row("ada@supabase.example", bcrypt(elsewhere.db))
    row("ben@supabase.example", argon2(), raw_user_meta_data="{}")
    row("by-google@supabase.example", None)
    row("banned@supabase.example", bcrypt(elsewhere.db), banned_until="infinity")
    row("unconfirmed@supabase.example", bcrypt(elsewhere.db), email_confirmed_at=None)
    row("gone@supabase.example", bcrypt(elsewhere.db), deleted_at="now")
    row(None, None, is_anonymous=True)
    elsewhere.move(server, tmp_path)
    assert sign_in(server, "ada@supabase.example") == 200
    assert sign_in(server, "ben@supabase.example") == 200
    ada = json.loads(server.run("--json", "user", "show", "ada@supabase.example"))
    assert (ada["name"], ada["has_password"]) == ("Ada Lovelace", True)
    assert not json.loads(server.run("--json", "user", "show", "by-google@supabase.example"))["has_password"]
    assert json.loads(server.run("--json", "user", "show", "banned@supabase.example"))["disabled_at"]
    for left in ("unconfirmed", "gone"):
        assert sign_in(server, f"{left}@supabase.example") == 401


@pytest.mark.parametrize("elsewhere", [("supertokens", SUPERTOKENS)], indirect=True)
def test_people_of_supertokens_move_in(elsewhere: Elsewhere, server: Tenure, tmp_path: Path) -> None:
    def row(name: str, password: str, *, is_verified: bool = True, mapped: str | None = None) -> str:
        own, email = str(uuid.uuid4()), f"{name}@supertokens.example"
        elsewhere.db.execute(
            "INSERT INTO emailpassword_users (user_id, email, password_hash, time_joined) VALUES (%s, %s, %s, 1714979289000)",
            [own, email, password],
        )
        if mapped is not None:
            told = "INSERT INTO userid_mapping (supertokens_user_id, external_user_id) VALUES (%s, %s)"
            elsewhere.db.execute(told, [own, mapped])
        if is_verified:
            told = "INSERT INTO emailverification_verified_emails (user_id, email) VALUES (%s, %s)"
            elsewhere.db.execute(told, [mapped or own, email])
        return mapped or own

    ada = row("ada", bcrypt(elsewhere.db))
    ben = row("ben", argon2(), mapped="the id of before")
    firebase = row("firebase", "$f_scrypt$x$y")
    unverified = row("unverified", bcrypt(elsewhere.db), is_verified=False)
    # What the session tells: the recipe's id, or the one that it was given.
    assert {told["pk"] for [told] in elsewhere.says()} == {ada, ben, firebase}
    assert {told["pk"] for [told] in elsewhere.says(without="  AND EXISTS")} == {ada, ben, firebase, unverified}
    elsewhere.move(server, tmp_path)
    assert sign_in(server, "ada@supertokens.example") == 200
    assert sign_in(server, "ben@supertokens.example") == 200
    assert sign_in(server, "unverified@supertokens.example") == 401
    assert not json.loads(server.run("--json", "user", "show", "firebase@supertokens.example"))["has_password"]


@pytest.mark.parametrize("elsewhere", [("better-auth", BETTER_AUTH)], indirect=True)
def test_people_of_better_auth_move_in_and_stay_signed_in(elsewhere: Elsewhere, tmp_path: Path) -> None:
    # As `@better-auth/utils/password` writes it: the salt is its hexadecimal text.
    salt = os.urandom(16).hex()
    key = hashlib.scrypt(PASSWORD.encode(), salt=salt.encode(), n=16384, r=16, p=1, maxmem=64 << 20, dklen=64)
    for name, is_verified in (("ada", True), ("ben", True), ("unverified", False)):
        row = [name, name.title(), f"{name}@better-auth.example", is_verified]
        elsewhere.db.execute('INSERT INTO "user" VALUES (%s, %s, %s, %s, now())', row)
    elsewhere.db.execute("INSERT INTO account VALUES ('1', 'ada', 'credential', %s)", [f"{salt}:{key.hex()}"])
    elsewhere.db.execute("INSERT INTO account VALUES ('2', 'ben', 'google', NULL)")

    assert len(elsewhere.says()) == 2
    assert len(elsewhere.says(without="WHERE")) == 3
    server = start(MIGRATION__EXCHANGE_UNTIL="2100-01-01T00:00:00Z")
    try:
        elsewhere.move(server, tmp_path)
        assert sign_in(server, "ada@better-auth.example") == 200
        assert sign_in(server, "ben@better-auth.example") == 401
        assert sign_in(server, "unverified@better-auth.example") == 401
        # Who has no password is vouched for, as the guide says.
        bearer = {"Authorization": f"Bearer {api_key(server, user(server), 'sessions.exchange')}"}
        exchange = f"{server.url}/api/v1/auth/exchange"
        told = {"user_id": "ben", "legacy_session": hashlib.sha256(b"a session").hexdigest()}
        vouched = urllib3.request("POST", f"{exchange}/tickets", json=told, headers=bearer, retries=False)
        assert vouched.status == 200, vouched.data
        trade = {"kind": "ticket", "ticket": vouched.json()["ticket"], "attempt": "a" * 32}
        traded = urllib3.request("POST", exchange, json=trade, headers={"Origin": server.url}, retries=False)
        assert (traded.status, traded.json()["user"]["email"]) == (200, "ben@better-auth.example")
    finally:
        server.end()


@pytest.mark.parametrize("elsewhere", [("allauth", ALLAUTH)], indirect=True)
def test_doubtful_addresses_of_allauth_are_found(elsewhere: Elsewhere) -> None:
    elsewhere.db.execute(
        "INSERT INTO auth_user VALUES (1, 'Ada@a.example'), (2, 'ben@a.example'), (3, 'cem@a.example')"
    )
    elsewhere.db.execute(
        "INSERT INTO account_emailaddress VALUES (1, 'ada@a.example', true), (2, 'ben@a.example', false), (3, 'c@a.example', true)"
    )
    assert [row[1] for row in elsewhere.says()] == ["ben@a.example", "cem@a.example"]
