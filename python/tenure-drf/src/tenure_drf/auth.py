"""What a view finds in ``request.auth`` and, of a program, in ``request.user``."""

from __future__ import annotations

import re
from typing import Any, Final

from rest_framework.request import Request

from .identity import Identity
from .issuer import Credential
from .problems import Problem
from .tenure import Tenure

_SLUG: Final = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"

#: What ``auth/check`` takes, one at a time.
_NEED: Final = re.compile(
    rf"active_account|plan(?::{_SLUG}(?:\|{_SLUG})*)?|feature:{_SLUG}|limit:{_SLUG}=[0-9]{{1,19}}|permission:{_SLUG}"
)


#: Most that Tenure takes in one question.
NEEDS_MAX: Final = 16


def requirement(*needs: str) -> str:
    """All of these at once. What cannot be required is a mistake in the code, and is said where it was made."""
    if len(needs) > NEEDS_MAX:
        raise ValueError(f"at most {NEEDS_MAX} things can be required at once")
    for need in needs:
        if not _NEED.fullmatch(need):
            raise ValueError(
                f"`{need}` is none of active_account, plan:NAME, feature:NAME, limit:NAME=NUMBER, permission:NAME"
            )
    return ",".join(needs)


class TenureAuth:
    """Who sends this request. ``account``, ``plan`` and ``email`` are asked for where that was not told."""

    def __init__(self, tenure: Tenure, credential: Credential, identity: Identity, *, was_asked: bool) -> None:
        self._tenure = tenure
        self._credential = credential
        self._identity = identity
        self._was_asked = was_asked
        self._decided: dict[str, Problem | None] = {}

    def __repr__(self) -> str:
        return f"<TenureAuth of {self.user or self.key}>"

    @property
    def user(self) -> str | None:
        """The id of a person, ``usr_...``; none of a program."""
        return self._identity.user

    @property
    def session(self) -> str | None:
        return self._identity.session

    @property
    def role(self) -> str | None:
        return self._identity.role

    @property
    def key(self) -> str | None:
        """The id of a program's API key."""
        return self._identity.key

    @property
    def scopes(self) -> frozenset[str]:
        """What an API key may do; nothing of a person's."""
        return self._identity.scopes

    @property
    def account(self) -> str | None:
        return self.asked().account

    @property
    def plan(self) -> str | None:
        return self.asked().plan

    @property
    def email(self) -> str | None:
        return self.asked().email

    @property
    def permissions(self) -> Permissions:
        """``"reports.read" in request.auth.permissions``: by the issuer's word, so it may be 503."""
        return Permissions(self)

    def asked(self) -> Identity:
        """All that the issuer tells."""
        if not self._was_asked:
            self._identity, self._was_asked = self._tenure.ask(self._credential), True
        return self._identity

    def refusal(self, require: str) -> Problem | None:
        """What stands in the way of needs with commas between, as ``auth/check`` takes them; none if they are met.

        That nobody knows, or that the token does not stand any more, is raised.
        """
        if require not in self._decided:
            requirement(*require.split(","))
            try:
                self._identity = self._tenure.issuer.check(self._credential, require)
                self._was_asked = True
                self._decided[require] = None
            except Problem as problem:
                if not problem.is_refusal:
                    raise
                self._decided[require] = problem
        return self._decided[require]

    def allows(self, require: str) -> bool:
        return self.refusal(require) is None

    def require(self, require: str) -> None:
        """Raises the refusal, for what a view finds out late: ``limit:seats=6``."""
        problem = self.refusal(require)
        if problem is not None:
            raise problem


def auth_of(request: Request) -> TenureAuth:
    """``request.auth`` with its type, where Tenure let in whoever is calling."""
    auth: object = request.auth
    if not isinstance(auth, TenureAuth):
        raise TypeError("another authentication class let this request in")
    return auth


class Permissions:
    """A container that asks."""

    def __init__(self, auth: TenureAuth) -> None:
        self._auth = auth

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._auth.allows(f"permission:{name}")


class TenureProgram:
    """Whoever shows an API key: somebody, and no row of the user model. It has no right of Django's."""

    is_authenticated: Final = True
    is_anonymous: Final = False
    is_active: Final = True
    is_staff: Final = False
    is_superuser: Final = False
    pk: Final = None
    id: Final = None

    def __init__(self, key: str) -> None:
        self.key = key

    def __str__(self) -> str:
        return self.key

    def get_username(self) -> str:
        return self.key

    def has_perm(self, *_: Any) -> bool:
        return False

    def has_perms(self, *_: Any) -> bool:
        return False

    def has_module_perms(self, *_: Any) -> bool:
        return False
