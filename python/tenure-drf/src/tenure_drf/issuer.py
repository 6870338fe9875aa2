"""Asking the issuer. Whatever is no answer of a Tenure's is told apart from what is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError

from .conf import Options
from .identity import Identity, of_headers
from .problems import Problem, of_issuer, unknown

#: Larger answers are none of Tenure's.
BODY_MAX: Final = 64 * 1024

#: Connections that are kept for the threads of this process.
CONNECTIONS: Final = 32


class UnreachableError(Exception):
    """There was no answer, or it came too late or too large."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What a caller shows. It is never printed."""

    text: str
    is_api_key: bool = False

    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.text} if self.is_api_key else {"Authorization": f"Bearer {self.text}"}


class Issuer:
    """A Tenure over HTTP. Redirects are not followed, nor is anything tried for longer than the time-out."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=CONNECTIONS, retries=False)

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET", body: bytes | None = None
    ) -> Answer:
        deadline = time.monotonic() + self._options.timeout
        try:
            try:
                return self._get(method, path, headers, body, deadline)
            except ProtocolError:
                # A connection that was kept, and closed by the other side at this moment. To ask twice does no harm.
                return self._get(method, path, headers, body, deadline)
        # ValueError: what cannot be written into a request.
        except (HTTPError, OSError, ValueError) as error:
            raise UnreachableError(f"{type(error).__name__}: {error}") from error

    def _get(
        self, method: str, path: str, headers: Mapping[str, str] | None, sent: bytes | None, deadline: float
    ) -> Answer:
        response = self.open(path, headers, max(deadline - time.monotonic(), 0.001), method, sent)
        try:
            body = b""
            while piece := response.read1(BODY_MAX):
                body += piece
                if len(body) > BODY_MAX:
                    raise UnreachableError("an answer larger than any of Tenure's")
                if time.monotonic() > deadline:
                    raise UnreachableError("an answer that takes too long")
        except BaseException:
            # Whatever is left of it must not be taken for the next answer.
            response.close()
            raise
        response.release_conn()
        lower = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, lower, body)

    def open(
        self,
        path: str,
        headers: Mapping[str, str] | None,
        silence: float,
        method: str = "GET",
        body: bytes | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """An answer whose body is still to come, and may be silent for so many seconds."""
        connect = min(self._options.timeout, silence)
        return self._pool.request(
            method,
            self._options.address(path),
            headers=headers,
            body=body,
            preload_content=False,
            redirect=False,
            timeout=urllib3.Timeout(connect=connect, read=silence),
        )

    def check(self, credential: Credential, require: str = "") -> Identity:
        """Who it is, if they may do what is required. Anything else is raised as a :class:`Problem`."""
        path = "/api/v1/auth/check" + (f"?require={quote(require, safe=',:=')}" if require else "")
        issuer = self._options.issuer
        try:
            answer = self.get(path, credential.headers())
        except UnreachableError as error:
            raise unknown(issuer, error) from error
        if answer.status == 200:
            identity = of_headers(answer.headers)
            if identity is None:
                raise unknown(issuer, "200 that does not say who it is")
            return identity
        problem = self.refusal(answer)
        raise problem or unknown(issuer, f"{answer.status} that is no answer of Tenure's")

    def refusal(self, answer: Answer) -> Problem | None:
        """The issuer's own words, if these are some that are handed on."""
        kind, again = answer.headers.get("content-type", ""), answer.headers.get("retry-after")
        return of_issuer(self._options.issuer, answer.status, kind, answer.body, again)
