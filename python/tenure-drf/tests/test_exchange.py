"""Tickets: whom this site vouches for, and that a real Tenure takes them over, each once."""

from __future__ import annotations

import json
import logging
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.conf import settings
from django.core import checks
from django.core.management import call_command
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from backends import Tenure
from conftest import Browser, Configure, api_key, problem, start, user
from shop.models import Person

PASSWORD = "correct horse"

pytestmark = [pytest.mark.django_db, pytest.mark.urls("ticket_urls")]


@pytest.fixture(scope="module")
def open_server() -> Iterator[Tenure]:
    """One that takes sign-ins over."""
    one = start(MIGRATION__EXCHANGE_UNTIL="2099-01-01T00:00:00Z", MIGRATION__SIMPLEJWT_KEY=settings.SECRET_KEY)
    yield one
    one.end()


@pytest.fixture(scope="module")
def key(open_server: Tenure) -> str:
    return api_key(open_server, user(open_server), "sessions.exchange")


@pytest.fixture
def moved(open_server: Tenure, configure: Configure, key: str) -> Person:
    """Somebody of this site who has come to Tenure as well."""
    configure(open_server, API_KEY=key)
    person = someone()
    move(open_server, person)
    return person


def someone() -> Person:
    person = Person(email=f"{secrets.token_hex(6)}@example.com", full_name="Ada")
    person.set_unusable_password()
    # Keys of people are theirs for good, and each test's database begins anew with 1.
    person.pk = secrets.randbelow(2**40)
    person.save(force_insert=True)
    return person


def move(server: Tenure, *people: Person) -> None:
    """By what Django itself writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "people.json")
        chosen = ",".join(str(person.pk) for person in people)
        call_command("dumpdata", "shop.person", primary_keys=chosen, output=str(file), verbosity=0)
        server.run("import", "django", "--dump", str(file), "--table", "shop.person")


def signed_in(person: Person) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    return client


def csrf(client: Client) -> str:
    """What Django gives the page with its form."""
    client.get("/admin/login/")
    return client.cookies["csrftoken"].value


def ask(client: Client, path: str = "/ticket/session", **headers: str) -> Any:
    return client.post(path, headers={"x-csrftoken": csrf(client), **headers})


def trade(server: Tenure, attempt: str = "", **shown: str) -> urllib3.BaseHTTPResponse:
    """What the page does with it."""
    body = {**shown, "attempt": attempt or secrets.token_hex(20)}
    headers = {"Origin": server.url, "Content-Type": "application/json"}
    address = f"{server.url}/api/v1/auth/exchange"
    return urllib3.request("POST", address, headers=headers, body=json.dumps(body), retries=False)


def by_ticket(server: Tenure, answer: Any, attempt: str = "") -> urllib3.BaseHTTPResponse:
    assert answer.status_code == 200, answer.content
    assert answer["Cache-Control"] == "no-store"
    told = answer.json()
    assert sorted(told) == ["expires_in", "ticket"]
    return trade(server, attempt, kind="ticket", ticket=told["ticket"])


def test_a_django_session_becomes_one_session_of_tenures(open_server: Tenure, moved: Person) -> None:
    client = signed_in(moved)
    answer = by_ticket(open_server, ask(client))
    assert answer.status == 200, answer.data
    told = answer.json()
    assert told["user"]["email"] == moved.email
    assert told["session"]["remembered"] is True
    assert "set-cookie" in answer.headers
    # Once, by whichever ticket: the session is the same.
    again = by_ticket(open_server, ask(client))
    assert (again.status, again.json()["code"]) == (409, "exchange_used")
    # Another browser of theirs has a session of its own.
    other = by_ticket(open_server, ask(signed_in(moved)))
    assert other.status == 200
    assert other.json()["session"]["id"] != told["session"]["id"]


def test_an_answer_that_was_lost_is_had_again_by_another_ticket(open_server: Tenure, moved: Person) -> None:
    client, attempt = signed_in(moved), secrets.token_hex(20)
    first, second = (by_ticket(open_server, ask(client), attempt).json() for _ in range(2))
    assert first["session"]["id"] == second["session"]["id"]


@pytest.mark.parametrize("kind", ["tokens", "key"])
def test_a_token_of_simplejwts_or_the_frameworks_is_vouched_for(open_server: Tenure, moved: Person, kind: str) -> None:
    own = Token.objects.create(user=moved).key
    shown = {"tokens": f"Bearer {AccessToken.for_user(moved)}", "key": f"Token {own}"}[kind]
    client = APIClient(enforce_csrf_checks=True)
    answer = by_ticket(open_server, client.post(f"/ticket/{kind}", headers={"authorization": shown}))
    assert answer.status == 200, answer.data
    assert answer.json()["user"]["email"] == moved.email
    again = by_ticket(open_server, client.post(f"/ticket/{kind}", headers={"authorization": shown}))
    assert again.json()["code"] == "exchange_used"


def test_each_browser_that_has_the_one_key_of_a_person_is_vouched_for_once(open_server: Tenure, moved: Person) -> None:
    shown = {"authorization": f"Token {Token.objects.create(user=moved).key}"}
    telephone, laptop = APIClient(), APIClient()
    sessions = set()
    for browser in (telephone, laptop):
        attempt = secrets.token_hex(20)
        answer = by_ticket(open_server, browser.post("/ticket/key", headers=shown), attempt)
        assert answer.status == 200, answer.data
        # What was lost on the way is had again.
        again = by_ticket(open_server, browser.post("/ticket/key", headers=shown), attempt)
        assert again.json()["session"]["id"] == answer.json()["session"]["id"]
        sessions.add(answer.json()["session"]["id"])
        used = by_ticket(open_server, browser.post("/ticket/key", headers=shown))
        assert used.json()["code"] == "exchange_used"
    assert len(sessions) == 2
    [cookie] = laptop.cookies.values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


def test_once_they_sign_out_everywhere_the_one_key_brings_nobody_back(open_server: Tenure, moved: Person) -> None:
    shown = {"authorization": f"Token {Token.objects.create(user=moved).key}"}
    assert by_ticket(open_server, APIClient().post("/ticket/key", headers=shown)).status == 200
    open_server.run("session", "end-all", moved.email, "--reason", "t")
    again = by_ticket(open_server, APIClient().post("/ticket/key", headers=shown))
    assert (again.status, again.json()["code"]) == (409, "exchange_used")


def test_a_refresh_token_of_simplejwts_needs_no_ticket(open_server: Tenure, moved: Person) -> None:
    answer = trade(open_server, kind="simplejwt", token=str(RefreshToken.for_user(moved)))
    assert answer.status == 200, answer.data
    assert answer.json()["user"]["email"] == moved.email


def test_who_is_not_signed_in_gets_none(open_server: Tenure, moved: Person) -> None:
    nobody = Client(enforce_csrf_checks=True)
    # As REST framework has it: 403 where the first class has no challenge, 401 where it has one.
    assert ask(nobody).status_code == 403
    assert APIClient().post("/ticket/tokens").status_code == 401
    assert APIClient().post("/ticket/tokens", headers={"authorization": "Bearer a.b.c"}).status_code == 401
    # Nor by a GET, which a picture on another page could send.
    assert signed_in(moved).get("/ticket/session").status_code == 405


def test_a_form_of_another_site_gets_none(moved: Person) -> None:
    answer = signed_in(moved).post("/ticket/session")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


def test_a_cookie_that_another_class_goes_by_is_checked_as_well(open_server: Tenure, moved: Person) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["access"] = str(AccessToken.for_user(moved))
    answer = client.post("/ticket/cookie")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    assert by_ticket(open_server, ask(client, "/ticket/cookie")).status == 200


def test_a_class_that_does_not_look_who_sends_the_session_is_checked_as_well(
    open_server: Tenure, moved: Person
) -> None:
    client = signed_in(moved)
    answer = client.post("/ticket/unchecked")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    # Nor does a header help that browsers send by themselves.
    answer = client.post("/ticket/unchecked", headers={"authorization": "Basic YTpi"})
    assert "CSRF" in answer.json()["detail"]
    assert by_ticket(open_server, ask(client, "/ticket/unchecked")).status == 200


def test_whom_other_middleware_has_named_has_no_session_that_could_be_taken_over(
    open_server: Tenure, moved: Person, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "shop.middleware.NamesSomebody"]
    other = someone()
    move(open_server, other)
    for person in (moved, other):
        nobody = Client(enforce_csrf_checks=True)
        problem(ask(nobody, **{"x-person": str(person.pk)}), 403, "permission_denied")
    # Nor by the session of somebody else.
    problem(ask(signed_in(other), **{"x-person": str(moved.pk)}), 403, "permission_denied")
    assert by_ticket(open_server, ask(signed_in(moved), **{"x-person": str(moved.pk)})).status == 200


def test_a_session_that_the_browser_keeps_is_one_sign_in_whatever_is_written_to_it(
    open_server: Tenure, moved: Person, settings: Any
) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    client = signed_in(moved)
    first = by_ticket(open_server, ask(client))
    assert first.status == 200, first.data
    keys = {client.cookies["sessionid"].value}
    session = client.session
    session["basket"] = "full"
    session.save()
    client.cookies["sessionid"] = str(session.session_key)
    keys.add(client.cookies["sessionid"].value)
    again = by_ticket(open_server, ask(client))
    assert (again.status, again.json()["code"]) == (409, "exchange_used")
    assert len(keys) == 2
    other = by_ticket(open_server, ask(signed_in(moved)))
    assert other.json()["session"]["id"] != first.json()["session"]["id"]


@pytest.mark.parametrize("flag", ["hijack_history", "loginas_from_user", "exit_users_pk", "_impersonate"])
def test_who_acts_in_the_name_of_a_customer_takes_nothing_over(open_server: Tenure, moved: Person, flag: str) -> None:
    client = signed_in(moved)
    session = client.session
    session[flag] = ["1"]
    session.save()
    problem(ask(client), 403, "permission_denied")
    # A key that the page was given meanwhile helps as little.
    key = {"authorization": f"Token {Token.objects.create(user=moved).key}"}
    problem(client.post("/ticket/key", headers=key), 403, "permission_denied")
    session[flag] = []
    session.save()
    assert by_ticket(open_server, ask(client)).status == 200


@pytest.mark.parametrize("year", [1900, 2200])
def test_a_sign_in_at_a_time_that_cannot_be_is_taken_over_all_the_same(
    open_server: Tenure, moved: Person, year: int
) -> None:
    client = signed_in(moved)
    Person.objects.filter(pk=moved.pk).update(last_login=datetime(year, 1, 1, tzinfo=UTC))
    assert by_ticket(open_server, ask(client)).status == 200


def test_nobody_is_vouched_for_because_of_a_tenure_token_or_a_password(open_server: Tenure, moved: Person) -> None:
    ada = Browser(open_server, user(open_server))
    for path in ("/ticket/tokens", "/ticket/session"):
        assert APIClient().post(path, headers={"authorization": f"Bearer {ada.token}"}).status_code in (401, 403)
    moved.set_password(PASSWORD)
    moved.save()
    basic = b64encode(f"{moved.email}:{PASSWORD}".encode()).decode()
    problem(APIClient().post("/ticket/basic", headers={"authorization": f"Basic {basic}"}), 403, "permission_denied")


def test_who_has_not_come_or_is_disabled_there_is_told_so(open_server: Tenure, moved: Person) -> None:
    problem(ask(signed_in(someone())), 404, "exchange_unknown_user")
    open_server.run("user", "disable", moved.email, "--reason", "t")
    problem(ask(signed_in(moved)), 403, "permission_denied")


def test_where_nothing_is_taken_over_that_is_said(server: Tenure, configure: Configure) -> None:
    configure(server, API_KEY=api_key(server, user(server), "sessions.exchange"))
    problem(ask(signed_in(someone())), 403, "exchange_closed")


def test_once_the_window_is_closed_a_key_that_was_revoked_keeps_no_page_waiting(
    server: Tenure, configure: Configure
) -> None:
    configure(server, API_KEY="tnk1_nonsense")
    problem(ask(signed_in(someone())), 403, "exchange_closed")


@pytest.mark.parametrize("scopes", ["revocations.read", ""])
def test_a_key_that_does_not_open_it_is_this_sites_fault_and_signs_nobody_out(
    open_server: Tenure, moved: Person, configure: Configure, caplog: pytest.LogCaptureFixture, scopes: str
) -> None:
    configure(open_server, API_KEY=api_key(open_server, user(open_server), scopes) if scopes else "tnk1_nonsense")
    with caplog.at_level(logging.ERROR, "tenure_drf"):
        problem(ask(signed_in(moved)), 503, "storage_unavailable")
    assert "sessions.exchange" in caplog.text
    configure(open_server)
    problem(ask(signed_in(moved)), 503, "storage_unavailable")
    assert "tenure.E012" in caplog.text


def test_while_tenure_is_away_it_is_503_and_never_401(own_server: Tenure, configure: Configure, key: str) -> None:
    configure(own_server, API_KEY=key, TIMEOUT=0.5)
    client = signed_in(someone())
    own_server.hold()
    problem(ask(client), 503, "storage_unavailable")
    own_server.go_on()
    own_server.kill()
    problem(ask(client), 503, "storage_unavailable")


def told(deploy: bool = False) -> list[str]:
    found = checks.run_checks(tags=["tenure"], include_deployment_checks=deploy)
    assert all(one.hint for one in found), found
    return [str(one.id) for one in found]


def test_the_checks_ask_for_the_key_where_tickets_are_given_out_and_nowhere_else(
    open_server: Tenure, configure: Configure, key: str, settings: Any
) -> None:
    configure(open_server, API_KEY=key)
    assert told(deploy=True) == []
    configure(open_server)
    assert told() == ["tenure.E012"]
    other = api_key(open_server, user(open_server), "revocations.read")
    configure(open_server, API_KEY=other)
    assert told(deploy=True) == ["tenure.E011"]
    settings.ROOT_URLCONF = "site_urls"
    assert told(deploy=True) == []


@pytest.mark.urls("tenure_ticket_urls")
def test_a_view_that_can_vouch_for_nobody_is_named(open_server: Tenure, configure: Configure, key: str) -> None:
    configure(open_server, API_KEY=key)
    assert told() == ["tenure.E013"]
