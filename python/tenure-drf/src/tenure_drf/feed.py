"""One connection to the issuer's revocation feed, kept by a thread for as long as this process serves.

The feed is *live* while the issuer's last beat is younger than the longest silence. Only then is anything decided by
what it told; otherwise nobody knows, and the issuer is asked.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from urllib3.exceptions import HTTPError

from .conf import Options
from .events import Event, Events
from .issuer import Issuer
from .known import Known, TooMuchError, Verdict
from .problems import logger
from .tokens import Claims

#: Seconds between two tries to reach the feed: at first, and at most.
RETRY_FIRST: Final = 0.2
RETRY_LAST: Final = 10.0


class FeedError(Exception):
    """Why nothing more is heard."""


@dataclass(frozen=True, slots=True)
class Beat:
    """By both clocks: the one that counts stops while the machine sleeps, and the other one is set."""

    at: float
    by_clock: float
    #: Milliseconds by the issuer's clock.
    by_issuer: int

    def issuers_time(self) -> float:
        """What time it is by the issuer's clock now, in seconds."""
        return self.by_issuer / 1000 + time.monotonic() - self.at


class Feed:
    def __init__(self, issuer: Issuer, options: Options, wall: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._options = options
        self._wall = wall
        self._silence_max = options.silence_max
        self._lock = threading.Lock()
        self._known: Known | None = None
        self._beat: Beat | None = None
        self._live_since: float | None = None
        self._begun: Known | None = None
        self._least_late: float | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_listening, name="tenure-feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """The thread ends with what it hears next, or with the silence after it."""
        self._closed.set()

    def is_live(self) -> bool:
        """Whether what ends is being told, and the issuer need not be asked: for a metric."""
        with self._lock:
            return self._is_live()

    def issuers_time(self) -> float | None:
        """What time it is by the issuer's clock, in seconds, whatever this machine's says; none while not live."""
        with self._lock:
            if self._beat is None or not self._is_live():
                return None
            return self._beat.issuers_time()

    def judge(self, claims: Claims) -> Verdict | None:
        """What was told of this token's session and user; none while the feed is not live."""
        with self._lock:
            if self._known is None or self._beat is None or not self._is_live():
                return None
            return self._known.judge(claims, self._beat.issuers_time())

    def _is_live(self) -> bool:
        if self._known is None or self._beat is None:
            return False
        # A clock that was set has shown that nothing is known of it.
        by_clock = abs(self._wall() - self._beat.by_clock)
        return max(time.monotonic() - self._beat.at, by_clock) < self._silence_max

    def _keep_listening(self) -> None:
        failures, logged = 0, ""
        while not self._closed.is_set():
            why = self._listen()
            with self._lock:
                live_since, self._live_since = self._live_since, None
                self._known = self._beat = self._begun = self._least_late = None
            logged = "" if live_since is not None else logged
            if why != logged and not self._closed.is_set():
                logger.warning("the revocation feed is not heard, so the issuer is asked for each request: %s", why)
                logged = why
            # A connection that was cut after its first beat has cost as much as one that never was.
            has_lasted = live_since is not None and time.monotonic() - live_since >= self._silence_max
            failures = 0 if has_lasted else failures
            self._closed.wait(pause(failures))
            failures += 1

    def _listen(self) -> str:
        """Listens until there is nothing more to hear, and says why."""
        try:
            self._connect()
        except TooMuchError:
            return "more has ended lately than is kept here"
        except (FeedError, HTTPError, OSError) as error:
            return str(error) or type(error).__name__
        # The thread lives as long as the process, whatever somebody sends.
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return f"what was told cannot be read: {error!r}"
        return "the issuer closed it"

    def _connect(self) -> None:
        # From here on, and not from the answer on: by what the first beat was under way, none of them is found late.
        deadline = time.monotonic() + self._silence_max
        headers = {"X-API-Key": self._options.api_key, "Accept": "text/event-stream"}
        response = self._issuer.open("/api/v1/auth/revocations", headers, self._silence_max)
        try:
            fault = fault_of(response.status, response.headers.get("Content-Type", ""))
            if fault:
                raise FeedError(fault)
            events = Events()
            while not self._closed.is_set() and (piece := response.read1(65_536)):
                for event in events.push(piece):
                    if self.hear(event):
                        deadline = time.monotonic() + self._silence_max
                if time.monotonic() >= deadline:
                    raise FeedError(f"no beat for {self._silence_max:g} seconds")
        finally:
            response.close()

    def hear(self, event: Event) -> bool:
        """True of a beat. Events of a later version are passed over."""
        if event.name not in ("begin", "facts", "beat"):
            return False
        told, at = json.loads(event.data), time.monotonic()
        with self._lock:
            if event.name == "begin":
                self._known = None
                self._begun = Known(_number(told, "since"), _number(told, "keep"), 2 * self._silence_max)
            elif event.name == "facts":
                listening = self._begun or self._known
                if listening is not None:
                    listening.note(told, at)
            else:
                self._take_beat(_number(told, "server_time"), at)
        return event.name == "beat"

    def _take_beat(self, server_time: int, at: float) -> None:
        now = self._wall()
        # One that was long under way says nothing about now: what is told after it waits behind it.
        late = now - server_time / 1000
        self._least_late = late if self._least_late is None else min(late, self._least_late)
        if late - self._least_late >= self._silence_max:
            raise FeedError("what it tells comes late")
        # The first one ends what is told at first.
        if self._begun is not None:
            self._known, self._begun, self._live_since = self._begun, None, at
            logger.info("the revocation feed is live")
        if self._known is not None:
            self._known.forget_old(at)
        self._beat = Beat(at, now, server_time)


def _number(told: dict[str, Any], name: str) -> int:
    value = told[name]
    if type(value) is not int:
        raise ValueError(f"{name} is no number")
    return value


def fault_of(status: int, kind: str) -> str | None:
    """Why this answer is no feed."""
    if status == 200:
        return None if kind.startswith("text/event-stream") else "something else answers in its place"
    known = {401: "the API key does not stand", 403: "the API key has no scope `revocations.read`"}
    return known.get(status, f"{status} instead of a feed")


def pause(failures: int) -> float:
    """Those who lost the feed together do not all come back at once."""
    usual: float = min(RETRY_FIRST * 2.0 ** min(failures, 8), RETRY_LAST)
    return usual * random.uniform(0.5, 1.5)  # noqa: S311
