"""Who is calling, as far as it was told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_ID: Final = re.compile(r"(usr|ses|acc|key)_[0-9a-f]{32}")
_SLUG: Final = re.compile(r"[a-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Identity:
    """A person with ``user``, ``session`` and ``role``, or a program with ``key`` and ``scopes``.

    Of a token alone nothing is known of account, plan and e-mail.
    """

    user: str | None = None
    session: str | None = None
    role: str | None = None
    account: str | None = None
    plan: str | None = None
    #: Left out by the issuer if it has letters that no header can hold.
    email: str | None = None
    key: str | None = None
    scopes: frozenset[str] = frozenset()


def is_id(text: object, prefix: str) -> bool:
    return isinstance(text, str) and text.startswith(f"{prefix}_") and _ID.fullmatch(text) is not None


def of_headers(headers: Mapping[str, str]) -> Identity | None:
    """As the issuer's check tells it; none if it does not say who it is.

    A header that comes twice has its values joined by a comma, which no value of these may hold.
    """

    def told(name: str) -> str | None:
        return headers.get(f"tenure-{name}") or None

    identity = Identity(
        user=told("user"),
        session=told("session"),
        role=told("role"),
        account=told("account"),
        plan=told("plan"),
        email=told("email"),
        key=told("key"),
        scopes=frozenset((told("scopes") or "").split()),
    )
    ids = {"usr": identity.user, "ses": identity.session, "acc": identity.account, "key": identity.key}
    if any(text is not None and not is_id(text, prefix) for prefix, text in ids.items()):
        return None
    slugs = [text for text in (identity.role, identity.plan, *identity.scopes) if text is not None]
    if any(not _SLUG.fullmatch(slug) for slug in slugs):
        return None
    is_person = None not in (identity.user, identity.session, identity.role)
    is_program = identity.key is not None
    # Both at once is nobody that we know of, and so is half a person.
    return identity if is_person != is_program and (is_person or identity.user is None) else None
