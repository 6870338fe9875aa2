"""Keys that are rotated, made up, missing and away."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backends import Tenure
from conftest import Browser, Configure, call, user
from tenure_drf.conf import Options
from tenure_drf.issuer import Issuer
from tenure_drf.keys import ABSENT, MAX_AGE, MAX_AGE_MAX, PAUSE, Keys, KeysUnknownError, _max_age, read
from tenure_drf.tokens import header_of, kid_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def keys_of(server: Tenure) -> tuple[Keys, Clock]:
    clock = Clock()
    return Keys(Issuer(Options(issuer=server.url, timeout=5.0)), clock), clock


def made_up(kid: str) -> str:
    return f"{header_of(kid)}.e30.AA"


def test_a_key_that_is_new_is_fetched_when_its_first_token_comes(own_server: Tenure) -> None:
    keys, clock = keys_of(own_server)
    old = Browser(own_server, user(own_server))
    assert header_of(str(kid_of(old.token))) in keys.for_token(old.token)
    own_server.run("keys", "rotate", "--now")
    new = Browser(own_server, user(own_server))
    assert kid_of(new.token) != kid_of(old.token)
    # Not sooner than the pause after the last fetch, and then at once.
    assert header_of(str(kid_of(new.token))) not in keys.for_token(new.token)
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


def test_made_up_keys_are_no_load_for_the_issuer(server: Tenure, ada: Browser) -> None:
    keys, clock = keys_of(server)
    keys.for_token(ada.token)
    for number in range(1000):
        keys.for_token(made_up(f"made-up-{number}"))
    assert keys.fetches == 1
    clock.now += PAUSE
    for _ in range(1000):
        keys.for_token(made_up("made-up-0"))
    assert keys.fetches == 2
    # The one that was not there is not asked for again so soon; another may be.
    clock.now += PAUSE
    keys.for_token(made_up("made-up-0"))
    assert keys.fetches == 2
    keys.for_token(made_up("made-up-1"))
    assert keys.fetches == 3
    clock.now += ABSENT
    keys.for_token(made_up("made-up-0"))
    assert keys.fetches == 4
    for odd in ("garbage", "", "a.b.c"):
        keys.for_token(odd)
    assert keys.fetches == 4


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
    clock.now += 10 * MAX_AGE
    assert keys.for_token(bob.token)
    with pytest.raises(KeysUnknownError):
        keys.for_token(made_up("other"))
    fresh, later = keys_of(own_server)
    for _ in range(100):
        with pytest.raises(KeysUnknownError):
            fresh.for_token(bob.token)
    assert fresh.fetches == 1
    own_server.start()
    later.now += 1
    assert fresh.for_token(bob.token)


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
