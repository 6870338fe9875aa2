"""What the setting ``TENURE`` says, and whether the user model fits it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured

from ..conf import Options, faults, options

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def chosen() -> Options | None:
    """The setting, if it can be read: other checks have nothing to say of one that cannot."""
    try:
        return options()
    except ImproperlyConfigured:
        return None


def setting_is_right(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = [
        Error(fault.message, hint=fault.hint, id=fault.id) for fault in faults(getattr(settings, "TENURE", None))
    ]
    here = chosen()
    if here is not None and not settings.DEBUG:
        for name, address in (("ISSUER", here.issuer), ("URL", here.url)):
            parts = urlsplit(address)
            # What is reached inside of a data centre may be in the clear; what browsers see may not.
            if name == "ISSUER" and parts.scheme == "http" and parts.hostname not in LOOPBACK:
                hint = "Write the public URL, which begins with https. Where it is reached from here may differ: URL."
                found.append(Caution(f"TENURE['{name}'] is not encrypted: {address}.", hint=hint, id="tenure.W011"))
    return found


def user_model_fits(**_: Any) -> list[CheckMessage]:
    here = chosen()
    if here is None:
        return []
    model = get_user_model()
    try:
        field: Any = model._meta.get_field(here.user_id_field)
    except FieldDoesNotExist:
        hint = "Add one, as in tenure_id = models.CharField(max_length=64, unique=True, null=True), and name it there."
        text = f"The user model has no field `{here.user_id_field}`, which TENURE['USER_ID_FIELD'] names."
        return [Error(text, hint=hint, obj=model, id="tenure.E007")]
    found: list[CheckMessage] = []
    if not getattr(field, "unique", False):
        hint = "Make it unique: two requests of somebody new would otherwise make two rows."
        found.append(Error(f"The field `{field.name}` is not unique.", hint=hint, obj=model, id="tenure.E008"))
    length = getattr(field, "max_length", None)
    if length is not None and length < 36:
        hint = "Ids of Tenure's are 36 letters long; make it 64."
        found.append(Error(f"The field `{field.name}` is too short.", hint=hint, obj=model, id="tenure.E009"))
    return found
