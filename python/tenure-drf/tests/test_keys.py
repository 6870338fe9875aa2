"""Keys that are rotated, made up, missing and away."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from backends import Tenure
from conftest import Asked, Browser, Configure, call, listen, problem, user
from tenure_drf import tenure as module
from tenure_drf.conf import Options
from tenure_drf.issuer import Answer, Issuer
from tenure_drf.keys import KEPT, MAX_AGE, MAX_AGE_MAX, PAUSE, Keys, KeysUnknownError, _max_age, read
from tenure_drf.tokens import header_of, kid_of

JWKS, CHECK = "/.well-known/jwks.json", "/api/v1/auth/check"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def keys_of(server: Tenure) -> tuple[Keys, Clock]:
    clock = Clock()
    return Keys(Issuer(Options(issuer=server.url, timeout=5.0)), clock), clock


def made_up(kid: str) -> str:
    return f"{header_of(kid)}.e30.AA"


def is_known(keys: Keys, token: str) -> bool | None:
    """Whether its key is there; none if nobody knows."""
    try:
        return header_of(str(kid_of(token))) in keys.for_token(token)
    except KeysUnknownError:
        return None


def on_a_clock(here: module.Tenure) -> Clock:
    clock = Clock()
    here.keys = Keys(here.issuer, clock)
    return clock


def test_a_key_that_is_new_is_fetched_when_its_first_token_comes(own_server: Tenure) -> None:
    keys, clock = keys_of(own_server)
    old = Browser(own_server, user(own_server))
    assert header_of(str(kid_of(old.token))) in keys.for_token(old.token)
    own_server.run("keys", "rotate", "--now")
    new = Browser(own_server, user(own_server))
    assert kid_of(new.token) != kid_of(old.token)
    # Not sooner than the pause after the last fetch, and then at once.
    assert is_known(keys, new.token) is None
    clock.now += PAUSE
    held = keys.for_token(new.token)
    assert {header_of(str(kid_of(one.token))) for one in (old, new)} <= set(held)
    assert keys.fetches == 2
    own_server.run("keys", "retire", str(kid_of(old.token)))
    clock.now += 301
    assert header_of(str(kid_of(old.token))) not in keys.for_token(new.token)


@pytest.mark.django_db
def test_through_a_rotation_nobody_is_refused_who_was_let_in(own_server: Tenure, configure: Configure) -> None:
    here = configure(own_server, FRESHNESS="stateless")
    bob = Browser(own_server, user(own_server))
    assert call("/me", bob).status_code == 200
    own_server.run("keys", "rotate")
    assert bob.refresh() == 200
    # It is published ahead and signs later, so no fetch is needed for it now.
    assert call("/me", bob).status_code == 200
    assert here.keys.fetches == 1


@pytest.mark.django_db
def test_whoever_has_a_key_made_after_the_last_fetch_is_not_refused_but_told_to_come_again(
    own_server: Tenure, configure: Configure
) -> None:
    clock = on_a_clock(configure(own_server, FRESHNESS="stateless"))
    bob = Browser(own_server, user(own_server))
    assert call("/me", bob).status_code == 200
    clock.now += PAUSE
    # Anybody can have the keys fetched, and this one is known to be none.
    problem(call("/me", made_up("made-up")), 401, "access_token_invalid")
    own_server.run("keys", "rotate", "--now")
    assert bob.refresh() == 200
    clock.now += 2.5
    assert problem(call("/me", bob), 503, "storage_unavailable")["retry_after"] == 8
    # The same for one that was none a moment ago: by now it may be one.
    problem(call("/me", made_up("made-up")), 503, "storage_unavailable")
    clock.now += 7.5
    assert call("/me", bob).status_code == 200
    # And once the issuer was asked since, it is known again.
    problem(call("/me", made_up("made-up")), 503, "storage_unavailable")
    clock.now += PAUSE
    problem(call("/me", made_up("made-up")), 401, "access_token_invalid")


@pytest.mark.django_db
def test_while_ends_are_told_the_issuer_is_asked_for_a_key_that_is_not_known(
    own_server: Tenure, configure: Configure, asked: Asked
) -> None:
    here = listen(configure, own_server)
    clock = on_a_clock(here)
    bob = Browser(own_server, user(own_server))
    assert call("/me", bob).status_code == 200
    clock.now += PAUSE
    asked.clear()
    # Even of one of which a fetch has just shown that it is none.
    problem(call("/me", made_up("made-up")), 401, "access_token_invalid")
    assert asked == [JWKS, CHECK]
    own_server.run("keys", "rotate", "--now")
    assert bob.refresh() == 200
    asked.clear()
    assert call("/me", bob).status_code == 200
    assert asked == [CHECK]
    # A flood is one fetch, and is asked for as each request is where nothing is told.
    for number in range(50):
        problem(call("/me", made_up(f"made-up-{number}")), 401, "access_token_invalid")
    assert asked == [CHECK] * 51
    clock.now += PAUSE
    for number in range(50):
        problem(call("/me", made_up(f"made-up-{number}")), 401, "access_token_invalid")
    assert asked.count(JWKS) == 1


def test_made_up_keys_are_no_load_for_the_issuer(server: Tenure, ada: Browser) -> None:
    keys, clock = keys_of(server)
    keys.for_token(ada.token)
    assert {is_known(keys, made_up(f"made-up-{number}")) for number in range(1000)} == {None}
    assert keys.fetches == 1
    clock.now += PAUSE
    # The first one had the issuer asked; of all others, and of itself a moment later, nobody knows.
    assert [is_known(keys, made_up("made-up-0")) for _ in range(1000)] == [False] + [None] * 999
    assert is_known(keys, made_up("made-up-1")) is None
    assert keys.fetches == 2
    assert keys.for_token(ada.token)
    for odd in ("garbage", "", "a.b.c"):
        keys.for_token(odd)
    clock.now += PAUSE
    for odd in ("garbage", "", "a.b.c"):
        keys.for_token(odd)
    assert keys.fetches == 2


def test_a_flood_from_many_threads_is_one_fetch_and_lets_in_whoever_has_a_key(server: Tenure, ada: Browser) -> None:
    keys, clock = keys_of(server)
    keys.for_token(ada.token)
    clock.now += PAUSE
    barrier = threading.Barrier(32)

    def one(number: int) -> bool | None:
        barrier.wait()
        return is_known(keys, made_up(f"made-up-{number}") if number % 2 else ada.token)

    with ThreadPoolExecutor(32) as pool:
        known = list(pool.map(one, range(32)))
    assert keys.fetches == 2
    assert set(known[::2]) == {True}
    # Those that came before the fetch began are none; of those that came later nobody knows.
    assert False in known[1::2]
    assert True not in known[1::2]


def test_those_who_waited_for_a_fetch_that_took_long_do_not_each_wait_for_another(
    server: Tenure, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, clock = keys_of(server)
    keys.for_token(ada.token)
    clock.now += PAUSE
    usual, has_begun, may_end = Issuer.get, threading.Event(), threading.Event()

    def slowly(self: Issuer, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        has_begun.set()
        assert may_end.wait(30)
        clock.now += PAUSE
        return usual(self, path, headers, method)

    monkeypatch.setattr(Issuer, "get", slowly)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(is_known, keys, made_up("first"))
        assert has_begun.wait(30)
        others = [pool.submit(is_known, keys, made_up(f"other-{number}")) for number in range(8)]
        may_end.set()
        # It began before they came, or they came when it had just ended.
        assert {other.result() for other in others} == {None}
        assert first.result() is False
    assert keys.fetches == 2


def test_what_a_cache_on_the_way_says_does_not_show_that_there_is_no_such_key(
    server: Tenure, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, clock = keys_of(server)
    usual, sent, further = Issuer.get, [], {"age": "7"}

    def cached(self: Issuer, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        sent.append(dict(headers or {}))
        answer = usual(self, path, headers, method)
        return Answer(answer.status, {**answer.headers, **further}, answer.body)

    monkeypatch.setattr(Issuer, "get", cached)
    assert is_known(keys, ada.token) is True
    clock.now += PAUSE
    assert is_known(keys, made_up("other")) is None
    # What the cache went and asked for is as good as without one.
    further["age"] = "0"
    clock.now += PAUSE
    assert is_known(keys, made_up("other")) is False
    further.clear()
    clock.now += PAUSE
    assert is_known(keys, made_up("other")) is False
    assert sent == [{"Cache-Control": "no-cache"}] * 4
    # Keys that are merely old may come from a cache.
    clock.now += MAX_AGE
    assert is_known(keys, ada.token) is True
    assert sent[4:] == [{}]


def test_many_threads_fetch_once(server: Tenure, ada: Browser) -> None:
    keys, _ = keys_of(server)
    barrier = threading.Barrier(32)

    def one(_: int) -> int:
        barrier.wait()
        return len(keys.for_token(ada.token))

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(one, range(32))) == {1}
    assert keys.fetches == 1


def test_while_the_issuer_is_away_known_keys_go_on_and_unknown_ones_are_not_known(own_server: Tenure) -> None:
    bob = Browser(own_server, user(own_server))
    keys, clock = keys_of(own_server)
    keys.for_token(bob.token)
    own_server.kill()
    clock.now += MAX_AGE + KEPT - 1
    assert keys.for_token(bob.token)
    assert is_known(keys, made_up("other")) is None
    fresh, later = keys_of(own_server)
    for _ in range(100):
        with pytest.raises(KeysUnknownError):
            fresh.for_token(bob.token)
    assert fresh.fetches == 1
    own_server.start()
    later.now += 1
    assert fresh.for_token(bob.token)


@pytest.mark.django_db
def test_a_key_that_was_stolen_and_retired_is_not_good_for_as_long_as_nobody_can_say_so(
    own_server: Tenure, configure: Configure
) -> None:
    clock = on_a_clock(configure(own_server, FRESHNESS="stateless"))
    bob = Browser(own_server, user(own_server))
    assert call("/me", bob).status_code == 200
    own_server.run("keys", "rotate", "--now")
    own_server.run("keys", "retire", str(kid_of(bob.token)))
    own_server.kill()
    clock.now += MAX_AGE + KEPT - 0.1
    assert call("/me", bob).status_code == 200
    clock.now += 0.1
    # Nor is it said that it is not good: nobody knows.
    for _ in range(2):
        problem(call("/me", bob), 503, "storage_unavailable")
    own_server.start()
    clock.now += 1
    problem(call("/me", bob), 401, "access_token_invalid")
    assert bob.refresh() == 200
    assert call("/me", bob).status_code == 200


def test_keys_are_kept_for_as_long_as_they_say() -> None:
    assert _max_age({"cache-control": "public, max-age=60"}) == 60
    assert _max_age({"cache-control": "max-age=99999999"}) == MAX_AGE_MAX
    for odd in ({}, {"cache-control": "max-age="}, {"cache-control": "max-age=-1"}, {"cache-control": "public"}):
        assert _max_age(odd) == MAX_AGE


def test_what_holds_no_key_of_ours_is_no_key_set(server: Tenure) -> None:
    good = json.loads(Issuer(Options(issuer=server.url)).get("/.well-known/jwks.json").body)
    assert len(read(json.dumps(good).encode())) == len(good["keys"])
    jwk = good["keys"][0]
    others = [{**jwk, "kty": "RSA"}, {**jwk, "crv": "X25519"}, {**jwk, "use": "enc"}, {**jwk, "kid": 7}]
    assert len(read(json.dumps({"keys": [*others, jwk]}).encode())) == 1
    for odd in ([], others, [{**jwk, "x": "AA"}], [7], "keys", None):
        with pytest.raises(ValueError, match="JWK set"):
            read(json.dumps({"keys": odd}).encode())
    for text in (b"", b"{", b"[]", b"7", b"[" * 100_000):
        with pytest.raises(ValueError, match="JWK set"):
            read(text)
