"""What the setting ``TENURE`` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

FRESHNESS: Final = ("strict", "push", "stateless")
FOREIGN_TOKENS: Final = ("refuse", "pass")

#: Told of whoever is created: the identity that Tenure gave, and further fields of the row.
UserFields = Callable[[Any], Mapping[str, Any]]


class Fault(NamedTuple):
    """What is wrong with the setting, as a system check tells it."""

    id: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Options:
    """The setting, read. Names are those of the setting in small letters."""

    #: Tenure's public URL, which is also the ``iss`` of its tokens.
    issuer: str
    #: Where it is reached from here, if that is another address.
    url: str = ""
    audience: str = "tenure"
    freshness: str = "strict"
    #: With the scope ``revocations.read`` for ``push``, and ``sessions.exchange`` for tickets.
    api_key: str = ""
    #: Seconds that Tenure may take for a whole answer.
    timeout: float = 2.0
    #: Seconds that Tenure may be silent before ``push`` asks.
    silence_max: float = 10.0
    #: Seconds for which ``strict`` takes an answer for a second request.
    strict_cache: float = 0.0
    #: Seconds by which this machine's clock may be ahead, for ``stateless``.
    leeway: float = 30.0
    user_id_field: str = "username"
    create_users: bool = False
    #: The dotted path of a ``UserFields``.
    user_fields: str = ""
    accept_api_keys: bool = False
    #: Whether bearer tokens that are none of Tenure's are left to the next class.
    foreign_tokens: str = "refuse"

    def address(self, path: str) -> str:
        return f"{self.url or self.issuer}{path}"

    def further_fields(self) -> UserFields | None:
        return import_string(self.user_fields) if self.user_fields else None


def options() -> Options:
    """The setting; what is wrong with it is an error that names all of it."""
    raw: Any = getattr(settings, "TENURE", None)
    found = faults(raw)
    if found:
        raise ImproperlyConfigured(" ".join(f"({fault.id}) {fault.message} {fault.hint}" for fault in found))
    return _read(raw)


def _read(raw: Mapping[str, Any]) -> Options:
    values = {name.lower(): value for name, value in raw.items()}
    for name in ("issuer", "url"):
        values[name] = values.get(name, "").rstrip("/")
    return Options(**values)


def faults(raw: object) -> list[Fault]:
    """Everything that is wrong with the setting, without asking anybody."""
    if not isinstance(raw, Mapping) or not raw.get("ISSUER"):
        hint = 'Set TENURE = {"ISSUER": "https://id.example.com"}: the public URL of your Tenure.'
        return [Fault("tenure.E001", "TENURE names no ISSUER.", hint)]
    return [*_names(raw), *_values(raw), *_addresses(raw), *_needs(raw)]


def _names(raw: Mapping[str, Any]) -> list[Fault]:
    known = {field.name.upper() for field in fields(Options)}
    strange = sorted(str(name) for name in raw if name not in known)
    hint = f"Known are {', '.join(sorted(known))}."
    return [Fault("tenure.E005", f"TENURE has no setting {name}.", hint) for name in strange]


def _values(raw: Mapping[str, Any]) -> list[Fault]:
    def wrong(name: str, what: str) -> Fault:
        # A secret is not for the log.
        hint = "Write it in quotes." if name == "API_KEY" else f"It is {raw[name]!r}."
        return Fault("tenure.E003", f"TENURE['{name}'] is not {what}.", hint)

    found = []
    for name, value in raw.items():
        default = _DEFAULTS.get(name)
        if isinstance(default, bool):
            if not isinstance(value, bool):
                found.append(wrong(name, "True or False"))
        elif isinstance(default, float):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            least = 0.0 if name in ("STRICT_CACHE", "LEEWAY") else 0.001
            if not is_number or not least <= value <= 300:
                found.append(wrong(name, "a number of seconds between 0 and 300"))
        elif isinstance(default, str) and not isinstance(value, str):
            found.append(wrong(name, "text"))
    for name, choice in (("FRESHNESS", FRESHNESS), ("FOREIGN_TOKENS", FOREIGN_TOKENS)):
        if name in raw and raw[name] not in choice:
            found.append(wrong(name, f"one of {', '.join(choice)}"))
    return found


def _addresses(raw: Mapping[str, Any]) -> list[Fault]:
    found = []
    for name in ("ISSUER", "URL"):
        value = raw.get(name, "")
        if value and not (isinstance(value, str) and _is_address(value)):
            hint = "Write Tenure's public_url: https://id.example.com, or https://example.com/tenure, without a name or a query."
            found.append(Fault("tenure.E002", f"TENURE['{name}'] is no address of a Tenure: {value!r}.", hint))
    return found


def _is_address(text: str) -> bool:
    """As Tenure's ``public_url``: below a path if a proxy serves it there."""
    try:
        parts = urlsplit(text)
        # Looks at the port, which may be none.
        parts.port  # noqa: B018
    except ValueError:
        return False
    is_plain = not any(letter in text for letter in "?#@\\ ") and "//" not in parts.path
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_plain


def _needs(raw: Mapping[str, Any]) -> list[Fault]:
    found = []
    if raw.get("FRESHNESS") == "push" and not raw.get("API_KEY"):
        hint = 'Make one: tenure api-key create EMAIL --name NAME --scopes "revocations.read" --reason "..."'
        found.append(
            Fault("tenure.E004", "FRESHNESS 'push' listens to Tenure with an API key, and there is none.", hint)
        )
    path = raw.get("USER_FIELDS")
    if isinstance(path, str) and path:
        try:
            import_string(path)
        except ImportError as error:
            hint = "Name a function that takes an identity and returns fields: 'shop.users.fields'."
            found.append(Fault("tenure.E006", f"TENURE['USER_FIELDS'] cannot be imported: {error}.", hint))
    return found


#: Addresses are looked at for themselves.
_DEFAULTS: Final[dict[str, object]] = {
    field.name.upper(): field.default for field in fields(Options) if field.name not in ("issuer", "url")
}
