"""From the ``sub`` of a token to a row of whatever user model a project has."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.exceptions import FieldDoesNotExist
from django.db import Error, IntegrityError, InterfaceError, OperationalError

from .auth import TenureAuth
from .conf import Options
from .identity import Identity
from .problems import Problem, logger, unknown


def user_of(auth: TenureAuth, options: Options) -> Any:
    """The row of whoever this is. That there is none, or that it is not active, is 403: their session stands."""
    model = get_user_model()
    field = options.user_id_field
    try:
        user = model._default_manager.filter(**{field: auth.user}).first()
        if user is None and options.create_users:
            user = _create(auth, options)
    except (OperationalError, InterfaceError) as error:
        raise unknown(options.issuer, error) from error
    if user is None:
        raise _refusal(options, "You are not known to this service.")
    # Not every model has it.
    if not getattr(user, "is_active", True):
        raise _refusal(options, "You are not active in this service.")
    return user


def _create(auth: TenureAuth, options: Options) -> Any:
    """Also for many requests at once: the field is unique, and whoever comes second takes the first one's row."""
    # Whoever is new is asked for, whatever the freshness: rows are for people who stand, and their e-mail is told.
    identity = auth.asked()
    model = get_user_model()
    try:
        user, created = model._default_manager.get_or_create(
            **{options.user_id_field: identity.user}, defaults=_fields(identity, options)
        )
    except IntegrityError as error:
        logger.error(
            "no row can be made for %s, as another one has its e-mail or name, or USER_FIELDS leaves something out: %s",
            identity.user,
            error,
        )
        return None
    except Error as error:
        raise unknown(options.issuer, error) from error
    if created:
        logger.info("a row was made for %s", identity.user)
    return user


def _fields(identity: Identity, options: Options) -> dict[str, Any]:
    model = get_user_model()
    made: dict[str, Any] = {}
    email = getattr(model, "EMAIL_FIELD", None)
    if email and _has(model, email) and identity.email:
        made[email] = identity.email
    # A model whose people sign in with something else than their e-mail has a name to fill.
    name = getattr(model, "USERNAME_FIELD", None)
    if name and name not in (options.user_id_field, email):
        made[name] = identity.user
    if _has(model, "password"):
        # Nobody signs in with it.
        made["password"] = make_password(None)
    further = options.further_fields()
    if further is not None:
        made |= further(identity)
    made.pop(options.user_id_field, None)
    return made


def _has(model: Any, field: str) -> bool:
    try:
        model._meta.get_field(field)
    except FieldDoesNotExist:
        return False
    return True


def _refusal(options: Options, detail: str) -> Problem:
    return Problem("permission_denied", detail, issuer=options.issuer)
