from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3
from django.core.cache import cache
from rest_framework.test import APIClient

from backends import Tenure, Testbed, end_shared, wait_for
from tenure_drf import tenure as module
from tenure_drf.issuer import Answer, Issuer

PASSWORD = "correct horse battery staple"
CONFIGURATION = """
[entitlement]
permissions = { "reports.read" = ["admin"] }
[limits]
sign_in_per_account_per_minute = 100000
sign_in_per_address_per_minute = 100000
"""


def pytest_unconfigure() -> None:
    end_shared()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Those whose name has this part, if `cargo xtask test` was given one. None is none, and no failure."""
    part = os.environ.get("TEST_FILTER", "")
    config.hook.pytest_deselected(items=[item for item in items if part not in item.nodeid])
    items[:] = [item for item in items if part in item.nodeid]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and os.environ.get("TEST_FILTER"):
        session.exitstatus = pytest.ExitCode.OK


@pytest.fixture(scope="session")
def server() -> Iterator[Tenure]:
    """The Tenure of all tests that do it no harm."""
    one = start()
    one.run(
        "plan", "save", "pro", "--name", "Pro", "--limits", '{"seats": 5}', "--features", '["export"]', "--reason", "t"
    )
    one.run("plan", "save", "team", "--name", "Team", "--reason", "t")
    yield one
    one.end()


@pytest.fixture
def own_server() -> Iterator[Tenure]:
    """One to be killed, held and changed."""
    one = start()
    yield one
    one.end()


@pytest.fixture
def older_server() -> Iterator[Testbed]:
    """One whose node has run for longer than the minute of whose tokens a feed cannot tell everything."""
    one = Testbed(ahead=0)
    headers = {"X-API-Key": api_key(one, user(one), "revocations.read")}
    feed = urllib3.request("GET", f"{one.url}/api/v1/auth/revocations", headers=headers, preload_content=False)
    # From then on it knows, plus that minute.
    assert feed.read1().startswith(b"event: begin")
    feed.close()
    one.leap(61)
    yield one
    one.end()


def start(**settings: str) -> Tenure:
    return Tenure(CONFIGURATION, **settings)


class Browser:
    """Somebody who is signed in. The jar is a header."""

    def __init__(self, server: Tenure, email: str, remember: bool = True) -> None:
        self.server, self.email = server, email
        answer = self._post("login", {"email": email, "password": PASSWORD, "remember_me": remember})
        assert answer.status == 200, answer.data
        self._cookies = {pair.split("=", 1)[0]: pair.split(";")[0] for pair in answer.headers.getlist("set-cookie")}
        told = answer.json()
        self.token: str = told["access_token"]
        self.user: str = told["user"]["id"]
        self.session: str = told["session"]["id"]

    def _post(self, path: str, body: object = None) -> urllib3.BaseHTTPResponse:
        headers = {"Content-Type": "application/json", "Origin": self.server.url}
        if hasattr(self, "_cookies"):
            headers["Cookie"] = "; ".join(self._cookies.values())
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        text = json.dumps(body) if body is not None else None
        return urllib3.request(
            "POST", f"{self.server.url}/api/v1/auth/{path}", headers=headers, body=text, retries=False
        )

    def sign_out(self) -> None:
        answer = self._post("logout", {})
        assert answer.status in (200, 204), answer.data

    def refresh(self) -> int:
        answer = self._post("refresh")
        if answer.status == 200:
            for pair in answer.headers.getlist("set-cookie"):
                self._cookies[pair.split("=", 1)[0]] = pair.split(";")[0]
            self.token = answer.json()["access_token"]
        return answer.status


def user(server: Tenure) -> str:
    """A new user's e-mail."""
    email = f"u{uuid.uuid4().hex[:12]}@example.com"
    told = {"email": email, "password": PASSWORD, "name": "Ada"}
    headers = {"Origin": server.url}
    answer = urllib3.request("POST", f"{server.url}/api/v1/auth/register", json=told, headers=headers, retries=False)
    assert answer.status == 201, answer.data
    return email


def api_key(server: Tenure, email: str, scopes: str) -> str:
    made = server.run("api-key", "create", email, "--name", "k", "--scopes", scopes, "--reason", "t", "--json")
    secret: str = json.loads(made)["secret"]
    return secret


@pytest.fixture
def ada(server: Tenure) -> Browser:
    return Browser(server, user(server))


Configure = Callable[..., module.Tenure]


@pytest.fixture
def configure(settings: Any) -> Iterator[Configure]:
    """Has this process go by a Tenure, by a setting of its own."""

    usual = settings.TENURE

    def choose(one: Tenure, **told: object) -> module.Tenure:
        # It waits longer than usual, as the machine may be busy; a test of outages says what it needs.
        settings.TENURE = {**usual, "ISSUER": one.url, "TIMEOUT": 10.0, **told}
        return module.tenure()

    module.forget()
    yield choose
    module.forget()


def listen(configure: Configure, server: Tenure, **told: object) -> module.Tenure:
    """Push, once all was told."""
    key = api_key(server, user(server), "revocations.read")
    here = configure(server, FRESHNESS="push", API_KEY=key, **told)
    assert here.feed is not None
    wait_for(here.feed.is_live, "the feed to be live")
    return here


@pytest.fixture
def here(server: Tenure, configure: Configure) -> module.Tenure:
    """The common case: strict, and the common server."""
    cache.clear()
    return configure(server)


class Asked(list[str]):
    """The paths that the issuer was asked for."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    paths, usual = Asked(), Issuer.get

    def get(self: Issuer, path: str, headers: Any = None, method: str = "GET") -> Answer:
        paths.append(path)
        return usual(self, path, headers, method)

    monkeypatch.setattr(Issuer, "get", get)
    return paths


def call(path: str, credential: Browser | str | None = None, **headers: str) -> Any:
    """What the site answers, whole, through all its middleware."""
    token = credential.token if isinstance(credential, Browser) else credential
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return APIClient().get(path, headers=headers)


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The answer is this problem, in the form of one."""
    told = answer.json()
    assert (answer.status_code, told.get("code")) == (status, code), told
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "no-store"
    assert told["status"] == status
    assert told["type"].endswith(f"/api/docs/codes#{code}")
    assert answer.has_header("WWW-Authenticate") == (status == 401)
    assert answer.has_header("Retry-After") == (status in (429, 503))
    return dict(told)
