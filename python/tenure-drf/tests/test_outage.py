"""A Tenure that is away, slow, or not itself: 503 with a time to try again, and never 401."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backends import Tenure, free_port, wait_for
from conftest import Browser, Configure, call, listen, problem, user
from tenure_drf import tenure as module

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("freshness", ["strict", "push"])
def test_while_it_is_away_it_is_503_and_afterwards_it_goes_on(
    own_server: Tenure, configure: Configure, freshness: str
) -> None:
    here = listen(configure, own_server) if freshness == "push" else configure(own_server)
    bob = Browser(own_server, user(own_server))
    assert call("/me", bob).status_code == 200
    own_server.kill()
    if here.feed is not None:
        wait_for(lambda: here.feed is not None and not here.feed.is_live(), "the feed to end", patience=10.0)
    for path in ("/me", "/account", "/requires/pro"):
        told = problem(call(path, bob), 503, "storage_unavailable")
        assert told["retry_after"] == 1
        assert told["class"] == "transport"
    own_server.start()
    assert call("/me", bob).status_code == 200
    assert bob.refresh() == 200


def test_stateless_goes_on_while_it_is_away_and_what_is_required_is_503(
    own_server: Tenure, configure: Configure
) -> None:
    configure(own_server, FRESHNESS="stateless")
    bob, eve = (Browser(own_server, user(own_server)) for _ in range(2))
    assert call("/me", bob).status_code == 200
    own_server.kill()
    assert call("/me", bob).status_code == 200
    problem(call("/requires/pro", bob), 503, "storage_unavailable")
    # Whoever is new is asked for first.
    problem(call("/me", eve), 503, "storage_unavailable")


def test_stateless_without_a_key_ever_is_503(own_server: Tenure, configure: Configure) -> None:
    bob = Browser(own_server, user(own_server))
    own_server.kill()
    configure(own_server, FRESHNESS="stateless")
    problem(call("/me", bob), 503, "storage_unavailable")


def test_one_that_hangs_is_503_after_the_timeout(own_server: Tenure, configure: Configure) -> None:
    bob = Browser(own_server, user(own_server))
    configure(own_server, TIMEOUT=2.0)
    assert call("/me", bob).status_code == 200
    own_server.hold()
    began = time.monotonic()
    problem(call("/me", bob), 503, "storage_unavailable")
    assert 1.9 < time.monotonic() - began < 8.0
    own_server.go_on()
    wait_for(lambda: call("/me", bob).status_code == 200, "it to go on")


Respond = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def impostor(respond: Respond) -> Iterator[str]:
    """Something else that answers in its place: a portal, a proxy's error page, a server that breaks off."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def says(status: int, kind: str, text: str, **headers: str) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(text.encode())

    return respond


def breaks_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


def trickles(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(401)
    handler.send_header("Content-Type", "application/problem+json")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.1)
    except OSError:
        return


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    handler.close_connection = True


def tells(code: str, status: int) -> Respond:
    return says(status, "application/problem+json", json.dumps({"code": code, "status": status}))


IDENTITY = {"Tenure_User": "usr_" + "1" * 32, "Tenure_Session": "ses_" + "1" * 32, "Tenure_Role": "user"}
STRANGE: dict[str, Respond] = {
    "a page instead of a refusal": says(401, "text/html", "<h1>Unauthorized</h1>"),
    "a proxy's 401 as JSON": says(401, "application/json", '{"code":"access_token_invalid"}'),
    "a redirect to a portal": says(302, "text/html", "", Location="http://127.0.0.1:9/portal"),
    "200 of a portal": says(200, "text/html", "<h1>Welcome</h1>"),
    "200 with half an identity": says(200, "text/plain", "", Tenure_User="usr_" + "1" * 32),
    "200 with an id of another kind": says(200, "text/plain", "", **{**IDENTITY, "Tenure_User": "root"}),
    "200 of two at once": says(200, "text/plain", "", **IDENTITY, Tenure_Key="key_" + "1" * 32),
    "a code that ends a session": tells("session_revoked", 401),
    "a code with another status": tells("access_token_invalid", 403),
    "a code that nobody knows": tells("of_a_later_version", 403),
    "its own 503": tells("storage_unavailable", 503),
    "its own 500": tells("internal_error", 500),
    "a problem that is none": says(401, "application/problem+json", "[]"),
    "a bad gateway": says(502, "text/html", "<h1>Bad Gateway</h1>"),
    "not found": tells("not_found", 404),
    "too large": says(401, "application/problem+json", "x" * 1_000_000),
    "an end in the middle": breaks_off,
    "a byte now and then": trickles,
    "no HTTP": no_http,
}


@pytest.mark.parametrize("what", STRANGE)
def test_whatever_answers_in_its_place_is_503_and_never_401(server: Tenure, configure: Configure, what: str) -> None:
    token = "a.b.c"
    with impostor(STRANGE[what]) as address:
        configure(server, URL=address, TIMEOUT=0.5)
        problem(call("/me", token), 503, "storage_unavailable")
        configure(server, URL=address, TIMEOUT=0.5, FRESHNESS="stateless")
        problem(call("/me", token), 503, "storage_unavailable")


def test_an_address_that_nobody_has_is_503_and_no_secret_is_logged(
    server: Tenure, configure: Configure, ada: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    configure(server, URL=f"http://127.0.0.1:{free_port()}", TIMEOUT=0.5)
    problem(call("/me", ada), 503, "storage_unavailable")
    # The name does not exist.
    configure(server, URL="http://tenure.invalid", TIMEOUT=0.5)
    problem(call("/me", ada), 503, "storage_unavailable")
    assert "could not be told" in caplog.text
    assert ada.token not in caplog.text


def test_a_listener_that_never_answers_holds_up_nobody_for_longer_than_the_timeout(
    server: Tenure, configure: Configure
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        configure(server, URL=f"http://127.0.0.1:{deaf.getsockname()[1]}", TIMEOUT=0.3)
        began = time.monotonic()
        problem(call("/me", "a.b.c"), 503, "storage_unavailable")
        assert time.monotonic() - began < 5.0


def test_a_database_that_does_not_answer_is_503(
    here: module.Tenure, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError
    from django.db.models import QuerySet

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(QuerySet, "first", away)
    problem(call("/me", ada), 503, "storage_unavailable")
