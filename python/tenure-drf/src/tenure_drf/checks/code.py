"""What is found by reading the project's own source: whatever ends sign-ins while a request is served."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution
from django.utils.module_loading import import_string
from rest_framework.settings import api_settings

from .endings import ends_session, ends_token, takes_cookie
from .names import Names

#: How far calls are followed from what runs for each request.
DEPTH_MAX: Final = 4

#: Whose functions are not followed: Django's own end a session only where its password has changed.
NOT_FOLLOWED: Final = ("django", "rest_framework", "rest_framework_simplejwt", "tenure_drf")


def middleware_signs_nobody_out(**_: Any) -> list[CheckMessage]:
    """Whatever runs for each request: middleware, and the framework's classes."""
    found: list[CheckMessage] = []
    for path in settings.MIDDLEWARE:
        try:
            one = import_string(path)
        except ImportError:
            # Django tells of it by itself.
            continue
        found += _told(path, one, Search(tokens=True))
    others: list[Any] = [*api_settings.DEFAULT_AUTHENTICATION_CLASSES, *api_settings.DEFAULT_PERMISSION_CLASSES]
    for one in (*others, api_settings.EXCEPTION_HANDLER):
        # To delete a token that has expired is an authentication class's own business.
        found += _told(f"{one.__module__}.{one.__name__}", one, Search())
    return found


def _told(path: str, one: Any, search: Search) -> list[CheckMessage]:
    places = list(dict.fromkeys(search.of(one)))
    if not places:
        return []
    text = f"{path} ends sessions while a request is served, at {', '.join(places)}."
    hint = "Answer 402 or 403 instead, with TenurePermission and its kin: a plan or an account says nothing of who is signed in."
    return [Caution(text, hint=hint, id="tenure.W001")]


class Search:
    """Follows the calls of a class or function through the project's source."""

    def __init__(self, *, tokens: bool = False) -> None:
        """Looks for ended sessions, and with ``tokens`` also for tokens and cookies that are taken away."""
        self._tokens = tokens
        self._seen: set[object] = set()

    def of(self, one: Any, depth: int = 0) -> Iterator[str]:
        """Where sign-ins are ended, as ``module:line``."""
        if one in self._seen or depth > DEPTH_MAX:
            return
        self._seen.add(one)
        parts = [part for part in one.__mro__ if part is not object] if inspect.isclass(one) else [inspect.unwrap(one)]
        for part in parts:
            # Above a project's own classes those of the framework stand, which are read as they are and not followed.
            module = sys.modules.get(getattr(part, "__module__", ""))
            tree = _source(part)
            if module is not None and tree is not None:
                yield from self._in(tree, module, depth)

    def _in(self, tree: ast.AST, module: ModuleType, depth: int) -> Iterator[str]:
        names = Names(tree, module)
        # Django's own middleware takes the cookie of an empty session away.
        tokens = self._tokens and not _is_framework(module.__name__)
        cookies = tokens and not _gives_sessions(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = names.resolve(node.func)
            is_end = ends_session(node, names) or (tokens and ends_token(node, names))
            if is_end or (cookies and takes_cookie(node, names)):
                yield f"{module.__name__}:{node.lineno}"
            elif isinstance(called, FunctionType) and not _is_framework(called.__module__):
                yield from self.of(called, depth + 1)


def _is_framework(module: str) -> bool:
    return module.split(".")[0] in NOT_FOLLOWED


def _gives_sessions(tree: ast.AST) -> bool:
    """Whether it is what Django's SessionMiddleware is, in a form of the project's: then its cookie is its own."""
    targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
    return any(isinstance(target, ast.Attribute) and target.attr == "session" for target in targets)


def _source(part: Any) -> ast.AST | None:
    try:
        lines, first = inspect.getsourcelines(part)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    # Without source there is nothing to say.
    except (OSError, TypeError, SyntaxError):
        return None
    return ast.increment_lineno(tree, first - 1)
