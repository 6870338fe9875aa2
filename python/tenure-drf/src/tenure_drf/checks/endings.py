"""Which calls end a sign-in: those that empty a session, blacklist or delete a token, or take its cookie away."""

from __future__ import annotations

import ast
import re
from typing import Final

from django.apps import apps
from django.conf import settings
from django.contrib import auth

from .names import Names

#: What empties a session, if it is called on one.
EMPTIES: Final = ("flush", "aflush", "clear", "delete", "adelete")

#: Whose rows are sign-ins.
SIGN_INS: Final = (
    "rest_framework.authtoken.models.Token",
    "django.contrib.sessions.base_session.AbstractBaseSession",
    "knox.models.AbstractAuthToken",
)
DELETES: Final = ("delete", "adelete")

#: How the row of a request's or a person's token is reached without its class.
ROWS: Final = ("auth", "auth_token")

#: Whose rows end sign-ins.
BLACKLIST: Final = "rest_framework_simplejwt.token_blacklist"
CREATES: Final = ("create", "get_or_create", "update_or_create", "bulk_create")

#: Of what the names of cookies are made by which somebody is signed in. Those of forms (``csrftoken``) are none.
COOKIE_WORDS: Final = {"access", "accesstoken", "auth", "authtoken", "jwt", "refresh", "refreshtoken", "sessionid"}
COOKIE_NAMES: Final = {"session", "sid", "token"}


def ends_session(call: ast.Call, names: Names) -> bool:
    """``logout(request)``, ``request.session.flush()``, or the same by another name."""
    func = call.func
    if names.resolve(func) in (auth.logout, auth.alogout):
        return True
    return isinstance(func, ast.Attribute) and func.attr in EMPTIES and names.is_session(func.value)


def ends_token(call: ast.Call, names: Names) -> bool:
    """A refresh token is blacklisted, or the row of a token or session is deleted."""
    func = call.func
    if _is_of(names.resolve(func), f"{BLACKLIST}.models.BlacklistedToken"):
        return True
    if not isinstance(func, ast.Attribute):
        return False
    if func.attr == "blacklist":
        # simplejwt's takes nothing; what blacklists an address is told which.
        return not (call.args or call.keywords) and apps.is_installed(BLACKLIST)
    model = names.model(func.value)
    if func.attr.removeprefix("a") in CREATES:
        return _is_of(model, f"{BLACKLIST}.models.BlacklistedToken")
    if func.attr in DELETES:
        is_row = isinstance(func.value, ast.Attribute) and func.value.attr in ROWS
        return is_row or any(_is_of(model, path) for path in SIGN_INS)
    return False


def takes_cookie(call: ast.Call, names: Names) -> bool:
    """``response.delete_cookie("access_token")``, or the same by an empty value."""
    func = call.func
    if not isinstance(func, ast.Attribute):
        return False
    told = dict(zip(("key", "value"), call.args, strict=False)) | {
        one.arg: one.value for one in call.keywords if one.arg
    }
    value = told.get("value")
    is_emptied = func.attr == "set_cookie" and isinstance(value, ast.Constant) and value.value == ""
    return (func.attr == "delete_cookie" or is_emptied) and "key" in told and _signs_in(_text(told["key"], names))


def _is_of(one: object, path: str) -> bool:
    """Whether it is that class or one below it, which need not be installed."""
    return isinstance(one, type) and any(f"{part.__module__}.{part.__qualname__}" == path for part in one.__mro__)


def _text(node: ast.expr, names: Names) -> str:
    """A cookie's name, or what the source calls it."""
    told = node.value if isinstance(node, ast.Constant) else names.resolve(node)
    if isinstance(told, str):
        return told
    if isinstance(node, ast.Subscript):
        return _text(node.slice, names)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _signs_in(name: str) -> bool:
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
    return name == settings.SESSION_COOKIE_NAME or name.lower() in COOKIE_NAMES or not words.isdisjoint(COOKIE_WORDS)
