"""Many requests at once, on a real PostgreSQL and with real threads and processes."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from backends import Tenure, Testbed
from conftest import Asked, Browser, Configure, call, listen, user
from shop.models import Person
from tenure_drf import tenure as module
from tenure_drf.issuer import Credential

pytestmark = pytest.mark.django_db(transaction=True)

#: As many requests as a page may send that somebody opens for the first time.
MANY = 24


def at_once(browsers: list[Browser], path: str = "/me") -> list[Any]:
    barrier = threading.Barrier(len(browsers))

    def one(browser: Browser) -> Any:
        barrier.wait()
        try:
            return call(path, browser)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(browsers)) as pool:
        return list(pool.map(one, browsers))


@pytest.mark.parametrize("freshness", ["strict", "stateless"])
def test_somebody_new_who_sends_many_requests_at_once_gets_one_row(
    server: Tenure, configure: Configure, freshness: str
) -> None:
    for _ in range(4):
        configure(server, FRESHNESS=freshness)
        eve = Browser(server, user(server))
        answers = at_once([eve] * MANY)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["pk"] for answer in answers}) == 1
        assert Person.objects.filter(tenure_id=eve.user).count() == 1


def test_many_who_are_new_get_a_row_each(here: module.Tenure, server: Tenure) -> None:
    browsers = [Browser(server, user(server)) for _ in range(8)]
    answers = at_once(browsers)
    assert [answer.json()["user"] for answer in answers] == [browser.user for browser in browsers]
    assert Person.objects.count() == 8


def test_a_process_starts_one_feed_however_many_ask_first(older_server: Testbed, configure: Configure) -> None:
    listen(configure, older_server)
    eve = Browser(older_server, user(older_server))
    module.forget()
    before = feeds()
    assert {answer.status_code for answer in at_once([eve] * MANY)} == {200}
    assert len(feeds() - before) == 1


def feeds() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == "tenure-feed"}


def test_a_child_process_has_a_feed_of_its_own(older_server: Testbed, configure: Configure, asked: Asked) -> None:
    """As a server forks its workers after the first of them had begun."""
    before = listen(configure, older_server)
    eve = Browser(older_server, user(older_server))
    assert before.admit(Credential(eve.token))[0].user == eve.user
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing of the test's may run twice, whatever happens.
        said = b"no"
        try:
            own = module.tenure()
            is_own = own is not before and own.feed is not None and own.feed._thread.is_alive()
            said = b"yes" if is_own and own.admit(Credential(eve.token))[0].user == eve.user else b"no"
        finally:
            os.write(writing, said)
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 3) == b"yes"
    for end in (reading, writing):
        os.close(end)
    # The parent's goes on.
    asked.clear()
    assert before.admit(Credential(eve.token))[0].user == eve.user
    assert asked == []


def test_a_sign_out_amid_many_requests_refuses_all_that_begin_after_it(here: module.Tenure, server: Tenure) -> None:
    eve = Browser(server, user(server))
    assert call("/me", eve).status_code == 200
    signed_out = threading.Event()
    wrong: list[int] = []

    def ask() -> None:
        try:
            for _ in range(20):
                was_out = signed_out.is_set()
                status = call("/me", eve).status_code
                if status not in (200, 401) or (was_out and status == 200):
                    wrong.append(status)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    eve.sign_out()
    signed_out.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert call("/me", eve).status_code == 401
