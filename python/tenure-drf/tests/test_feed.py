"""What is told of ends: how it is read, how long it is believed, and what happens when it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backends import Tenure, wait_for
from conftest import Browser, Configure, api_key, call, listen, user
from tenure_drf import tenure as module
from tenure_drf.conf import Options
from tenure_drf.events import LINE_MAX, Event, Events
from tenure_drf.feed import RETRY_FIRST, RETRY_LAST, Feed, FeedError, fault_of, pause
from tenure_drf.issuer import Issuer
from tenure_drf.known import CLOCKS_DIFFER_MAX, ENDED, FACTS_MAX, UNCLEAR, Known, Stands, TooMuchError
from tenure_drf.tokens import Claims

NOW = 1_795_000_000
USER, SESSION = "usr_" + "2" * 32, "ses_" + "1" * 32
TEXT = b': hello\n\nevent: begin\ndata: {"a":1}\n\nid: 7\r\ndata:x\r\n\r\nevent: beat\ndata: {}\n\nevent'


def claims(version: int = 1) -> Claims:
    return Claims(USER, SESSION, version, "user", NOW, NOW + 900)


def knowing(since: int = NOW * 1000, **facts: Any) -> Known:
    known = Known(since, keep=1020, lag=20)
    known.note(facts, at=0)
    return known


def of_user(state: str, **told: object) -> dict[str, Any]:
    return {"users": [{"id": USER, "state": state, **told}]}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40, len(TEXT)])
def test_events_are_the_same_however_they_are_cut_up(size: int) -> None:
    events = Events()
    pieces = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    told = [event for piece in pieces for event in events.push(piece)]
    assert told == [Event("begin", b'{"a":1}'), Event("", b"x"), Event("beat", b"{}")]


def test_a_line_that_does_not_end_is_not_kept() -> None:
    events = Events()
    for _ in range(LINE_MAX // 1024):
        assert list(events.push(b"x" * 1024)) == []
    with pytest.raises(ValueError, match="no end"):
        list(events.push(b"x"))


def test_what_is_known_is_not_asked_and_what_is_not_known_is() -> None:
    """The table of `judge` in `crates/domain/src/revocation.rs`, with which this has to agree."""
    later = NOW * 1000 + 1
    assert knowing().judge(claims(), NOW) == Stands("user")
    assert knowing(later).judge(claims(), NOW) == UNCLEAR
    assert knowing(later, ended=[SESSION]).judge(claims(), NOW) == ENDED
    assert knowing(later, **of_user("gone")).judge(claims(), NOW) == ENDED
    assert knowing(changed=[SESSION]).judge(claims(), NOW) == UNCLEAR
    for version, told, verdict in (
        (1, 1, Stands("admin")),
        (1, 2, ENDED),
        (2, 1, UNCLEAR),
    ):
        known = knowing(**of_user("stands", token_version=told, role="admin"))
        assert known.judge(claims(version), NOW) == verdict
    for version, told, verdict in ((1, 1, UNCLEAR), (1, 2, ENDED), (2, 1, UNCLEAR)):
        assert knowing(**of_user("disabled", token_version=told)).judge(claims(version), NOW) == verdict
    # Of a later version of the issuer's.
    assert knowing(**of_user("asleep", dreams=1)).judge(claims(), NOW) == UNCLEAR
    both = knowing(changed=[SESSION], **of_user("stands", token_version=2, role="user"))
    assert both.judge(claims(), NOW) == ENDED


def test_a_token_that_was_signed_in_the_future_is_asked_for_and_never_refused_for_it() -> None:
    before = (NOW - 900) * 1000
    assert knowing(before).judge(claims(), NOW - CLOCKS_DIFFER_MAX) == Stands("user")
    assert knowing(before).judge(claims(), NOW - CLOCKS_DIFFER_MAX - 1) == UNCLEAR
    assert knowing(before, ended=[SESSION]).judge(claims(), NOW - CLOCKS_DIFFER_MAX - 1) == ENDED


def test_facts_are_kept_until_no_token_is_left_that_they_concern_and_no_more_than_fit() -> None:
    known = knowing(ended=[SESSION])
    known.forget_old(1039)
    assert known.judge(claims(), NOW) == ENDED
    known.forget_old(1041)
    assert known.judge(claims(), NOW) == Stands("user")
    many = {"ended": [f"ses_{number:032x}" for number in range(FACTS_MAX)]}
    known.note(many, at=0)
    # Told twice is kept once.
    known.note(many, at=0)
    with pytest.raises(TooMuchError):
        known.note({"ended": [SESSION]}, at=0)


class Wall:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


def feed() -> tuple[Feed, Wall]:
    options, wall = Options(issuer="http://127.0.0.1:9", freshness="push", api_key="k"), Wall()
    return Feed(Issuer(options), options, wall), wall


def event(name: str, **told: object) -> Event:
    return Event(name, json.dumps(told).encode())


def test_it_is_live_from_the_first_beat_on_and_until_a_clock_says_otherwise() -> None:
    one, wall = feed()
    one.hear(event("facts", ended=[SESSION]))
    one.hear(event("begin", since=NOW * 1000, keep=1020))
    one.hear(event("facts", ended=[SESSION]))
    assert not one.is_live()
    assert one.judge(claims()) is None
    assert one.issuers_time() is None
    assert one.hear(event("beat", server_time=(NOW + 3600) * 1000))
    assert one.is_live()
    assert one.judge(claims()) == ENDED
    told = one.issuers_time()
    assert told is not None
    assert 0 <= told - (NOW + 3600) < 5
    # A clock that was set, either way, has shown that nothing is known of it.
    for apart in (-10.1, 10.1):
        wall.now = NOW + apart
        assert not one.is_live()
    # A new beginning is whole only with its own first beat.
    wall.now = NOW
    one.hear(event("begin", since=NOW * 1000, keep=1020))
    assert not one.is_live()
    assert not one.hear(event("of_a_later_version", x=1))


def test_a_beat_that_was_long_under_way_is_none() -> None:
    one, wall = feed()
    one.hear(event("begin", since=0, keep=9))
    # The clocks differ by an hour, which is nobody's fault.
    for arrives, sent, is_beat in ((0, 0, True), (4, 3, True), (15, 5.1, True), (25, 15, False)):
        wall.now = NOW + arrives
        beat = event("beat", server_time=int((NOW + sent + 3600) * 1000))
        if is_beat:
            assert one.hear(beat)
        else:
            with pytest.raises(FeedError, match="late"):
                one.hear(beat)


@pytest.mark.parametrize(
    "odd",
    [
        Event("begin", b"{"),
        event("begin", since="1", keep=9),
        event("begin", keep=9),
        event("beat", server_time=None),
        event("facts", users=[{"id": USER}]),
        event("facts", users=[{"id": USER, "state": "stands", "token_version": "1", "role": "user"}]),
        event("facts", ended=7),
        Event("facts", b"[]"),
    ],
)
def test_what_cannot_be_read_ends_the_connection_and_nothing_else(odd: Event) -> None:
    one, _ = feed()
    one.hear(event("begin", since=0, keep=9))
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        one.hear(odd)


def test_why_an_answer_is_no_feed_is_said_in_words() -> None:
    assert fault_of(200, "text/event-stream; charset=utf-8") is None
    assert "something else" in str(fault_of(200, "text/html"))
    assert "does not stand" in str(fault_of(401, ""))
    assert "revocations.read" in str(fault_of(403, ""))
    assert "502" in str(fault_of(502, ""))


def test_tries_are_spread_and_become_rarer_up_to_a_bound() -> None:
    for failures in (0, 1, 5, 8, 100_000):
        usual = min(RETRY_FIRST * 2 ** min(failures, 8), RETRY_LAST)
        pauses = {pause(failures) for _ in range(50)}
        assert all(usual / 2 <= one <= usual * 1.5 for one in pauses)
        assert len(pauses) > 1


@pytest.mark.django_db
def test_a_key_without_the_scope_is_told_of_once_and_each_request_asks(
    server: Tenure,
    configure: Configure,
    ada: Browser,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries, usual = [], Feed._listen

    def listens(self: Feed) -> str:
        tries.append(self)
        return usual(self)

    monkeypatch.setattr(Feed, "_listen", listens)
    configure(server, FRESHNESS="push", API_KEY=api_key(server, user(server), "reports.read"))
    for _ in range(3):
        assert call("/me", ada).status_code == 200
    wait_for(lambda: len(tries) > 3, "it to be tried again")
    assert caplog.text.count("the revocation feed is not heard") == 1
    assert "revocations.read" in caplog.text
    ada.sign_out()
    assert call("/me", ada).status_code == 401


@pytest.mark.django_db
def test_a_feed_that_was_cut_is_heard_again(own_server: Tenure, configure: Configure) -> None:
    here = listen(configure, own_server)
    assert here.feed is not None
    own_server.kill()
    wait_for(lambda: here.feed is not None and not here.feed.is_live(), "the feed to end", patience=10.0)
    own_server.start()
    wait_for(here.feed.is_live, "the feed to come back")


@pytest.mark.django_db
def test_a_feed_that_is_silent_is_not_believed(own_server: Tenure, configure: Configure) -> None:
    own_server.settings["TENURE_REVOCATIONS__HEARTBEAT"] = "200ms"
    own_server.kill()
    own_server.start()
    here = listen(configure, own_server, SILENCE_MAX=1.0)
    assert here.feed is not None
    own_server.hold()
    wait_for(lambda: here.feed is not None and not here.feed.is_live(), "the silence", patience=10.0)
    own_server.go_on()
    wait_for(here.feed.is_live, "the feed to come back")


def test_one_that_is_closed_leaves_no_thread_behind(server: Tenure, configure: Configure) -> None:
    here = listen(configure, server)
    assert here.feed is not None
    thread = here.feed._thread
    module.forget()
    wait_for(lambda: not thread.is_alive(), "the thread to end", patience=15.0)
