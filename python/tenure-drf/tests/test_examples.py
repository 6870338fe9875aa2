"""The examples, as they stand: a Celery worker as a process of its own, and events as Stripe signs them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from backends import ROOT, Tenure, wait_for
from conftest import Browser, Configure, api_key, call, problem, start, user
from reports import celery_app
from reports.tasks import write

FOLDER = Path(__file__).parent


@contextmanager
def worker(site: str, keys: dict[str, str], log: Path) -> Iterator[None]:
    """`celery worker`, with the keys that it works with. It ends with the pipe that it reads."""
    path = os.pathsep.join(str(FOLDER.parent / name) for name in ("src", "tests", "examples"))
    told = {
        "PYTHONPATH": path,
        "DJANGO_SETTINGS_MODULE": "site_settings",
        "SITE_DATABASE": str(connection.settings_dict["NAME"]),
        "SITE_URL": site,
        "REPORTS_KEYS": json.dumps(keys),
    }
    command = [sys.executable, "-m", "celery", "--app", "reports", "worker", "--pool", "solo", "--loglevel", "info"]
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **told})
        try:
            wait_for(lambda: " ready." in log.read_text() or process.poll() is not None, "the worker to be ready")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            process.wait()
            # What it was to try again is not for the next one.
            celery_app.control.purge()


def ordered(browser: Browser) -> int:
    answer = APIClient().post("/reports/", headers={"authorization": f"Bearer {browser.token}"})
    assert answer.status_code == 202, answer.content
    number: int = answer.json()["id"]
    return number


def put(number: int, **headers: str) -> Any:
    return APIClient().put(f"/reports/{number}/result", {"text": "forged"}, headers=headers, format="json")


def state_of(number: int, browser: Browser) -> tuple[str, str]:
    told = call(f"/reports/{number}", browser).json()
    return told["state"], told["note"]


def account_of(browser: Browser) -> str:
    account: str = call("/account", browser).json()["account"]
    return account


@pytest.mark.django_db(transaction=True)
def test_a_worker_goes_on_for_who_signed_out_and_ends_with_the_account_or_the_scope(
    server: Tenure, configure: Configure, live_server: Any, tmp_path: Path
) -> None:
    configure(server)
    ada, bob, eve, ida = (Browser(server, user(server)) for _ in range(4))
    scopes = {ada: "reports.write", bob: "reports.write", eve: "reports.read"}
    keys = {account_of(one): api_key(server, one.email, scope) for one, scope in scopes.items()}
    numbers = {one: ordered(one) for one in (ada, bob, eve, ida)}
    # Neither a key of another account nor a person writes it.
    stranger = api_key(server, bob.email, "reports.write")
    assert put(numbers[ada], **{"x-api-key": stranger}).status_code == 404
    assert put(numbers[ada], authorization=f"Bearer {ada.token}").status_code == 403
    assert call(f"/reports/{numbers[ada]}", bob).status_code == 404
    ada.sign_out()
    server.run("account", "set", bob.email, "--status", "suspended", "--reason", "t")
    with worker(live_server.url, keys, tmp_path / "log"):
        again = Browser(server, ada.email)
        wait_for(lambda: state_of(numbers[ada], again)[0] == "written", "the report")
        told = call(f"/reports/{numbers[ada]}", again).json()
        assert told["text"] == f"for {ada.email}"
        assert told["note"].startswith("key_")
        for one, why in ((bob, "account_suspended"), (eve, "permission_denied"), (ida, "no key of this account")):
            wait_for(lambda one=one: state_of(numbers[one], one)[0] != "queued", why)
            assert state_of(numbers[one], one) == ("refused", why)
            assert one.refresh() == 200
    log = (tmp_path / "log").read_text()
    assert not any(secret in log for secret in (*keys.values(), ada.token, bob.token))


@pytest.mark.django_db(transaction=True)
def test_a_worker_waits_while_tenure_is_away(
    own_server: Tenure, configure: Configure, live_server: Any, tmp_path: Path
) -> None:
    configure(own_server)
    ada = Browser(own_server, user(own_server))
    keys = {account_of(ada): api_key(own_server, ada.email, "reports.write")}
    number = ordered(ada)
    own_server.kill()
    with worker(live_server.url, keys, tmp_path / "log"):
        wait_for(lambda: "Retry in 1s" in (tmp_path / "log").read_text(), "a try in vain")
        # The same after an hour of tries: neither given up, nor more often than once a minute.
        write.apply_async((number,), retries=60)
        wait_for(lambda: "Retry in 60s" in (tmp_path / "log").read_text(), "a late try in vain")
        own_server.start()
        wait_for(lambda: state_of(number, ada)[0] == "written", "the report")


SECRET = "whsec_planted0123456789abcdef"
PRICE, CUSTOMER = "price_1PgPro00000000000000000", "cus_QXg1vqcGmRb9Lw"


def event(name: str, **changed: object) -> bytes:
    """As Stripe sends them; the server's own tests have them."""
    text = Path(ROOT, f"crates/server/tests/it/routes/billing/subscription_{name}.json").read_text()
    return json.dumps({**json.loads(text), "created": int(time.time()), **changed}).encode()


def deliver(body: bytes, secret: str = SECRET) -> Any:
    now = int(time.time())
    tag = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t={now},v1={tag}"}
    return Client().generic("POST", "/billing/stripe", body, content_type="application/json", headers=headers)


@pytest.mark.django_db
def test_what_stripe_tells_is_handed_on_and_read_back_where_it_is_used(configure: Configure) -> None:
    server = start(STRIPE__WEBHOOK_SECRET=SECRET)
    try:
        server.run("plan", "save", "pro", "--name", "Pro", "--stripe-price", PRICE, "--reason", "t")
        ada = Browser(server, user(server))
        server.run("account", "set", ada.email, "--stripe-customer", CUSTOMER, "--reason", "t")
        configure(server)
        problem(call("/billing/export", ada), 402, "plan_missing")
        assert call("/billing/plan", ada).json() == {"plan": None, "may_export": False}
        # Neither forged nor damaged on the way.
        assert deliver(event("created"), "whsec_of_somebody_else").status_code == 400
        problem(call("/billing/export", ada), 402, "plan_missing")
        created = event("created")
        assert deliver(created).status_code == 200
        assert deliver(created).status_code == 200
        assert call("/billing/export", ada).status_code == 200
        assert call("/billing/plan", ada).json() == {"plan": "pro", "may_export": True}
        assert deliver(event("deleted", created=int(time.time()) + 1)).status_code == 200
        answer = call("/billing/export", ada)
        assert answer.status_code in (402, 403)
        assert ada.refresh() == 200
        assert call("/me", ada).status_code == 200
        server.kill()
        away = deliver(created)
        assert (away.status_code, away["Retry-After"]) == (503, "1")
    finally:
        server.end()


def test_the_webhook_takes_no_other_method() -> None:
    assert APIClient().get("/billing/stripe").status_code == 405
